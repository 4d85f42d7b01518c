"use strict";
// Numbers as people write them, and tables of them.
const Format = (() => {
  const three = (v) => String(Number(v.toPrecision(3)));
  const SCALES = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];
  function count(v) {
    if (!Number.isFinite(v)) return Number.isNaN(v) ? "—" : "∞";
    if (v <= 0) return three(v);
    const [scale, suffix] = SCALES.find(([s]) => v >= s * 0.9995) || [1, ""];
    return three(v / scale) + suffix;
  }
  // A value of an axis: a level by its name.
  const value = (axis, v) => (axis.kind === "levels" ? axis.names[axis.codes.indexOf(v)] : count(v));
  const loss = (v) => (Number.isFinite(v) ? v.toFixed(4) : "—");
  const bytes = (v, digits = 3) => `${Number((v / 2 ** 30).toPrecision(digits))} GiB`;
  const seconds = (v, digits = 3) => (v < 1 ? `${Number((v * 1e3).toPrecision(digits))} ms` : `${Number(v.toPrecision(digits))} s`);
  const times = (v) => (v >= 1 && v < 10 ? `${v.toFixed(2)}×` : `${three(v)}×`);
  const range = (low, high, how) =>
    Number.isFinite(low) && Number.isFinite(high) ? `${how(low)} to ${how(high)}` : "not determined";
  // A size with the page's own ends: beyond them no number means anything.
  const size = ({ least, most }, v) =>
    v > most * 1.001 ? `more than ${count(most)}` : v < least * 0.999 ? `less than ${count(least)}` : count(v);
  const sizes = (axis, low, high) => {
    if (Number.isNaN(low) || Number.isNaN(high)) return "not determined";
    const [under, over] = [low < axis.least * 0.999, high > axis.most * 1.001];
    if (under && over) return "not determined";
    if (over) return `${size(axis, low)}${low > axis.most ? "" : " or more"}`;
    return under ? `${size(axis, high)} or less` : `${count(low)} to ${count(high)}`;
  };
  return { three, count, value, loss, bytes, seconds, times, range, size, sizes };
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

  // A drawn chart as rows: a column a series where they share their x, else a row a point.
  function ofChart({ x, y, series }) {
    const lines = series.filter((s) => s.table !== false), names = [...new Set(lines.map((s) => s.name))], text = y.cell ?? y.text;
    const said = (s, [, value, upper]) => (s.kind === "band" ? Format.range(value, upper, text) : text(value));
    const values = new Map(), all = lines.flatMap((s) => s.points.filter((p) => p.every(Number.isFinite)).map((p) => [s, p]));
    for (const [s, p] of all) values.set(p[0], { ...values.get(p[0]), [s.name]: said(s, p) });
    if (2 * values.size > all.length) return [["", x.label, y.label], all.map(([s, p]) => [s.name, x.text(p[0]), said(s, p)])];
    const rows = [...values.entries()].sort(([a], [b]) => a - b).map(([at, row]) => [x.text(at), ...names.map((name) => row[name] ?? "")]);
    return [[x.label, ...names], rows];
  }
  // Few rows for people: at most `most`, evenly spread.
  const thinned = (rows, most) => (rows.length <= most ? rows : Array.from({ length: most }, (_, i) => rows[Math.round(i * (rows.length - 1) / (most - 1))]));

  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  // Every series in full as comma-separated values, numbers in full.
  function csv({ x, y, series }) {
    const rows = [["series", x.label, y.label, "upper end"]];
    for (const s of series) for (const [at, value, upper] of s.points) rows.push([s.name, String(at), String(value), s.kind === "band" ? String(upper) : ""]);
    return rows.map((row) => row.map(quoted).join(",")).join("\n") + "\n";
  }

  return { fill, ofChart, thinned, csv };
})();
