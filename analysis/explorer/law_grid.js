"use strict";
// A law as numbers on a grid of ln N and P (law_grid.py): its loss, and its sensitivities, whose squares
// sum to the loss's variance. Between grid points: the polynomial through the nearest 6 x 6.
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
  function at(values, { N, P }) {
    let sum = 0;
    for (let i = 0; i < P.w.length; i++) {
      if (P.w[i] === 0) continue;
      const start = (P.first + i) * logN.length + N.first;
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

  // Predicted loss with the interval of the law's mean and of one more run.
  function predict(law, N, P) {
    const value = loss(law, N, P), h = half(law, moves(law, Math.log(N), P));
    const run = Math.hypot(h, law.t * law.noise * (law.log ? value : 1));
    const low = (width) => Math.max(value - width, 0);
    return { loss: value, lower: low(h), upper: value + h, newLower: low(run), newUpper: value + run };
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

  // The size at Q streams with the loss of (N, P), its interval formed on the logarithm.
  function equivalent(law, N, P, Q) {
    if (P === Q || !law.streams) return { N, lower: N, upper: N };
    const from = Math.log(N), to = sizeFor(law, lossAt(law, from, P), Q), step = 1e-3;
    if (!Number.isFinite(to)) return { N: Math.exp(to), lower: NaN, upper: NaN };
    const slope = (lossAt(law, to + step, Q) - lossAt(law, to - step, Q)) / (2 * step);
    const there = moves(law, to, Q), here = moves(law, from, P);
    const h = half(law, here && here.map((move, i) => (move - there[i]) / slope));
    return { N: Math.exp(to), lower: Math.exp(to - h), upper: Math.exp(to + h) };
  }

  return { unpack, loss, predict, equivalent };
})();
