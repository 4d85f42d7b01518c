"use strict";
// What is on show, as one plain object; read from and written to the page's fragment.
const State = (() => {
  const SUFFIX = { "": 1, k: 1e3, m: 1e6, b: 1e9, g: 1e9, t: 1e12 };
  const NUMBER = /^\s*([+-]?(?:\d[\d,_]*)?\.?\d*(?:e[+-]?\d+)?)\s*([kmbgt]?)\s*$/i;
  const LIMITS = {
    N: [1e4, 1e12, "0.01M", "1000B"], P: [1, 64, "1", "64"], batch: [1, 4096, "1", "4096"],
    input: [1, 131072, "1", "131072"], output: [1, 131072, "1", "131072"],
  };
  const NAMES = { N: "N", P: "P", batch: "batch", input: "input tokens", output: "output tokens" };

  // A number from 2.8e9, "2.8B", "42_000" or "1,000"; NaN for anything else.
  function parseSize(text) {
    const match = NUMBER.exec(text);
    const digits = match ? match[1].replace(/[,_]/g, "") : "";
    return match && /\d/.test(digits) ? Number(digits) * SUFFIX[match[2].toLowerCase()] : NaN;
  }

  // {value} or {error}: a sentence that quotes what was typed.
  function check(name, text) {
    const [low, high, lowText, highText] = LIMITS[name], value = parseSize(text);
    if (Number.isNaN(value)) {
      const how = name === "N" ? "write 2800000000, 2.8e9 or 2.8B" : "write a whole number";
      return { error: `${NAMES[name]}: “${text}” is not a number (${how})` };
    }
    if (value < low || value > high)
      return { error: `${NAMES[name]}: ${text} is out of range; from ${lowText} to ${highText}` };
    if (name !== "N" && !Number.isInteger(value))
      return { error: `${NAMES[name]}: ${text} is not a whole number` };
    return { value };
  }

  function toFragment(state) {
    const { rivals, ...rest } = state;
    const q = new URLSearchParams(Object.entries(rest).map(([k, v]) => [k, String(v)]));
    if (rivals.length) q.set("rivals", rivals.join(","));
    return q.toString().replace(/%2C/g, ",");
  }

  // The state a fragment asks for, on top of `base`, and what in it could not be used.
  function fromFragment(fragment, base, data) {
    const q = new URLSearchParams(fragment.replace(/^#/, "")), state = { ...base }, errors = [];
    const choose = (key, known) => {
      if (!q.has(key)) return;
      if (known.includes(q.get(key))) state[key] = q.get(key);
      else errors.push(`address: ${key} “${q.get(key)}” is not on this page`);
    };
    choose("source", data.sources.map((s) => s.id));
    const laws = Object.keys(data.sources.find((s) => s.id === state.source).laws);
    if (!laws.includes(state.law)) state.law = laws[0];
    choose("law", laws);
    choose("device", Object.keys(data.devices));
    choose("axis", ["latency", "memory"]);
    for (const name of Object.keys(LIMITS)) {
      if (!q.has(name)) continue;
      const { value, error } = check(name, q.get(name));
      if (error) errors.push(`address: ${error}`);
      else state[name] = value;
    }
    const asked = q.has("rivals") ? q.get("rivals").split(",") : state.rivals;
    state.rivals = asked.filter((name) => laws.includes(name));
    return { state, errors };
  }

  return { LIMITS, NAMES, parseSize, check, toFragment, fromFragment };
})();
