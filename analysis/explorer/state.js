"use strict";
// What is on show, as one plain object; read from and written to the page's fragment.
// {source, law, rivals, at: {axis: value}, cost: {device, batch, input, output, axis}}
const State = (() => {
  const SUFFIX = { "": 1, k: 1e3, m: 1e6, b: 1e9, g: 1e9, t: 1e12 };
  const NUMBER = /^\s*([+-]?[\d.,_]+(?:e[+-]?\d+)?)\s*([kmbgt]?)\s*$/i;
  const WORK = { batch: 4096, input: 131072, output: 131072 };
  const NAMES = { batch: "batch", input: "tokens in", output: "tokens out" };

  // A number from 2.8e9, "2.8B", "42_000", "1,000" or, with a decimal comma, "1,5B"; NaN for anything else.
  function parseSize(text) {
    const match = NUMBER.exec(text);
    if (!match) return NaN;
    let digits = match[1];
    if (/^[+-]?\d{1,3}([,_]\d{3})+(\.\d*)?(e[+-]?\d+)?$/i.test(digits)) digits = digits.replace(/[,_]/g, "");
    else if (/^[+-]?\d+(_\d+)+(\.\d*)?$/.test(digits)) digits = digits.replace(/_/g, "");
    else if (/^[+-]?\d+,\d+(e[+-]?\d+)?$/i.test(digits)) digits = digits.replace(",", ".");
    return /[,_]/.test(digits) ? NaN : Number(digits) * SUFFIX[match[2].toLowerCase()];
  }

  // {value} or {error}: a sentence that quotes what was typed.
  function check(name, text, { least, most, whole }, how) {
    const value = parseSize(text);
    if (Number.isNaN(value)) return { error: `${name}: “${text}” is not a number (write ${how})` };
    const slack = 1e-3; // bounds are printed to three digits, and may be typed so
    if (value < least - Math.abs(least) * slack || value > most + Math.abs(most) * slack)
      return { error: `${name}: ${text.trim()} is out of range; from ${Format.count(least)} to ${Format.count(most)}` };
    if (whole && !Number.isInteger(value)) return { error: `${name}: ${text.trim()} is not a whole number` };
    return { value: Math.min(Math.max(value, least), most) };
  }
  const checkAxis = (name, axis, text) =>
    check(name, text, axis, axis.whole ? "a whole number" : axis.most >= 1e6 ? "2800000000, 2.8e9 or 2.8B" : "such as 0.003 or 3e-3");
  const checkWork = (name, text) => check(NAMES[name], text, { least: 1, most: WORK[name], whole: true }, "a whole number");

  function toFragment({ source, law, rivals, at, cost, along }) {
    const q = new URLSearchParams({ source, law, ...(along ? { along } : {}) });
    for (const [name, value] of Object.entries(at)) q.set(name, String(value));
    q.set("rivals", rivals.join(","));
    q.set("cost", [cost.device, cost.batch, cost.input, cost.output, cost.axis].join(","));
    return q.toString().replace(/%2C/g, ",");
  }

  // The state of a source before anything was chosen.
  function first(source, cost) {
    return { source: source.id, law: source.start, rivals: source.rivals, at: { ...source.example }, cost };
  }

  // The state a fragment asks for, and what in it could not be used.
  function fromFragment(fragment, data, cost) {
    const q = new URLSearchParams(fragment.replace(/^#/, "")), errors = [];
    const one = (key, known, otherwise) => {
      if (!q.has(key) || known.includes(q.get(key))) return q.get(key) ?? otherwise;
      errors.push(`address: ${key} “${q.get(key)}” is not on this page`);
      return otherwise;
    };
    const id = one("source", data.sources.map((s) => s.id), data.sources[0].id);
    const source = data.sources.find((s) => s.id === id), state = first(source, { ...cost });
    state.law = one("law", Object.keys(source.laws), source.start);
    if (q.has("rivals")) state.rivals = q.get("rivals").split(",").filter((name) => name in source.laws && name !== state.law);
    if (q.get("along") in source.axes) state.along = q.get("along");
    for (const [name, axis] of Object.entries(source.axes)) {
      if (!q.has(name)) continue;
      const found = axis.kind === "levels"
        ? (axis.codes.includes(Number(q.get(name))) ? { value: Number(q.get(name)) } : { error: `${name}: “${q.get(name)}” is none of ${axis.names.join(", ")}` })
        : checkAxis(name, axis, q.get(name));
      if (found.error) errors.push(`address: ${found.error}`);
      else state.at[name] = found.value;
    }
    const [device, ...rest] = (q.get("cost") ?? "").split(",");
    if (device in data.devices) state.cost.device = device;
    ["batch", "input", "output"].forEach((name, i) => {
      const { value } = checkWork(name, rest[i] ?? "");
      if (value) state.cost[name] = value;
    });
    if (["latency", "memory"].includes(rest[3])) state.cost.axis = rest[3];
    return { state, errors };
  }

  return { parseSize, checkAxis, checkWork, first, toFragment, fromFragment };
})();
