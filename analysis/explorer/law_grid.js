"use strict";
// A law as numbers on a grid of ln N and P (law_grid.py): its loss, and its sensitivities, whose squares
// sum to the loss's variance. Between grid points: the polynomial through the nearest 6 x 6.
// Its intervals (interval_grid.py): inside the runs those of the fit, beyond them the law's forecast.
const Law = (() => {
  const POINTS = 6;
  let logN = [], logP = [];

  const floats = (text, Kind) => new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

  // Reads the numbers of every law; called once, before anything is asked.
  function unpack(data) {
    logN = data.grid.logN;
    logP = data.grid.P.map(Math.log);
    for (const source of data.sources) for (const law of Object.values(source.laws)) {
      law.values = floats(law.loss, Float64Array);
      law.moves = law.sensitivities && law.sensitivities.map((one) => floats(one, Float32Array));
      const own = law.interval;
      if (!own) continue;
      own.logP = own.P.map(Math.log);
      for (const name of ["lower", "upper", "new_lower", "new_upper", "shift", "known", "shared"]) own[name] = floats(own[name], Float32Array);
    }
  }

  // Where a point lies among nodes: the first of the nodes used, and the weight of each.
  function weights(nodes, x) {
    const above = nodes.findIndex((node) => node > x), count = Math.min(POINTS, nodes.length);
    const middle = (above < 0 ? nodes.length : above) - count / 2;
    const first = Math.min(Math.max(middle, 0), nodes.length - count);
    const near = nodes.slice(first, first + count);
    return { first, w: near.map((a, i) => near.reduce((product, b, j) => (i === j ? product : product * (x - b) / (a - b)), 1)) };
  }

  // A place on the grid: of what is held there each array is read by `at`.
  function place(law, u, P) {
    return { N: weights(logN, u), P: law.streams ? weights(logP, Math.log(P)) : { first: 0, w: [1] } };
  }
  function at(values, { N, P }, across = logN.length) {
    let sum = 0;
    for (let i = 0; i < P.w.length; i++) {
      if (P.w[i] === 0) continue;
      const start = (P.first + i) * across + N.first;
      let row = 0;
      for (let j = 0; j < N.w.length; j++) row += N.w[j] * values[start + j];
      sum += P.w[i] * row;
    }
    return sum;
  }

  const lossAt = (law, u, P) => at(law.values, place(law, u, P));
  const loss = (law, N, P) => lossAt(law, Math.log(N), P);

  // How far the loss moves per standard error along each direction; null where no interval is known.
  function moves(law, u, P) {
    const where = place(law, u, P);
    return law.moves && law.moves.map((values) => at(values, where));
  }
  // Student's t times the length of such moves: half an interval.
  function half(law, steps) {
    const variance = steps ? steps.reduce((sum, x) => sum + x * x, 0) : NaN;
    return variance > 0 ? law.t * Math.sqrt(variance) : NaN;
  }

  // A place on a grid of the intervals: sizes of its own, few P.
  function ownPlace(law, sizes, u, P) {
    return { N: weights(sizes, u), P: law.streams ? weights(law.interval.logP, Math.log(P)) : { first: 0, w: [1] } };
  }

  // Ends of the fit's own intervals, of the law and of one more run: linear theory's half-width, times how much
  // further each end lies.
  function ownEnds(law, value, u, P) {
    const own = law.interval, h = half(law, moves(law, u, P));
    if (!own) return { lower: NaN, upper: NaN, newLower: NaN, newUpper: NaN };
    const where = ownPlace(law, own.logN, u, P), times = (ends) => Math.exp(at(ends, where, own.logN.length));
    const run = Math.hypot(h, law.t * law.noise * (law.log ? value : 1));
    return { lower: Math.max(value - h * times(own.lower), 0), upper: value + h * times(own.upper),
      newLower: Math.max(value - run * times(own.new_lower), 0), newUpper: value + run * times(own.new_upper) };
  }

  // How far a point lies beyond the runs on one way out of them (an axis and a side), on the logarithm.
  function reach(law, { axis, side }, u, P) {
    const v = Math.log(P), [low, high] = law.interval.edges[axis], x = { N: u, P: v, C: u + v }[axis];
    return Math.max(side > 0 ? x - high : low - x, 0);
  }
  // The change of the log loss beyond the runs on that way, at the rate that the law has at their edge.
  function change(law, way, u, P) {
    const by = reach(law, way, u, P), step = Math.min(by, law.interval.step), back = (out) => Math.log(way.axis === "P"
      ? lossAt(law, u, P * Math.exp(-way.side * out)) : lossAt(law, u - way.side * out, P));
    return by > 0 ? (back(by - step) - back(by)) / step * by : 0;
  }
  // The way out with the largest change, and that change; null within the runs.
  function exit(law, u, P) {
    let found = null;
    for (const way of law.interval.ways) {
      if (reach(law, way, u, P) <= 0) continue;
      const delta = change(law, way, u, P);
      if (!found || Math.abs(delta) > Math.abs(found.delta)) found = { way, delta };
    }
    return found;
  }
  function inside(law, u, P) {
    const point = law.streams ? [u, Math.log(P)] : [u];
    return law.interval.hull.every((side) =>
      point.reduce((sum, x, i) => sum + side[i] * x, side[point.length]) <= law.interval.near);
  }
  // By what errors that neighbouring runs share grow beyond few sizes, or few P.
  function growth(law, u, P) {
    const outside = Object.entries(law.interval.growth).filter(([axis]) =>
      [1, -1].some((side) => reach(law, { axis, side }, u, P) > 0));
    return Math.max(1, ...outside.map(([, factor]) => factor));
  }
  // Ends of the law's forecast of one more run.
  function forecast(law, value, u, P) {
    const own = law.interval, where = ownPlace(law, own.farLogN, u, P), across = own.farLogN.length;
    const out = exit(law, u, P), spread = Math.sqrt(
      Math.exp(at(own.known, where, across)) + at(own.shared, where, across) ** 2 * growth(law, u, P));
    const centre = Math.log(value) + at(own.shift, where, across);
    let h = own.still;
    if (out) {
      const { first, w } = weights(own.ratios, Math.log1p(Math.abs(out.delta) / spread));
      h = Math.exp(w.reduce((sum, x, i) => sum + x * out.way.halves[first + i], 0));
    }
    return { lower: Math.exp(centre - h * spread), upper: Math.exp(centre + h * spread) };
  }

  // Predicted loss with the interval of the law's mean and of one more run; beyond the runs, what widens the latter.
  function predict(law, N, P) {
    const u = Math.log(N), value = loss(law, N, P), now = { loss: value, ...ownEnds(law, value, u, P), beyond: "" };
    if (!Number.isFinite(now.newLower) || inside(law, u, P)) return now;
    const far = forecast(law, value, u, P), out = exit(law, u, P);
    const beyond = out ? out.way.said : "errors that neighbouring runs share";
    return { ...now, beyond, newLower: Math.min(now.newLower, far.lower), newUpper: Math.max(now.newUpper, far.upper) };
  }

  // ln of the size that reaches a loss at Q streams: Infinity beyond the grid, NaN below it.
  function sizeFor(law, target, Q) {
    let [low, high] = [logN[0], logN[logN.length - 1]];
    if (lossAt(law, high, Q) > target) return Infinity;
    if (lossAt(law, low, Q) < target) return NaN;
    for (let i = 0; i < 60; i++) {
      const middle = (low + high) / 2;
      if (lossAt(law, middle, Q) > target) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  }

  // Standard deviation that drift leaves of the difference of two log losses: axes err independently.
  function driftBetween(law, here, there) {
    const ways = law.interval.ways.filter((way) => way.axis !== "C");
    return Math.hypot(...ways.map((way) => way.kappa * (change(law, way, ...here) - change(law, way, ...there))));
  }

  // The size at Q streams with the loss of (N, P), its interval formed on the logarithm.
  function equivalent(law, N, P, Q) {
    if (P === Q || !law.streams) return { N, lower: N, upper: N };
    const from = Math.log(N), to = sizeFor(law, lossAt(law, from, P), Q), step = 1e-3;
    if (!Number.isFinite(to)) return { N: Math.exp(to), lower: NaN, upper: NaN };
    const slope = (lossAt(law, to + step, Q) - lossAt(law, to - step, Q)) / (2 * step);
    const there = moves(law, to, Q), here = moves(law, from, P);
    const own = half(law, here && here.map((move, i) => (move - there[i]) / slope));
    const drift = law.interval ? law.t * driftBetween(law, [from, P], [to, Q]) * lossAt(law, to, Q) / Math.abs(slope) : 0;
    const h = Math.hypot(own, drift);
    return { N: Math.exp(to), lower: Math.exp(to - h), upper: Math.exp(to + h) };
  }

  return { unpack, loss, predict, equivalent };
})();
