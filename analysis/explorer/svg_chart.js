"use strict";
// One chart as SVG: axes, bands, lines, points, a legend, a word at the pointer. Colours are the page's own (CSS).
// spec: {label, x, y, series, click}; an axis: {label, log, range, ticks, text, runs}; a series: {kind, name, points, color,
// dash, width, symbol, legend, say}. kind is "band" (points [x, low, high]), "line" or "points" ([x, y]).
const Chart = (() => {
  const FONT = 12.5, GAP = 8, NS = "http://www.w3.org/2000/svg";
  const SYMBOLS = {
    circle: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0", square: "M-3.6-3.6h7.2v7.2h-7.2z", up: "M0-4.8 4.6 3.6h-9.2z",
    diamond: "M0-5.2 5.2 0 0 5.2-5.2 0z", down: "M0 4.8 4.6-3.6h-9.2z", cross: "M-1.5-5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z",
    star: "M0-9 2.6-2.9 9-2.6 4-1.5 5.6 7.4 0 3.8-5.6 7.4-4 1.5-9-2.6-2.6-2.9z",
  };
  const pen = document.createElement("canvas").getContext("2d");
  const wide = (text) => { pen.font = `${FONT}px system-ui, sans-serif`; return pen.measureText(text).width; };

  function node(tag, attributes, ...children) {
    const made = document.createElementNS(NS, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }
  const text = (words, x, y, more = {}) => node("text", { x, y, "font-size": FONT, style: "fill:var(--text)", ...more }, words);

  // Ticks of an axis: its own, else 1, 2, 5 times powers of ten, or tenths, at most `most`.
  function ticksOf({ log, range: [low, high], ticks, text: how }, most) {
    if (ticks) return ticks.filter(([v]) => v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9));
    let found = [];
    if (log) {
      for (const steps of [[1, 2, 5], [1, 3], [1]]) {
        found = [];
        for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) for (const m of steps) found.push(m * 10 ** e);
        found = found.filter((v) => v >= low * 0.9999 && v <= high * 1.0001);
        if (found.length <= most) break;
      }
    } else {
      const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough);
      for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(Number((i * step).toPrecision(12)));
    }
    return found.map((v) => [v, how(v)]);
  }

  // Names beside small pictures of their series, in as many rows as they need.
  function legend(series, width) {
    const group = node("g", {}), named = series.filter((s) => s.legend !== false);
    let x = 0, y = 12;
    for (const s of named) {
      const step = 30 + wide(s.name) + 14;
      if (x > 0 && x + step > width) { x = 0; y += 19; }
      group.append(mark(s, x, y), text(s.name, x + 30, y + 4));
      x += step;
    }
    return { group, height: named.length ? y + 14 : 4 };
  }
  function mark(s, x, y) {
    if (s.kind === "points") return node("path", { d: SYMBOLS[s.symbol], transform: `translate(${x + 12} ${y})`, style: filled(s) });
    if (s.kind === "band") return node("rect", { x, y: y - 5, width: 24, height: 10, style: filled(s), opacity: 0.35 });
    return node("line", { x1: x, x2: x + 24, y1: y, y2: y, style: stroked(s) });
  }
  const stroked = (s) => `fill:none;stroke:var(${s.color});stroke-width:${s.width ?? 2}${s.dash ? `;stroke-dasharray:${s.dash}` : ""}`;
  const filled = (s) => (s.open ? `fill:var(--page);stroke:var(${s.color});stroke-width:1.8` : `fill:var(${s.color});stroke:var(--page);stroke-width:.8`);

  function draw(element, spec) {
    const width = Math.max(element.clientWidth, 260), narrow = width < 560, keys = legend(spec.series, width);
    const height = keys.height + (narrow ? 300 : 370);
    const yTicks = ticksOf(spec.y, 7), left = Math.max(...yTicks.map(([, t]) => wide(t)), 10) + 30;
    const box = { x: left, y: keys.height + 4, w: width - left - 14, h: height - keys.height - 54 };
    const scale = ({ log, range }, start, length) => {
      const [a, b] = range.map((v) => (log ? Math.log(v) : v));
      const to = (v) => start + ((log ? Math.log(v) : v) - a) / (b - a) * length;
      return { to, back: (p) => { const v = a + (p - start) / length * (b - a); return log ? Math.exp(v) : v; } };
    };
    const x = scale(spec.x, box.x, box.w), y = scale(spec.y, box.y + box.h, -box.h);
    const svg = node("svg", { xmlns: NS, width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": spec.label, "font-family": "system-ui, sans-serif" });
    const clip = `clip-${element.id}`, plot = node("g", { "clip-path": `url(#${clip})` });
    svg.append(node("defs", {}, node("clipPath", { id: clip }, node("rect", { x: box.x, y: box.y, width: box.w, height: box.h }))), keys.group);
    frame(svg, spec, box, x, y, yTicks);
    for (const s of spec.series) plot.append(...shapes(s, x, y), ...told(s, box, x, y));
    svg.append(plot);
    element.replaceChildren(svg);
    listen(svg, spec, box, x, y);
  }

  function frame(svg, { x: xAxis, y: yAxis }, box, x, y, yTicks) {
    const grid = "stroke:var(--line);stroke-width:1", bottom = box.y + box.h;
    if (xAxis.runs) { // what lies outside the runs is shaded
      const [low, high] = xAxis.runs.map((v) => Math.min(Math.max(x.to(v), box.x), box.x + box.w));
      for (const [from, to] of [[box.x, low], [high, box.x + box.w]])
        if (to - from > 1) svg.append(node("rect", { x: from, y: box.y, width: to - from, height: box.h, style: "fill:var(--beyond)" }));
      const room = box.x + box.w - high;
      if (room > 100) svg.append(text("beyond the runs", high + 6, box.y + 15, { style: "fill:var(--soft)" }));
    }
    let last = -Infinity;
    for (const [v, words] of ticksOf(xAxis, Math.max(Math.floor(box.w / 70), 3))) {
      const at = x.to(v), half = wide(words) / 2;
      svg.append(node("line", { x1: at, x2: at, y1: box.y, y2: bottom, style: grid }));
      if (at - half < last + 6) continue;
      svg.append(text(words, at, bottom + 18, { "text-anchor": "middle" }));
      last = at + half;
    }
    for (const [v, words] of yTicks) {
      svg.append(node("line", { x1: box.x, x2: box.x + box.w, y1: y.to(v), y2: y.to(v), style: grid }));
      svg.append(text(words, box.x - GAP, y.to(v) + 4, { "text-anchor": "end" }));
    }
    svg.append(text(xAxis.label, box.x + box.w / 2, bottom + 40, { "text-anchor": "middle" }),
      text(yAxis.label, 0, 0, { "text-anchor": "middle", transform: `translate(13 ${box.y + box.h / 2}) rotate(-90)` }));
  }

  function shapes(s, x, y) {
    const known = s.points.filter((p) => p.every((v) => Number.isFinite(v)));
    const path = (points) => points.map(([a, b], i) => `${i ? "L" : "M"}${x.to(a).toFixed(1)} ${y.to(b).toFixed(1)}`).join("");
    if (!known.length) return [];
    if (s.kind === "band") {
      const back = known.map(([a, low]) => [a, low]).reverse();
      return [node("path", { d: `${path(known.map(([a, , high]) => [a, high]))}L${path(back).slice(1)}Z`, style: `fill:var(${s.color});stroke:none`, opacity: s.opacity ?? 0.18 })];
    }
    if (s.kind === "line") return [node("path", { d: path(known), style: stroked(s), "stroke-linejoin": "round" })];
    return known.map(([a, b]) => node("path", { d: SYMBOLS[s.symbol], transform: `translate(${x.to(a).toFixed(1)} ${y.to(b).toFixed(1)})`, style: filled(s) }));
  }

  // What a line says of itself, where it leaves the plot.
  function told(s, box, x, y) {
    if (!s.mark) return [];
    const seen = s.points.map(([a, b]) => [x.to(a), y.to(b)]).filter(([a, b]) => a > box.x + 4 && a < box.x + box.w - 44 && b > box.y + 14 && b < box.y + box.h - 6);
    return seen.length ? [text(s.mark, seen[0][0] + 5, seen[0][1] - 3, { style: "fill:var(--soft)" })] : [];
  }

  // A word at the nearest point of any series, and a click that hands over where it was.
  function listen(svg, spec, box, x, y) {
    const all = spec.series.filter((s) => s.kind !== "band").flatMap((s) => s.points.filter(([a, b]) => Number.isFinite(a) && Number.isFinite(b)).map((p) => [x.to(p[0]), y.to(p[1]), s, p]));
    const tip = node("g", { visibility: "hidden", "pointer-events": "none" });
    svg.append(tip);
    const spot = ({ clientX, clientY }) => {
      const frame = svg.getBoundingClientRect();
      return [clientX - frame.left, clientY - frame.top];
    };
    const within = ([a, b]) => a >= box.x && a <= box.x + box.w && b >= box.y && b <= box.y + box.h;
    svg.addEventListener("pointermove", (event) => {
      const [a, b] = spot(event);
      let best = null, least = 30 ** 2;
      if (within([a, b])) for (const one of all) {
        const far = (one[0] - a) ** 2 + (one[1] - b) ** 2 - (one[2].kind === "points" ? 60 : 0);
        if (far < least && within(one)) { least = far; best = one; }
      }
      tip.setAttribute("visibility", best ? "visible" : "hidden");
      if (!best) return;
      const words = best[2].say ? best[2].say(best[3]) : `${best[2].name}: ${spec.x.text(best[3][0])}, ${spec.y.text(best[3][1])}`;
      const room = wide(words) + 14, start = Math.min(Math.max(best[0] - room / 2, 2), svg.width.baseVal.value - room - 2);
      const top = best[1] > box.y + 34 ? best[1] - 34 : best[1] + 12;
      tip.replaceChildren(node("circle", { cx: best[0], cy: best[1], r: 5, style: "fill:none;stroke:var(--text);stroke-width:1.5" }),
        node("rect", { x: start, y: top, width: room, height: 23, rx: 4, style: "fill:var(--page);stroke:var(--soft)" }),
        text(words, start + 7, top + 16));
    });
    svg.addEventListener("pointerleave", () => tip.setAttribute("visibility", "hidden"));
    if (!spec.click) return;
    svg.style.cursor = "crosshair";
    svg.addEventListener("click", (event) => {
      const at = spot(event);
      if (within(at)) spec.click(x.back(at[0]), y.back(at[1]));
    });
  }

  // The chart as a file of its own: every colour written out, on the page's background.
  function svgText(element) {
    const source = element.querySelector("svg"), copy = source.cloneNode(true);
    const from = source.querySelectorAll("*"), to = copy.querySelectorAll("*");
    from.forEach((one, i) => {
      const style = getComputedStyle(one);
      if (one.hasAttribute("style")) for (const name of ["fill", "stroke", "stroke-width", "stroke-dasharray"]) to[i].setAttribute(name, style.getPropertyValue(name));
      to[i].removeAttribute("style");
    });
    const { width, height } = source.viewBox.baseVal;
    copy.removeAttribute("style");
    copy.prepend(node("rect", { width, height, fill: getComputedStyle(document.documentElement).getPropertyValue("--page").trim() }));
    return new XMLSerializer().serializeToString(copy);
  }

  return { draw, svgText };
})();
