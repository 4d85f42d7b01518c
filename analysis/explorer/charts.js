"use strict";
// What each chart shows, as a spec for Chart.draw; all pure functions of a view (app.js).
const Charts = (() => {
  const SYMBOLS = ["circle", "square", "up", "diamond", "down", "cross"];
  const spaced = (axis, low, high, count) => {
    const [a, b] = [low, high].map((v) => Law.inner(axis, v));
    return Array.from({ length: count }, (_, i) => Law.outer(axis, a + (b - a) * i / (count - 1)));
  };
  const ramp = (i, count) => `--ramp-${count > 1 ? Math.round(i * 4 / (count - 1)) : 2}`;
  const unique = (values) => [...new Set(values)].sort((a, b) => a - b);
  const padded = (values, log, share = 0.06) => {
    const known = values.filter((v) => Number.isFinite(v) && (!log || v > 0)).map((v) => (log ? Math.log(v) : v));
    const low = Math.min(...known), high = Math.max(...known), more = (high - low || Math.abs(high) || 1) * share;
    return [low - more, high + more].map((v) => (log ? Math.exp(v) : v));
  };
  const label = (name, axis) => `${name}${axis.unit ? `, ${axis.unit}` : ""}`;

  // An axis of the law as one of a chart: the runs' range with a margin, widened to hold the point.
  function xAxis(name, axis, at, out = 1.6) {
    const low = Math.min(axis.low, at), high = Math.max(axis.high, at), room = axis.kind === "log" ? out : (high - low) * 0.1 || 1;
    const range = axis.kind === "log" ? [low / room, high * room] : [low - room, high + room];
    const within = [Math.max(range[0], axis.least), Math.min(range[1], axis.most)];
    return { label: label(name, axis), log: axis.kind === "log", range: within[0] < within[1] ? within : range,
      text: (v) => Format.value(axis, v), runs: [axis.low, axis.high] };
  }
  const lawLine = (view, name, points, more) => ({ kind: "line", name: view.source.laws[name].short, points,
    color: view.color(name), dash: view.dash(name), ...more });
  const star = (x, y, by, say) => ({ kind: "points", name: `the point${by && `, by ${by}`}`, points: [[x, y]], symbol: "star", color: "--accent", table: false, say: () => say });

  // What streams are worth at the chosen size: N_eq / N against P.
  function worth(view) {
    const { source, state, law } = view, axis = source.axes.P, { N } = state.at;
    const most = Math.min(Math.max(axis.high * 2, state.at.P), axis.most);
    const Ps = unique([...spaced(axis, 1, most, 33), ...(axis.levels || []), state.at.P]).filter((P) => P <= most);
    const cap = (v) => Math.min(v, source.axes.N.most / N);
    const of = (name, P) => Law.worth(source.laws[name], name, { ...state.at, P });
    const lines = [state.law, ...state.rivals].filter((name) => source.laws[name].axes.includes("P"));
    const series = [], both = source.worth && source.worth.together;
    const shown = lines.map((name) => Ps.map((P) => of(name, P).N / N));
    const top = Math.max(1.2, ...shown.flat().filter(Number.isFinite)) * 1.25;
    if (both) series.push({ kind: "band", name: "95% by all laws together", color: "--soft", opacity: 0.28,
      points: Ps.map((P) => { const e = Law.worthTogether(source, { ...state.at, P }); return [P, e.lower / N, cap(e.upper / N)]; }) });
    if (law.axes.includes("P") && source.worth && source.worth.laws[state.law]) series.push({ kind: "band",
      name: `95% by ${law.short}`, color: view.color(state.law), points: Ps.map((P) => { const e = of(state.law, P); return [P, e.lower / N, cap(e.upper / N)]; }) });
    lines.forEach((name, i) => series.push(lawLine(view, name, Ps.map((P, j) => [P, shown[i][j]]), { width: i ? 2 : 3 })));
    if (both) series.push({ kind: "line", name: "all laws together", color: "--text", width: 2.5, points: Ps.map((P) => [P, Law.worthTogether(source, { ...state.at, P }).estimate / N]) });
    const { multiple } = source.byPoints;
    const marks = ({ N: sizes, P: asked, multiple: times }, name, symbol, open, near, least) => {
      const points = sizes.map((size, i) => [asked[i], times[i], size]).filter(([P, , size]) => P <= most && view.near("N", size) === near);
      if (points.length) series.push({ kind: "points", name, symbol, color: "--text", open, table: false, points,
        say: ([P, m, size]) => `N ${Format.count(size)}, P ${P}: ${least}${Format.times(m)}, by the runs alone` });
    };
    marks(source.byPoints, "the runs alone, other N", "circle", true, false, "");
    marks(source.byPoints, "the runs alone, this N", "circle", false, true, "");
    marks(source.atLeast, "the runs alone, this N: at least", "up", false, true, "at least ");
    const here = (both ? Law.worthTogether(source, state.at).estimate : of(state.law, state.at.P).N) / N;
    series.push(star(state.at.P, here, both ? "all laws together" : law.short, `N ${Format.count(N)}, P ${state.at.P}: ${Format.times(here)}`));
    const ticks = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].map((v) => [v, String(v)]);
    return { label: "N_eq / N against P", series, click: (P) => ({ P }),
      x: { ...xAxis("P", axis, state.at.P), label: "streams P", range: [0.95, most * 1.06], ticks, runs: [axis.low, axis.high], text: (v) => Format.three(v) },
      y: { label: "N_eq / N", range: [Math.min(0.9, ...multiple.map((m) => m * 0.97)), Math.max(top, ...multiple.map((m) => m * 1.05))], text: (v) => Format.three(v) } };
  }

  // Loss along an axis: a line for each value of another, the runs of this slice, the laws' forecast at the point.
  function loss(view) {
    const { source, state, law, along, by } = view, axis = source.axes[along], { runs } = source;
    const x = xAxis(along, axis, state.at[along]);
    const xs = axis.kind === "levels" ? axis.codes : unique([...spaced(axis, ...x.range, 60), state.at[along]]);
    const values = by && law.axes.includes(by) ? view.levels(by) : [null], series = [];
    const at = (v, value) => ({ ...state.at, [along]: v, ...(value === null ? {} : { [by]: value }) });
    const named = (value) => (value === null ? law.short : `${by} = ${Format.value(source.axes[by], value)}`);
    series.push(...bands(view, axis, xs));
    values.forEach((value, i) => series.push({ kind: "line", name: named(value), color: ramp(i, values.length), width: value === state.at[by] || value === null ? 3 : 1.5,
      points: xs.map((v) => [v, Law.loss(law, at(v, value))]) }));
    const rest = Object.keys(source.axes).filter((name) => name !== along && name !== by);
    const near = (i) => rest.every((name) => view.near(name, runs[name][i]));
    const rows = runs.loss.map((_, i) => i).filter(near);
    for (const [i, value] of (by ? unique(rows.map((r) => runs[by][r])) : [null]).entries()) {
      const some = rows.filter((r) => value === null || runs[by][r] === value), place = Math.max(values.indexOf(value), 0);
      series.push({ kind: "points", name: value === null ? "runs" : `runs, ${by} = ${Format.value(source.axes[by], value)}`, legend: value === null,
        symbol: SYMBOLS[i % SYMBOLS.length], color: values.includes(value) ? ramp(place, values.length) : "--soft", points: some.map((r) => [runs[along][r], runs.loss[r]]),
        say: ([v, l]) => `run: ${along} ${Format.value(axis, v)}${value === null ? "" : `, ${by} ${Format.value(source.axes[by], value)}`}, loss ${Format.loss(l)}` });
    }
    for (const name of state.rivals) series.push(lawLine(view, name, xs.map((v) => [v, Law.loss(source.laws[name], at(v, null))])));
    const both = Law.together(source, state.at), now = (both ?? Law.interval(law, state.at)).loss;
    series.push(star(state.at[along], now, both ? "all laws together" : law.short, `${along} ${Format.value(axis, state.at[along])}: ${Format.loss(now)}`));
    const seen = series.filter((s) => s.kind !== "band").flatMap((s) => s.points.map(([, v]) => v));
    if (axis.kind === "levels") Object.assign(x, { range: [axis.codes[0] - 0.5, axis.codes[axis.codes.length - 1] + 0.5], ticks: axis.codes.map((c, i) => [c, axis.names[i]]), runs: null });
    return { label: `loss against ${along}`, series, x, y: { label: "loss, nats per token", range: padded(seen, false), text: (v) => Format.three(v), cell: Format.loss },
      click: axis.kind === "levels" ? null : (v) => ({ [along]: v }), shown: rows.length };
  }

  // The forecast's band within the runs and that beyond, which is made otherwise: never one shape, so the step shows.
  function bands({ source, state, along }, axis, xs) {
    const edges = axis.kind === "levels" ? [] : [axis.low, axis.high].flatMap((v) => [-1e-6, 0, 1e-6].map((d) => Law.outer(axis, Law.inner(axis, v) + d)));
    const out = (v) => Object.entries({ ...state.at, [along]: v }).some(([name, value]) => Law.outside(source.axes[name], value));
    const points = unique([...xs, ...edges.filter((v) => v >= xs[0] && v <= xs[xs.length - 1])])
      .map((v) => [v, Law.together(source, { ...state.at, [along]: v })]).filter(([, f]) => f).map(([v, f]) => [v, f.lower, f.upper]);
    const within = points.filter(([v]) => !out(v)), sides = [points.filter(([v]) => out(v) && v < axis.high), points.filter(([v]) => out(v) && v >= axis.high)];
    const beyond = sides.filter((side) => side.length).map((side, i) => ({ kind: "band", name: "the same, beyond the runs", color: "--law-1", opacity: 0.16, legend: i === 0, points: side }));
    return [...(within.length ? [{ kind: "band", name: "95% by all laws together", color: "--soft", opacity: 0.28, points: within }] : []), ...beyond];
  }

  // Lines of equal loss over two axes; the thick one goes through the point.
  function equalLoss(view) {
    const { source, state, law, along, over } = view, [a, b] = [source.axes[along], source.axes[over]];
    const x = xAxis(along, a, state.at[along]), y = xAxis(over, b, state.at[over], over === "P" ? 2 : 1.6), series = [];
    const ys = unique([...spaced(b, ...y.range, 40), state.at[over]]), xs = spaced(a, a.least, a.most, 2);
    const now = Law.loss(law, state.at);
    const corners = [0, 1].flatMap((i) => [0, 1].map((j) => Law.loss(law, { ...state.at, [along]: x.range[i], [over]: y.range[j] })));
    const [low, high] = [Math.min(...corners), Math.max(...corners)];
    const line = (of, target) => ys.map((v) => [find(of, { ...state.at, [over]: v }, along, a, target, xs), v]);
    const step = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2].find((s) => (high - low) / s <= 9) || 5;
    for (let i = Math.ceil(low / step); i * step < high; i++) {
      const target = i * step;
      series.push({ kind: "line", name: `loss ${Format.three(target)}`, legend: false, mark: Format.three(target), color: "--soft", width: 1, points: line(law, target), say: () => `loss ${target.toFixed(3)}` });
    }
    const { runs } = source;
    series.push({ kind: "points", name: "runs", symbol: "circle", color: "--text", open: true, table: false, points: runs.loss.map((_, i) => [runs[along][i], runs[over][i], i]),
      say: ([p, q, i]) => `run: ${along} ${Format.value(a, p)}, ${over} ${Format.value(b, q)}, loss ${Format.loss(runs.loss[i])}` });
    for (const name of state.rivals) if (source.laws[name].axes.includes(over)) series.push(lawLine(view, name, line(source.laws[name], Law.loss(source.laws[name], state.at)), { name: `as good as the point by ${source.laws[name].short}` }));
    series.push({ kind: "line", name: `loss ${Format.loss(now)} by ${law.short}, that of the point`, color: "--accent", width: 3.5, points: line(law, now), say: ([p, q]) => `${along} ${Format.value(a, p)}, ${over} ${Format.three(q)}: ${Format.loss(now)}` });
    series.push(star(state.at[along], state.at[over], "", "the point"));
    if (over === "P") y.ticks = [1, 2, 4, 8, 16, 32, 64, 128].map((v) => [v, String(v)]);
    return { label: `lines of equal loss over ${along} and ${over}`, series, x, y, click: (p, q) => ({ [along]: p, [over]: q }) };
  }
  // Where along an axis a law has a loss, by bisection; NaN where nowhere.
  function find(law, at, along, axis, target, [least, most]) {
    let [low, high] = [Law.inner(axis, least), Law.inner(axis, most)];
    const gap = (u) => Law.loss(law, { ...at, [along]: Law.outer(axis, u) }) - target, falls = gap(low) > gap(high);
    if (gap(low) > 0 === gap(high) > 0) return NaN;
    for (let i = 0; i < 30; i++) {
      const middle = (low + high) / 2;
      if (gap(middle) > 0 === falls) low = middle;
      else high = middle;
    }
    return Law.outer(axis, (low + high) / 2);
  }

  // Cost against loss as N grows, a line for each P; the diamond reaches the point's loss with one stream.
  function cost(view) {
    const { source, state, law } = view, { N } = source.axes, memory = state.cost.axis === "memory";
    const unit = (c) => (c === null ? NaN : memory ? c.memory / 2 ** 30 : c.latency);
    const x = xAxis("N", N, state.at.N), Ns = spaced(N, ...x.range, 40), Ps = "P" in source.axes ? view.levels("P") : [1];
    const loss = (size, P) => Law.loss(law, { ...state.at, N: size, P }), at = state.at.P ?? 1;
    const series = Ps.map((P, i) => ({ kind: "line", name: "P" in source.axes ? `P = ${P}` : "the law", color: ramp(i, Ps.length), width: P === at ? 3 : 1.5,
      points: Ns.map((size) => [unit(view.cost(size, P)), loss(size, P), size]).filter(([c]) => Number.isFinite(c)),
      say: ([c, l, size]) => `N ${Format.count(size)}, P ${P}: ${Format.three(c)} ${memory ? "GiB" : "s"}, loss ${Format.loss(l)}` }));
    const now = Law.loss(law, state.at), other = unit(view.cost(view.dense.N, 1)), mine = unit(view.cost(state.at.N, at));
    if (at > 1 && Number.isFinite(other)) series.push({ kind: "points", name: `N ${Format.count(view.dense.N)}, P = 1: the same loss`, symbol: "diamond", color: "--accent", open: true, table: false, points: [[other, now]] });
    if (Number.isFinite(mine)) series.push(star(mine, now, law.short, "the point"));
    const all = series.flatMap((s) => s.points);
    if (!all.length) return null;
    return { label: "cost against loss", series, x: { label: memory ? "memory, GiB" : "latency, s", log: true, range: padded(all.map(([c]) => c), true), text: (v) => Format.three(v) },
      y: { label: "loss, nats per token", range: padded(all.map(([, l]) => l), false), text: (v) => Format.three(v), cell: Format.loss } };
  }

  return { worth, loss, equalLoss, cost };
})();
