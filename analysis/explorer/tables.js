"use strict";
// Numbers as people write them, and the charts as tables.
const Format = (() => {
  const three = (v) => String(Number(v.toPrecision(3)));
  const SCALES = [[1e9, "B"], [1e6, "M"], [1e3, "k"]];
  function count(v) {
    if (!Number.isFinite(v)) return Number.isNaN(v) ? "—" : "none below 10¹⁵";
    const [scale, suffix] = SCALES.find(([s]) => v >= s * 0.9995) || [1, ""];
    return three(v / scale) + suffix;
  }
  const loss = (v) => (Number.isFinite(v) ? v.toFixed(4) : "—");
  const bytes = (v) => `${three(v / 2 ** 30)} GiB`;
  const seconds = (v) => (v < 1 ? `${three(v * 1e3)} ms` : `${three(v)} s`);
  const times = (v) => `${three(v)}×`;
  const range = (low, high, how) =>
    Number.isFinite(low) && Number.isFinite(high) ? `${how(low)} to ${how(high)}` : "not determined";
  return { count, loss, bytes, seconds, times, range };
})();

const Tables = (() => {
  // Replaces a table's content; every cell is text, never markup.
  function fill(table, caption, head, rows) {
    const cell = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
    const line = (cells) => {
      const row = document.createElement("tr");
      row.append(...cells);
      return row;
    };
    const body = document.createElement("tbody"), top = document.createElement("thead");
    top.append(line(head.map((text) => Object.assign(cell("th", text), { scope: "col" }))));
    body.append(...rows.map(([first, ...rest]) =>
      line([Object.assign(cell("th", first), { scope: "row" }), ...rest.map((text) => cell("td", text))])));
    table.replaceChildren(cell("caption", caption), top, body);
  }

  function loss(table, view) {
    const { runs } = view.source, order = runs.N.map((_, i) => i);
    order.sort((a, b) => runs.P[a] - runs.P[b] || runs.N[a] - runs.N[b]);
    const laws = [view.law, ...view.rivals];
    fill(table, "Every run, and what each law switched on says of it.",
      ["N", "P", "loss of the run", ...laws.map((law) => law.title)],
      order.map((i) => [Format.count(runs.N[i]), String(runs.P[i]), Format.loss(runs.loss[i]),
        ...laws.map((law) => Format.loss(Law.loss(law, runs.N[i], runs.P[i])))]));
  }

  const ladder = (view) => {
    const N = [...view.source.runs.N], low = Math.min(...N), high = Math.max(...N);
    const steps = Array.from({ length: 6 }, (_, i) => low * (high / low) ** (i / 5));
    return [...steps, view.state.N].sort((a, b) => a - b);
  };

  function contour(table, view) {
    const streams = Charts.streamsOf(view);
    fill(table, `Predicted loss by ${view.law.title}.`, ["N", ...streams.map((P) => `P = ${P}`)],
      ladder(view).map((N) => [Format.count(N), ...streams.map((P) => Format.loss(Law.loss(view.law, N, P)))]));
  }

  function cost(table, view) {
    const streams = Charts.streamsOf(view), rows = [];
    for (const P of streams) for (const N of ladder(view)) {
      const found = view.cost(N, P);
      rows.push([Format.count(N), String(P), Format.loss(Law.loss(view.law, N, P)),
        found ? Format.bytes(found.memory) : "—", found ? Format.seconds(found.latency) : "—"]);
    }
    fill(table, "Cost of one batch under the cost model.", ["N", "P", "predicted loss", "memory", "latency"], rows);
  }

  return { fill, loss, contour, cost };
})();
