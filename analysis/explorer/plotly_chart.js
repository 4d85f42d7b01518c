"use strict";
// A chart (a spec of charts.js) drawn by plotly.js in the colours of the page (CSS), and as a file.
// spec: {label, x, y, series, click}; an axis: {label, log, range, ticks, text, runs}; a series: {kind, name, points, color,
// dash, width, symbol, legend, mark, say}. kind is "band" (points [x, low, high]), "line" or "points" ([x, y]).
const Chart = (() => {
  const SYMBOLS = { up: "triangle-up", down: "triangle-down" };
  const CONFIG = { displaylogo: false, doubleClick: "reset", showTips: false, modeBarButtonsToRemove: ["toImage", "select2d", "lasso2d", "autoScale2d"] };
  const BILLIONS = Object.fromEntries(Array.from({ length: 9999 }, (_, i) => [`${i / 10}G`, `${i / 10}B`])); // plotly's own word is G
  const plain = (text) => text.replaceAll("<", "&lt;");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function trace(s, spec) {
    const points = s.points.filter((p) => p.every(Number.isFinite)), color = css(s.color);
    const said = ([a, b]) => `${s.name}: ${spec.x.text(a)}, ${spec.y.text(b)}`;
    const shown = { name: plain(s.name), showlegend: s.legend !== false, x: points.map(([a]) => a), y: points.map(([, b]) => b),
      hovertemplate: "%{customdata}<extra></extra>", customdata: points.map((p) => plain((s.say ?? said)(p))) };
    if (s.kind === "line") return { ...shown, ...marked(s, spec, points), line: { color, width: s.width ?? 2, dash: s.dash ? s.dash.replaceAll(" ", "px,") + "px" : "solid" } };
    if (s.kind === "points") return { ...shown, mode: "markers", marker: { symbol: `${SYMBOLS[s.symbol] ?? s.symbol}${s.open ? "-open" : ""}`,
      color, size: s.symbol === "star" ? 16 : 9, line: { color: s.open ? color : css("--page"), width: s.open ? 1.8 : 0.8 } } };
    const back = points.toReversed();
    return { ...shown, mode: "lines", x: [...points, ...back].map(([a]) => a), y: [...points.map(([, , high]) => high), ...back.map(([, low]) => low)],
      fill: "toself", fillcolor: color, opacity: s.opacity ?? 0.18, line: { width: 0, color }, hoverinfo: "skip", hovertemplate: null };
  }
  // A line says what it is where it enters the plot.
  function marked(s, { x, y }, points) {
    const within = ([low, high], v) => v > low && v < high, place = points.findIndex(([a, b]) => within(x.range, a) && within(y.range, b));
    if (!s.mark || place < 0) return { mode: "lines" };
    return { mode: "lines+text", text: points.map((_, i) => (i === place ? s.mark : "")), textposition: "top right", textfont: { color: css("--soft") } };
  }

  // Ticks at 1, 2, 5 times powers of ten on up to two and a half decades; plotly's own choice crowds them.
  function axis({ label, log, range, ticks }, narrow) {
    const decades = Math.log10(range[1] / range[0]), most = narrow ? 4 : 8;
    const ticking = ticks ? { tickvals: ticks.map(([v]) => v), ticktext: ticks.map(([, words]) => plain(words)) }
      : range[1] >= 1000 ? { tickformat: "~s", labelalias: BILLIONS } : log ? { tickformat: "~g" } : {};
    return { title: { text: plain(label), font: { size: 12.5 } }, nticks: log ? Math.min(Math.max(Math.floor(decades / 0.31), 3), most) : most, type: log ? "log" : "linear", range: log ? range.map(Math.log10) : range, gridcolor: css("--line"),
      zeroline: false, automargin: true, ...ticking };
  }
  // What lies outside the runs is shaded.
  function beyond({ range: [low, high], runs }, width) {
    const shade = (x0, x1, text) => ({ type: "rect", xref: "x", yref: "paper", x0, x1, y0: 0, y1: 1, layer: "below", line: { width: 0 }, fillcolor: css("--beyond"),
      label: { text, textposition: "top left", font: { color: css("--soft") } } });
    if (!runs) return [];
    const room = width * Math.log(high / runs[1]) / Math.log(high / low); // on the logarithm, as most axes are
    const edge = (x) => ({ type: "line", xref: "x", yref: "paper", x0: x, x1: x, y0: 0, y1: 1, layer: "below", line: { width: 1.2, dash: "dot", color: css("--soft") } });
    return [...(runs[0] > low ? [shade(low, runs[0], ""), edge(runs[0])] : []), ...(runs[1] < high ? [shade(runs[1], high, room > 100 ? "beyond the runs" : ""), edge(runs[1])] : [])];
  }

  function draw(element, spec) {
    const printing = document.documentElement.classList.contains("printing"); // A4 and letter are 640 px wide
    const width = printing ? 640 : Math.max(element.clientWidth, 260), narrow = width < 560;
    const named = spec.series.filter((s) => s.legend !== false).length, rows = narrow ? named : Math.ceil(named / 3);
    const layout = { width, height: (narrow ? 300 : 370) + 19 * rows, margin: { l: 10, r: 10, t: 8, b: 10 }, xaxis: axis(spec.x, narrow), yaxis: axis(spec.y, narrow),
      shapes: beyond(spec.x, width), font: { family: "system-ui, sans-serif", size: 12.5, color: css("--text") }, paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest", hoverlabel: { bgcolor: css("--page"), bordercolor: css("--soft"), font: { color: css("--text") } },
      clickanywhere: true, dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", uirevision: spec.label,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" } };
    Plotly.react(element, spec.series.map((s) => trace(s, spec)), layout, CONFIG);
    if (!element.spec) element.on("plotly_click", ({ xvals: [x], yvals: [y] }) => { if (element.spec.click) element.spec.click(x, y); });
    element.spec = spec;
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", spec.label);
  }

  // The chart as a file, on the background of the page; PNG at twice its size.
  function save(element, format, filename) {
    const { data, layout } = element, { width, height } = layout;
    return Plotly.downloadImage({ data, layout: { ...layout, paper_bgcolor: css("--page") } }, { format, filename, width, height, scale: format === "png" ? 2 : 1 });
  }

  return { draw, save };
})();
