"use strict";
// Laws as numbers on grids of their axes (law_grid.py, interval_grid.py, worth_grid.py): read between the nodes.
// A point `at` is an object of axis values; a grid is {axes, nodes}, nodes an array of parts for each axis.
const Law = (() => {
  const NEAR = 6, CUBIC = 4;
  let sources = [];

  const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const read = (of, names) => { for (const name of names) if (of && of[name] !== undefined) of[name] = floats(of[name]); };

  // Reads the numbers of every law; called once, before anything is asked.
  function unpack(data) {
    sources = data.sources;
    for (const source of sources) {
      for (const law of Object.values(source.laws)) {
        law.source = source;
        law.values = floats(law.loss);
        read(law.interval, ["lower", "upper", "centre", "scale"]);
        for (const way of law.interval?.ways ?? []) read(way, ["change"]);
      }
      read(source.pool.forecast, ["lower", "loss", "upper"]);
      if (!source.worth) continue;
      for (const one of [...Object.values(source.worth.laws), source.worth.together]) read(one, ["lower", "share", "above"]);
    }
  }

  // A value on the scale on which an axis is interpolated, and back.
  const inner = (axis, v) => (axis.kind === "log" ? Math.log(v) : axis.kind === "levels" ? axis.codes.indexOf(v) : v);
  const outer = (axis, u) => (axis.kind === "log" ? Math.exp(u) : axis.kind === "levels" ? axis.codes[u] : u);

  // Among the parts of an axis: the first node used, and the weight of each; no part reaches into another.
  function weights(parts, x, most) {
    let start = 0, place = 0;
    while (place < parts.length - 1 && x > parts[place][parts[place].length - 1]) start += parts[place++].length;
    const nodes = parts[place], count = Math.min(most, nodes.length);
    const above = nodes.findIndex((node) => node > x), middle = (above < 0 ? nodes.length : above) - (count >> 1);
    const first = Math.min(Math.max(middle, 0), nodes.length - count), near = nodes.slice(first, first + count);
    const w = near.map((a, i) => near.reduce((product, b, j) => (i === j ? product : product * (x - b) / (a - b)), 1));
    return { first: start + first, w };
  }
  // A place on a grid: weights along each axis, and how many nodes each has.
  function place(axes, names, nodes, at, most) {
    return names.map((name) => ({ ...weights(nodes[name], inner(axes[name], at[name]), most),
      size: nodes[name].reduce((sum, part) => sum + part.length, 0) }));
  }
  function sum(values, along, depth = 0, start = 0) {
    const { first, w, size } = along[depth];
    let total = 0;
    for (let i = 0; i < w.length; i++) {
      if (w[i] === 0) continue;
      const node = start * size + first + i;
      total += w[i] * (depth === along.length - 1 ? values[node] : sum(values, along, depth + 1, node));
    }
    return total;
  }

  // Whether a value lies outside the runs.
  const outside = ({ kind, low, high }, v) => kind !== "levels" && !(v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9));
  const loss = (law, at) => sum(law.values, place(law.source.axes, law.axes, law.nodes, at, NEAR));

  // Whether a point lies in the hull of the runs, which has a measure where all axes are positive.
  function inside(law, at) {
    const x = law.axes.map((name) => Math.log(at[name])), { hull, near } = law.interval;
    return !hull || hull.every((side) => x.reduce((total, v, i) => total + side[i] * v, side[x.length]) <= near);
  }
  // The interval of one more run by one law, and what widens it beyond the runs.
  function interval(law, at) {
    const own = law.interval, value = loss(law, at);
    if (!own) return { loss: value, lower: NaN, upper: NaN, beyond: "" };
    const along = place(law.source.axes, law.axes, own.nodes, at, CUBIC);
    const [below, above] = [sum(own.lower, along), sum(own.upper, along)].map((step) => (Number.isFinite(step) ? step : NaN)); // an end is open
    const found = { loss: value, lower: Math.max(value - below, 0), upper: value + above, beyond: "" };
    if (!Number.isFinite(found.lower) || inside(law, at)) return found;
    const { lower, upper, said } = alone(own, along);
    return { ...found, lower: Math.min(found.lower, lower), upper: Math.max(found.upper, upper), beyond: said };
  }
  // The forecast of one law alone (scaling.forecasting.widened): the way out with the largest change counts.
  function alone({ centre, scale, ways, ratios, said }, along) {
    const middle = sum(centre, along), spread = Math.exp(sum(scale, along));
    const changes = ways.map((way) => Math.abs(sum(way.change, along))), most = Math.max(0, ...changes), way = ways[changes.indexOf(most)];
    const { first, w } = weights([ratios], Math.min(Math.asinh(most / spread), ratios[ratios.length - 1]), CUBIC);
    const half = w.reduce((total, x, i) => total + x * (way ?? ways[0]).half[first + i], 0) * Math.hypot(spread, most);
    return { lower: Math.exp(middle - half), upper: Math.exp(middle + half), said: most > 0 ? way.said : said };
  }

  // The forecast of the laws together; null where there is none.
  function together(source, at) {
    const { forecast } = source.pool;
    if (!forecast) return null;
    const along = place(source.axes, forecast.axes, forecast.nodes, at, CUBIC);
    const [lower, value, upper] = ["lower", "loss", "upper"].map((name) => Math.exp(sum(forecast[name], along)));
    return { lower, loss: value, upper };
  }

  // The size that has a loss at Q streams: Infinity beyond the page's sizes, 0 below them.
  function sizeFor(law, target, at) {
    const axis = law.source.axes.N, here = (u) => loss(law, { ...at, N: Math.exp(u) });
    let low = Math.log(axis.least), high = Math.log(axis.most);
    if (here(high) > target) return Infinity;
    if (here(low) < target) return 0;
    for (let i = 0; i < 50; i++) {
      const middle = (low + high) / 2;
      if (here(middle) > target) low = middle;
      else high = middle;
    }
    return Math.exp((low + high) / 2);
  }
  // The one-stream size with the loss of a point by a law, with its interval; open ends are Infinity and 0.
  function worth(law, name, at) {
    const { worth: told } = law.source, own = told && told.laws[name];
    const N = at.P === 1 || !law.axes.includes("P") ? at.N : sizeFor(law, loss(law, at), { ...at, P: 1 });
    return { N, ...ends(law.source, own, at) };
  }
  function worthTogether(source, at) {
    const own = source.worth && source.worth.together;
    return own ? ends(source, own, at) : null;
  }
  // The upper end as a share (worth_grid.py), so that it may be open; below its first P a distance goes with ln P.
  function ends(source, own, at) {
    if (!own) return { lower: NaN, upper: NaN };
    const { nodes } = source.worth, P = Math.max(at.P, Math.exp(nodes.P[0][0])), some = Math.log(at.P) / Math.log(P);
    if (!some) return { estimate: at.N, lower: at.N, upper: at.N };
    const along = place(source.axes, ["N", "P"], nodes, { ...at, P }, CUBIC), below = sum(own.lower, along);
    const [centre, above] = ["share", "above"].map((name) => -some * Math.log(Math.max(sum(own[name], along), 0)));
    return { estimate: at.N * Math.exp(centre), lower: Number.isFinite(below) ? at.N * Math.exp(some * below) : 0, upper: at.N * Math.exp(centre + above) };
  }

  return { unpack, inner, outer, outside, loss, interval, together, worth, worthTogether };
})();
