"use strict";
// The three charts and their tables; all pure functions of (source, law, rivals, state, data).
const Charts = (() => {
  const STREAMS = [1, 2, 4, 8];
  const MARKERS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star"];
  const spaced = (low, high, count) =>
    Array.from({ length: count }, (_, i) => low * (high / low) ** (i / (count - 1)));
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Sizes drawn: the runs' range with a margin, widened to hold the point.
  function sizes(view, count) {
    const { N } = view.source.runs;
    const low = Math.min(...N, view.state.N), high = Math.max(...N, view.state.N), margin = high > 2 * low ? 1.6 : 5;
    return spaced(low / margin, high * margin, count);
  }
  const streamsOf = (view) =>
    [...new Set([...view.source.runs.P.filter((p) => STREAMS.includes(p)), ...STREAMS, view.state.P])].sort((a, b) => a - b);
  const color = (i, count) => css(`--ramp-${Math.min(Math.round((i * 4) / Math.max(count - 1, 1)), 4)}`);

  function layout(traces, x, y) {
    const named = traces.filter((t) => t.showlegend !== false).length;
    const axis = { gridcolor: css("--line"), linecolor: css("--soft"), zeroline: false, automargin: true };
    const narrow = window.innerWidth < 620;
    // Paper is narrower than a window: 640 px fit A4 and letter. The colours are then those of light mode.
    const printing = document.documentElement.classList.contains("printing");
    return {
      ...(printing ? { width: 640 } : { autosize: true }),
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", height: narrow ? 280 + 19 * named : 400,
      font: { family: "system-ui, sans-serif", size: 12, color: css("--text") }, hovermode: "closest",
      // Above the plot, where it pushes and covers nothing; on a phone one line a name.
      margin: { l: 10, r: 10, t: 8, b: 10 }, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 } },
      xaxis: { ...axis, ...x }, yaxis: { ...axis, ...y },
    };
  }
  const countTicks = (low, high) => {
    const tickvals = [], wide = Math.log10(high / low) > 3;
    for (let e = 3; e <= 13; e++)
      for (const m of wide ? [1] : [1, 2, 5]) if (m * 10 ** e >= low && m * 10 ** e <= high) tickvals.push(m * 10 ** e);
    return { tickvals, ticktext: tickvals.map(Format.count) };
  };
  // A log axis of costs labelled 0.2, 0.5, 1, 2, ... in plain digits.
  function costTicks(traces) {
    const all = traces.flatMap((t) => t.x).filter((v) => v > 0), tickvals = [];
    for (let e = -6; e < 7; e++) for (const m of [1, 2, 5]) tickvals.push(m * 10 ** e);
    const kept = tickvals.filter((v) => v >= Math.min(...all) / 1.1 && v <= Math.max(...all) * 1.1);
    const wide = kept.length > 9;
    const few = wide ? kept.filter((v) => String(v.toExponential()).startsWith("1e")) : kept;
    return { tickvals: few, ticktext: few.map((v) => String(Number(v.toPrecision(3)))) };
  }
  const sizeAxis = (Ns) => ({
    type: "log", title: { text: "non-embedding parameters N" }, ...countTicks(Ns[0], Ns[Ns.length - 1]),
    range: [Math.log10(Ns[0]), Math.log10(Ns[Ns.length - 1])],
  });
  const here = (x, y, more = {}) => ({
    x: [x], y: [y], mode: "markers", name: "the point", hoverinfo: "name",
    marker: { symbol: "star", size: 16, color: css("--accent"), line: { color: css("--page"), width: 1.5 } }, ...more,
  });

  // Loss against N, a line for each P, the runs as points, rivals dotted at the chosen P.
  function lossChart(view) {
    const Ns = sizes(view, 120), streams = streamsOf(view), { runs } = view.source;
    const traces = streams.map((P, i) => ({
      x: Ns, y: Ns.map((N) => Law.loss(view.law, N, P)), mode: "lines", name: `P = ${P}`,
      line: { color: color(i, streams.length), width: P === view.state.P ? 3 : 1.5 },
      hovertemplate: `N %{x:.3s}, P ${P}: %{y:.4f}<extra></extra>`,
    }));
    [...new Set(runs.P)].sort((a, b) => a - b).forEach((P, i) => {
      const rows = runs.P.map((p, j) => j).filter((j) => runs.P[j] === P);
      traces.push({
        x: rows.map((j) => runs.N[j]), y: rows.map((j) => runs.loss[j]), mode: "markers", showlegend: false,
        marker: { symbol: MARKERS[i % 8], size: 7, color: color(Math.max(streams.indexOf(P), 0), streams.length) },
        hovertemplate: `run: N %{x:.3s}, P ${P}, loss %{y:.4f}<extra></extra>`,
      });
    });
    view.rivals.forEach((rival, i) => traces.push({
      x: Ns, y: Ns.map((N) => Law.loss(rival, N, view.state.P)), mode: "lines", hoverinfo: "name",
      name: `${rival.title}, P = ${view.state.P}`, line: { color: css(`--rival-${i % 4}`), dash: "dot", width: 2 },
    }));
    const { loss, lower } = view.now;
    const error = Number.isFinite(lower)
      ? { error_y: { type: "constant", value: loss - lower, color: css("--accent") } } : {};
    traces.push(here(view.state.N, loss, error));
    return [traces, layout(traces, sizeAxis(Ns), { title: { text: "loss (nats per token)" } })];
  }

  // The loss over the (N, P) plane; the lines through the point join sizes of equal loss.
  function contourChart(view) {
    const Ns = sizes(view, 60), Ps = spaced(1, Math.min(Math.max(16, view.state.P * 1.15), 64), 40), { runs } = view.source;
    const over = (law) => Ps.map((P) => Ns.map((N) => Law.loss(law, N, P)));
    const level = (law, name, line) => ({
      type: "contour", x: Ns, y: Ps, z: over(law), name, showscale: false, showlegend: true, hoverinfo: "skip",
      autocontour: false, contours: { type: "constraint", operation: "=", value: view.now.loss },
      fillcolor: "rgba(0,0,0,0)", line: { width: 2.5, ...line },
    });
    const traces = [
      { type: "contour", x: Ns, y: Ps, z: over(view.law), ncontours: 22, showlegend: false,
        colorscale: "Viridis", reversescale: false, line: { width: 0.6, color: css("--page") },
        colorbar: { thickness: 10, title: { text: "loss" }, outlinewidth: 0 },
        hovertemplate: "N %{x:.3s}, P %{y:.1f}: loss %{z:.4f}<extra></extra>" },
      { x: runs.N, y: runs.P, mode: "markers", name: "runs", hoverinfo: "skip",
        marker: { size: 7, color: "white", line: { color: "#222222", width: 1 } } },
      level(view.law, `loss ${view.now.loss.toFixed(4)}`, { color: css("--accent") }),
      ...view.rivals.map((rival, i) =>
        level(rival, `the same loss by ${rival.title}`, { color: css(`--rival-${i % 4}`), dash: "dot" })),
      here(view.state.N, view.state.P),
    ];
    const ticks = [1, 2, 4, 8, 16, 32, 64];
    const y = { type: "log", title: { text: "streams P" }, tickvals: ticks, ticktext: ticks.map(String),
      range: [-0.04, Math.log10(Ps[Ps.length - 1])] };
    return [traces, layout(traces, sizeAxis(Ns), y)];
  }

  // Cost against loss as N grows, a line for each P; the diamond reaches the point's loss with P = 1.
  function costChart(view) {
    const Ns = sizes(view, 50), streams = streamsOf(view), { axis } = view.state;
    const unit = (c) => (c === null ? null : axis === "memory" ? c.memory / 2 ** 30 : c.latency);
    const traces = streams.map((P, i) => ({
      x: Ns.map((N) => unit(view.cost(N, P))), y: Ns.map((N) => Law.loss(view.law, N, P)), mode: "lines",
      name: `P = ${P}`, text: Ns.map((N) => `N ${Format.count(N)}, P ${P}`),
      hovertemplate: "%{text}: %{x:.3g}, loss %{y:.4f}<extra></extra>",
      line: { color: color(i, streams.length), width: P === view.state.P ? 3 : 1.5 },
    }));
    const mine = unit(view.cost(view.state.N, view.state.P)), other = unit(view.cost(view.dense.N, 1));
    if (view.state.P > 1 && other !== null && Number.isFinite(view.dense.N)) traces.push({
      x: [other], y: [view.now.loss], mode: "markers", name: `the same loss with ${Format.count(view.dense.N)}, P = 1`,
      marker: { symbol: "diamond-open", size: 12, color: css("--accent"), line: { width: 2 } }, hoverinfo: "name",
    });
    if (mine !== null) traces.push(here(mine, view.now.loss));
    const title = axis === "memory" ? "memory (GiB)" : "latency (s)";
    return [traces, layout(traces, { type: "log", title: { text: title }, ...costTicks(traces) }, { title: { text: "loss (nats per token)" } })];
  }

  return { STREAMS, streamsOf, lossChart, contourChart, costChart };
})();
