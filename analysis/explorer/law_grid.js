"use strict";
// Laws as numbers on grids of their axes (law_grid.py, interval_grid.py, worth_grid.py): read between the nodes.
// A point `at` is an object of axis values; a grid is {axes, nodes}, nodes an array of parts for each axis.
const Law = (() => {
  const NEAR = 6, CUBIC = 4;
  let sources = [];

  const floats = (text, Kind) => new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const read32 = (of, names) => { for (const name of names) if (of && of[name] !== undefined) of[name] = floats(of[name], Float32Array); };

  // Reads the numbers of every law; called once, before anything is asked.
  function unpack(data) {
    sources = data.sources;
    for (const source of sources) {
      for (const law of Object.values(source.laws)) {
        law.source = source;
        law.values = floats(law.loss, Float64Array);
        read32(law.interval, ["lower", "upper", "farLower", "farUpper", "why"]);
      }
      read32(source.pool.forecast, ["lower", "loss", "upper"]);
      if (!source.worth) continue;
      for (const one of [...Object.values(source.worth.laws), source.worth.together]) read32(one, ["estimate", "lower", "upper"]);
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
    const nearest = along.map(({ first, w, size }) => ({ first: first + w.indexOf(Math.max(...w)), w: [1], size }));
    const why = sum(own.why, nearest);
    return { ...found, lower: Math.min(found.lower, Math.exp(sum(own.farLower, along))),
      upper: Math.max(found.upper, Math.exp(sum(own.farUpper, along))), beyond: own.said[why < 0 ? own.said.length - 1 : why] };
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
  function ends(source, own, at) {
    if (!own) return { lower: NaN, upper: NaN };
    const along = place(source.axes, ["N", "P"], source.worth.nodes, at, CUBIC);
    const [estimate, lower, upper] = ["estimate", "lower", "upper"].map((name) => at.N * Math.exp(sum(own[name], along)));
    const open = (end, otherwise) => (Number.isFinite(end) && end > 0 ? end : otherwise); // nodes beside it may be
    return { estimate: open(estimate, Infinity), lower: open(lower, 0), upper: open(upper, Infinity) };
  }

  return { unpack, inner, outer, loss, interval, together, worth, worthTogether };
})();
