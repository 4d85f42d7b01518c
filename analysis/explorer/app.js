"use strict";
// The page: controls to state, state to numbers, charts, tables and the address.
const App = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  Law.unpack(data);
  const $ = (id) => document.getElementById(id);
  const WORK = ["batch", "input", "output"];
  const FREE = { device: Object.keys(data.devices)[0], batch: 1, input: 512, output: 512, axis: "latency" };
  const DASHES = ["7 4", "2 3", "9 3 2 3", "12 4", "4 4", "1 4", "14 3 2 3 2 3", "5 2"];
  const faults = new Map(); // what was refused, by box
  let state = State.first(data.sources[0], { ...FREE }), drawn = "", pending = false, whole = false;
  const charts = {}, stale = new Set(); // what is drawn, and what of it is out of date

  const sourceOf = (id) => data.sources.find((s) => s.id === id);
  const streams = (source) => "P" in source.axes && "N" in source.axes;

  // All that the answers, charts and tables are made from.
  function view() {
    const source = sourceOf(state.source), law = source.laws[state.law], names = Object.keys(source.laws), axes = Object.keys(source.axes);
    const work = { batch: state.cost.batch, input: state.cost.input, output: state.cost.output }, device = data.devices[state.cost.device];
    const smooth = axes.filter((name) => source.axes[name].kind !== "levels");
    const along = state.along in source.axes ? state.along : smooth[0] ?? axes[0];
    const few = axes.filter((name) => name !== along).sort((a, b) => (source.axes[b].kind === "levels") - (source.axes[a].kind === "levels"));
    const by = few.includes("P") ? "P" : few[0] ?? null, over = smooth.includes("P") && along !== "P" ? "P" : smooth.find((name) => name !== along);
    return { source, law, state, device, along, by, over, axes,
      color: (name) => `--law-${names.indexOf(name) % 8}`,
      dash: (name) => (name === state.law ? "" : DASHES[names.indexOf(name) % 8]),
      levels: (name) => levels(source.axes[name], state.at[name], name),
      near: (name, v) => { const axis = source.axes[name]; return axis.kind === "levels" ? v === state.at[name] : Math.abs(Law.inner(axis, v) - Law.inner(axis, state.at[name])) < 0.1; },
      cost: (N, P) => (Number.isFinite(N) && N > 0 ? Cost.estimate(N, P, work, device, data.model) : null),
      now: Law.interval(law, state.at), both: Law.together(source, state.at),
      dense: streams(source) ? Law.worth(law, state.law, state.at) : { N: state.at.N } };
  }
  // Values of an axis that get a line each: those that were run, where they are few, and the chosen one.
  function levels(axis, chosen, name) {
    if (axis.kind === "levels") { // a line each is too many of many
      const { codes } = axis, some = codes.length <= 7 ? codes : [0, 1, 2, 3, 4, 5].map((i) => codes[Math.round(i * (codes.length - 1) / 5)]);
      return codes.filter((c) => some.includes(c) || c === chosen);
    }
    const even = axis.levels.length ? axis.levels : [0, 1, 2, 3].map((i) => Law.outer(axis, Law.inner(axis, axis.low) + (Law.inner(axis, axis.high) - Law.inner(axis, axis.low)) * i / 3));
    return [...new Set([...(name === "P" ? even.filter((v) => v <= 64) : even), chosen])].sort((a, b) => a - b);
  }

  // ---- controls -----------------------------------------------------------------------------
  function options(select, entries, chosen) {
    select.replaceChildren(...entries.map(([value, text]) => new Option(text, value, false, String(value) === String(chosen))));
  }
  const make = (tag, more, ...children) => { const one = Object.assign(document.createElement(tag), more); one.append(...children); return one; };

  // Whole values of an axis that its slider stops at: evenly spread on a log scale.
  function stops({ least, most }) {
    const found = Array.from({ length: 25 }, (_, i) => Math.round(least * (most / least) ** (i / 24)));
    return [...new Set(found)];
  }
  // A slider's place and an axis' value: half of the way is the range that was run.
  function scale(axis) {
    if (axis.whole && axis.kind === "log") {
      const all = stops(axis), at = (v) => all.reduce((best, one, i) => (Math.abs(Math.log(one / v)) < Math.abs(Math.log(all[best] / v)) ? i : best), 0);
      return { most: all.length - 1, place: at, value: (p) => all[p] };
    }
    const u = [axis.least, axis.low, axis.high, axis.most].map((v) => Law.inner(axis, v));
    const cut = axis.low === axis.high ? [0, 400, 400, 1000] : [0, u[1] > u[0] ? 220 : 0, u[3] > u[2] ? 740 : 1000, 1000];
    const between = (x, from, to) => {
      const i = [0, 1, 2].find((k) => to[k + 1] > to[k] && from[k + 1] > from[k] && x <= from[k + 1]) ?? 2;
      return to[i] + (x - from[i]) / (from[i + 1] - from[i] || 1) * (to[i + 1] - to[i]);
    };
    return { most: 1000, place: (v) => Math.round(between(Law.inner(axis, v), u, cut)), value: (p) => Number(Law.outer(axis, between(p, cut, u)).toPrecision(3)) };
  }

  function axisControl(name, axis) {
    const label = make("label", { className: "name", htmlFor: `at-${name}` }, make("b", {}, name), axis.unit ? `, ${axis.unit}` : "");
    if (axis.kind === "levels") {
      const select = make("select", { id: `at-${name}` });
      options(select, axis.codes.map((c, i) => [c, axis.names[i]]), state.at[name]);
      select.addEventListener("change", () => set({ at: { [name]: Number(select.value) } }));
      return make("div", {}, label, select);
    }
    const box = make("input", { id: `at-${name}`, type: "text", autocomplete: "off", spellcheck: false });
    box.setAttribute("aria-describedby", "message");
    box.addEventListener("change", () => typed(name, box, (text) => State.checkAxis(name, axis, text), (value) => ({ at: { [name]: value } })));
    const { most, place, value } = scale(axis), slider = make("input", { id: `slide-${name}`, type: "range", min: 0, max: most, step: 1, className: "noprint" });
    slider.setAttribute("aria-label", `${name}, by slider`);
    slider.addEventListener("input", () => { settle(box); set({ at: { [name]: value(Number(slider.value)) } }); });
    const [from, to] = [axis.low, axis.high].map((v) => 100 * place(v) / most), runs = make("i", {});
    Object.assign(runs.style, { left: `${from}%`, width: `${Math.max(to - from, 1.5)}%` });
    const what = { N: " parameters", P: " streams" }[name] ?? "", ends = [axis.low, axis.high].map(Format.count);
    const said = `The runs have ${axis.low === axis.high ? ends[0] : ends.join(" to ")}${what}.`;
    return make("div", {}, make("div", { className: "label-row" }, label, make("span", { className: "soft" }, said)),
      make("div", { className: "pair" }, make("div", { className: "track noprint" }, slider, make("div", { className: "ran" }, runs)), box));
  }

  function controls(source) {
    options($("source"), data.sources.map((s) => [s.id, s.title]), state.source);
    $("source-row").hidden = data.sources.length < 2;
    options($("device"), Object.entries(data.devices).map(([k, d]) => [k, d.name]), state.cost.device);
    $("axes").replaceChildren(...Object.entries(source.axes).map(([name, axis]) => axisControl(name, axis)));
    options($("along"), Object.keys(source.axes).map((name) => [name, name]), view().along);
    document.querySelectorAll(".verdict").forEach((one) => { one.hidden = one.dataset.source !== state.source; });
  }
  function lawControls(source) {
    const laws = Object.entries(source.laws), weight = source.pool.weights, v = view();
    const share = (name) => (name in weight ? ` (${weight[name] < 0.005 ? "<1" : Math.round(100 * weight[name])}%)` : "");
    const titled = (name, { title, short }) => short + share(name) + title.slice(short.length);
    options($("law"), laws.map(([name, law]) => [name, titled(name, law)]), state.law);
    $("rivals").replaceChildren(...laws.filter(([name]) => name !== state.law).map(([name, law]) => {
      const box = make("input", { type: "checkbox", value: name, checked: state.rivals.includes(name) });
      box.addEventListener("change", () => set({ rivals: state.rivals.filter((r) => r !== name).concat(box.checked ? [name] : []) }));
      const swatch = make("i", { className: "swatch" });
      swatch.style.borderTopColor = `var(${v.color(name)})`;
      return make("label", {}, box, swatch, titled(name, law));
    }));
    $("rival-box").hidden = laws.length < 2;
  }

  const exact = (v) => { const short = Format.count(v); return State.parseSize(short) === v ? short : String(v); }; // reads back as itself
  function showInputs(source) {
    for (const [name, axis] of Object.entries(source.axes)) {
      const box = $(`at-${name}`);
      if (axis.kind === "levels") { box.value = String(state.at[name]); continue; }
      if (!faults.has(box) && document.activeElement !== box) box.value = exact(state.at[name]);
      $(`slide-${name}`).value = scale(axis).place(state.at[name]);
      $(`slide-${name}`).setAttribute("aria-valuetext", Format.count(state.at[name]));
    }
    for (const name of WORK) if (!faults.has($(name)) && document.activeElement !== $(name)) $(name).value = state.cost[name];
    $("axis").value = state.cost.axis;
    $("device").value = state.cost.device;
  }

  // ---- answers ------------------------------------------------------------------------------
  function warnings(v) {
    const { source, law } = v, out = [], past = [];
    for (const [name, axis] of Object.entries(source.axes)) {
      if (!Law.outside(axis, state.at[name])) continue;
      past.push(axis.low === axis.high ? `only ${name} = ${Format.count(axis.low)} was run` : `${name} was run from ${Format.count(axis.low)} to ${Format.count(axis.high)}`);
    }
    if (past.length) out.push(`Outside the runs: ${past.join("; ")}.`);
    const paper = source.laws.parallel;
    if (!law.sound) out.push(`This fit is in doubt: ${law.status} (${law.detail}).`);
    else if (paper && !paper.sound && state.law !== "parallel") out.push(`On these runs the paper’s law is in doubt: ${paper.status} (${paper.detail}).`);
    out.push(...law.notes.map((note) => `${note[0].toUpperCase()}${note.slice(1)}.`));
    if (law.error > 1e-4) out.push(`This law bends more sharply than the page’s grid: losses may be off by ${(100 * law.error).toPrecision(2)}%. Fit.predict is exact.`);
    return out;
  }

  // Never R² alone: beside it what the law reaches without P, and the error.
  const known = (v, how) => (v === null ? "none" : how(v));
  const why = (law) => (!law.sound ? "none: fit in doubt" : !law.lookedAt ? "not searched: little weight" : "not determined");
  const interval = (law, e) => (law.interval ? Format.range(e.lower, e.upper, Format.loss) : why(law));

  function answers(v) {
    const { now, law, source, both } = v, many = streams(source);
    const point = Object.entries(state.at).map(([name, value]) => `${name} = ${Format.value(source.axes[name], value)}`);
    $("loss-of").textContent = many ? "Loss of one more run there" : `Loss of one more run at ${point.join(", ")}`;
    $("loss").textContent = Format.loss(both ? both.loss : now.loss);
    const ends = both ?? now, told = both || law.interval;
    $("loss-range").textContent = told ? `By ${estimator(v, both)}; 95% of new runs: ${Format.range(ends.lower, ends.upper, Format.loss)} nats per token` : `no interval: ${both ? "" : why(law)}`;
    $("worth-tile").hidden = !many;
    if (many) worthTile(v);
    const mine = `${law.short} alone: ${many && law.axes.includes("P") && v.dense.N <= source.axes.N.most ? `${Format.times(v.dense.N / state.at.N)} N, ` : ""}loss ${Format.loss(now.loss)}.`;
    $("basis").textContent = (both ? `All laws together: each law counts by its weight in the forecast. ${mine}` : `By ${law.short} alone${source.pool.why ? `: ${source.pool.why}` : ""}.`)
      + (many ? " These numbers are for the N and P chosen here. The verdict at the top is for its own P, over all sizes of the runs." : "");
    document.querySelectorAll(".by").forEach((one) => { one.textContent = law.short; });
    lawTable(v, many);
    $("beyond").textContent = now.beyond && law.interval ? `Beyond the runs the interval of ${law.short} is a forecast by it alone, widened by ${now.beyond}.` : "";
    $("formula").textContent = `${law.short}: ${law.formula} (${law.fields}). R² ${known(law.r2, Format.loss)}${law.withoutP === null ? "" : ` (without P: ${Format.loss(law.withoutP)})`}, RMSE ${known(law.rmse, (e) => e.toPrecision(2))} on ${source.runs.loss.length} runs; fit ${law.status}.`;
    $("warning").replaceChildren(...warnings(v).map((text) => make("p", { textContent: text })));
    costs(v);
    $("bar").textContent = `${point.join(", ")}: loss ${$("loss").textContent}${many ? `, worth ${$("worth").textContent}` : ""}, by ${[...new Set([estimator(v, both), ...(many ? [estimator(v, source.worth?.together)] : [])])].join(" and ")}`;
  }
  const estimator = ({ law }, all) => (all ? "all laws together" : law.short);
  // What the runs say of this P without a law, beside what the headline's estimator says at the same sizes.
  function byRuns({ source, law, state, near }) {
    const { N, P } = state.at, times = ({ N: sizes, P: asked, multiple }) => sizes.map((size, i) => [size, multiple[i], asked[i]]).filter(([, , p]) => p === P);
    const read = times(source.byPoints), least = times(source.atLeast).filter(([size]) => near("N", size));
    const ends = (values, how) => [...new Set([Math.min(...values), Math.max(...values)].map(how))].join(" to ");
    const both = Law.worthTogether(source, state.at), by = both ? "all laws together give" : `${law.short} gives`;
    const told = read.map(([size]) => { const at = { ...state.at, N: size }; return (both ? Law.worthTogether(source, at).estimate : Law.worth(law, state.law, at).N) / size; });
    const said = least.map(([size, m]) => `more than ${Format.times(m)} at N = ${Format.count(size)}, where the run beats every run of P = 1`);
    if (read.length) said.push(`${ends(read.map(([, m]) => m), Format.times)} at N = ${ends(read.map(([size]) => size), Format.count)}, where ${by} ${ends(told, Format.times)}`);
    return said.length ? `By the runs alone: ${said.join("; ")}.` : P > 1 && source.byPoints.N.length ? `By the runs alone: nothing, no run of P = ${P} can be compared.` : "";
  }
  function worthTile(v) {
    const { source, dense } = v, both = Law.worthTogether(source, state.at), axis = source.axes.N;
    const N = both ? state.at.P === 1 ? state.at.N : both.estimate : dense.N, ends = both ?? dense;
    $("worth-of").textContent = `At N = ${Format.count(state.at.N)}, P = ${state.at.P} is worth`;
    $("worth-runs").textContent = byRuns(v);
    if (!both && !v.law.determined) {
      $("worth").textContent = "cannot tell";
      $("worth-range").textContent = "these runs do not determine the law";
      return;
    }
    $("worth").textContent = N > axis.most || N <= 0 ? "not told" : `${Format.times(N / state.at.N)} N`;
    $("worth-range").textContent = state.at.P === 1 ? "P = 1 is the baseline itself" : `By ${estimator(v, both)}: ${Format.size(axis, N)} parameters with one stream; 95%: ${Number.isNaN(ends.lower) ? "see below" : Format.sizes(axis, ends.lower, ends.upper)}`;
  }
  function lawTable(v, many) {
    const { source, both } = v, weight = source.pool.weights, axis = source.axes.N;
    const row = (name) => {
      const law = source.laws[name], e = Law.interval(law, state.at), share = weight[name];
      const out = [law.title, share === undefined ? "—" : share < 0.005 ? "<1%" : `${Math.round(100 * share)}%`, Format.loss(e.loss), interval(law, e)];
      if (many) {
        const w = Law.worth(law, name, state.at), told = source.worth && source.worth.laws[name];
        out.push(law.axes.includes("P") ? Format.size(axis, w.N) : "knows no P", law.axes.includes("P") ? told ? Format.sizes(axis, w.lower, w.upper) : source.worth ? why(law) : "see Fit.equivalent_N" : "");
      }
      return [...out, known(law.r2, Format.loss), known(law.rmse, (x) => x.toPrecision(2))];
    };
    const rows = [state.law, ...state.rivals].map(row);
    if (both) {
      const w = many && Law.worthTogether(source, state.at);
      rows.push(["all laws together", "100%", Format.loss(both.loss), Format.range(both.lower, both.upper, Format.loss),
        ...(many ? w ? [Format.size(axis, w.estimate), Format.sizes(axis, w.lower, w.upper)] : ["—", "—"] : []), "", ""]);
    }
    Tables.fill($("law-table"), `The law, the rivals that are switched on, and all laws together. ${many ? "N at P = 1 is the size with the same loss. " : ""}Intervals are those of parscale predict and parscale forecast.`,
      ["law", "weight", "loss", "95% of new runs", ...(many ? ["N at P = 1", "95% interval"] : []), "R²", "RMSE"], rows);
    $("weights").textContent = both ? "A weight is how much a law counts in all laws together. It is the mean of the Akaike weight by squared errors of log loss and of the same flattened, so that no law gets all. "
      + "AICc in the verdict is of squared errors of the loss itself, so it can rank the laws otherwise." : "";
  }

  // The streams' price beside that of the one-stream model with the same loss.
  function costs(v) {
    $("cost-card").hidden = !("N" in v.source.axes);
    if ($("cost-card").hidden) return;
    const { N, P = 1 } = state.at, small = v.cost(N, 1), mine = v.cost(N, P), dense = v.cost(v.dense.N, 1);
    const row = (label, c) => [label, ...(c === null ? ["—", "—"] : [Format.bytes(c.memory, 4), Format.seconds(c.latency, 4)])];
    const rows = [row("P" in v.source.axes ? `N ${Format.count(N)}, P = ${P}` : `N ${Format.count(N)}`, mine)];
    if (P > 1) rows.push(row("the same N, P = 1", small), row(`the same loss by ${v.law.short}: N ${Format.size(v.source.axes.N, v.dense.N)}, P = 1`, dense));
    Tables.fill($("costs"), `One batch of ${state.cost.batch}, ${state.cost.input} tokens in, ${state.cost.output} out, on ${v.device.name}.`, ["model", "memory", "latency"], rows);
    const notes = [];
    if (P > 1 && small && mine && dense) notes.push(price(v, small, mine, dense));
    if (mine === null) notes.push("No transformer of the paper’s family is that small: no cost is given.");
    else if (mine.memory > v.device.memory) notes.push(`It does not fit: ${v.device.name} holds ${Format.bytes(v.device.memory)}.`);
    $("price").textContent = notes.join(" ");
  }
  function price(v, small, mine, dense) {
    if (!(v.dense.N > state.at.N * (1 + 1e-6))) return `By ${v.law.short} streams gain nothing here.`;
    const say = (key) => {
      const more = mine[key] - small[key], size = dense[key] - small[key];
      if (!(more > 0 && size > 0)) return `extra ${key} that cannot be compared`;
      const [unit, how] = key === "memory" ? [2 ** 30, Format.bytes] : [1, Format.seconds], [one, other] = [size, more].map((x) => Number((x / unit).toPrecision(3))); // as shown
      return `${Format.times(one / other)} the extra ${key} (${how(size)} against ${how(more)})`;
    };
    return `By ${v.law.short}, reaching this loss with parameters instead of streams takes ${say("memory")} and ${say("latency")}.`;
  }

  // ---- charts -------------------------------------------------------------------------------
  const CHARTS = {
    worth: (v) => streams(v.source) && v.law.axes.includes("P") && (v.both || v.law.determined) && Charts.worth(v),
    loss: (v) => Charts.loss(v),
    equal: (v) => v.over && v.law.axes.includes(v.over) && v.law.axes.includes(v.along) && v.source.axes[v.along].kind !== "levels" && Charts.equalLoss(v),
    cost: (v) => "N" in v.source.axes && v.law.axes.includes("N") && Charts.cost(v),
  };
  const inSight = (part) => { const { top, bottom } = part.getBoundingClientRect(); return bottom > -100 && top < innerHeight + 100; };
  // Charts that no longer show the state: all of them, or those in sight; a slider moves these alone.
  function draw(all) {
    const v = view();
    $("along-row").hidden = v.axes.length < 2;
    for (const name of all ? Object.keys(CHARTS) : stale) {
      const figure = $(`${name}-figure`);
      if (!all && !inSight(figure)) continue;
      stale.delete(name);
      const spec = charts[name] = CHARTS[name](v);
      figure.hidden = !spec;
      if (spec) drawOne(figure, name, spec);
    }
  }
  function drawOne(figure, name, spec) {
    const { click } = spec, table = figure.querySelector("details[open] table");
    if (click) spec.click = (a, b) => moveTo(click(a, b));
    if ("shown" in spec) { const all = sourceOf(state.source).runs.loss.length; $("slice").textContent = spec.shown < all ? ` ${spec.shown} of ${all} runs lie on this slice.` : ""; }
    Chart.draw($(`${name}-chart`), spec);
    if (table) fillTable(table, spec);
  }
  function fillTable(table, spec) {
    const [head, rows] = Tables.ofChart(spec);
    Tables.fill(table, spec.label, head, Tables.thinned(rows, 24));
  }
  // A chart as a file: its picture, or its numbers.
  function save(kind, name) {
    const file = `${name}-${sourceOf(state.source).title}`.toLowerCase().replace(/[^a-z0-9]+/g, "-");
    if (kind !== "csv") { Chart.save($(`${name}-chart`), kind, file); return; }
    const href = URL.createObjectURL(new Blob([Tables.csv(charts[name])], { type: "text/csv" }));
    make("a", { href, download: `${file}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
  }
  function moveTo(at) {
    const { axes } = sourceOf(state.source), found = {};
    for (const [name, v] of Object.entries(at)) {
      const near = axes[name].whole ? Math.round(v) : Number(v.toPrecision(3));
      found[name] = Math.min(Math.max(near, axes[name].least), axes[name].most);
      settle($(`at-${name}`));
    }
    set({ at: found });
  }
  // Other widths or colours: every chart, in sight or not.
  function afresh() {
    whole = true;
    schedule();
  }
  function redraw() {
    for (const name of Object.keys(CHARTS)) stale.add(name);
    schedule();
  }
  function schedule() {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => { pending = false; draw(whole); whole = false; });
  }

  // ---- state --------------------------------------------------------------------------------
  function set({ at, cost, ...change }, write = true) {
    state = change.source && change.source !== state.source ? State.first(sourceOf(change.source), state.cost) : { ...state, ...change };
    state.at = { ...state.at, ...at };
    state.cost = { ...state.cost, ...cost };
    state.rivals = state.rivals.filter((name) => name !== state.law);
    const source = sourceOf(state.source);
    if (drawn.split("|")[0] !== state.source) { faults.clear(); complain(); controls(source); }
    if (drawn !== `${state.source}|${state.law}`) lawControls(source);
    drawn = `${state.source}|${state.law}`;
    showInputs(source);
    answers(view());
    if (write) history.replaceState(null, "", `#${State.toFragment(state)}`);
    redraw();
  }

  function complain(more = "") {
    $("message").textContent = [...faults.values(), more].filter(Boolean).join(" ");
    document.querySelectorAll("input[type=text]").forEach((box) => box.setAttribute("aria-invalid", String(faults.has(box))));
  }
  const settle = (box) => { if (faults.delete(box)) complain(); };
  function typed(name, box, check, change) {
    const { value, error } = check(box.value);
    if (error) faults.set(box, `${error}.`);
    else faults.delete(box);
    complain(faults.has(box) ? `The answers are still for ${name} = ${exact(state.at[name] ?? state.cost[name])}.` : "");
    if (!error) { set(change(value)); box.value = exact(value); }
  }

  function read() {
    const found = State.fromFragment(location.hash, data, location.hash.length > 1 ? state.cost : { ...FREE });
    drawn = "";
    state = found.state;
    set({}, false);
    complain(found.errors.join("; "));
  }

  async function copy(text, button) {
    try { await navigator.clipboard.writeText(text); } catch {
      const area = make("textarea", { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  }

  function listen() {
    for (const name of WORK) $(name).addEventListener("change", () => typed(name, $(name), (text) => State.checkWork(name, text), (value) => ({ cost: { [name]: value } })));
    for (const id of ["source", "law", "along"]) $(id).addEventListener("change", (e) => set({ [id]: e.target.value }));
    for (const id of ["device", "axis"]) $(id).addEventListener("change", (e) => set({ cost: { [id]: e.target.value } }));
    $("copy-link").addEventListener("click", (e) => { history.replaceState(null, "", `#${State.toFragment(state)}`); copy(location.href, e.target); });
    $("copy-cite").addEventListener("click", (e) => copy($("bibtex").textContent, e.target));
    document.querySelectorAll("figure details").forEach((one) => one.addEventListener("toggle", () => {
      const spec = charts[one.closest("figure").id.replace("-figure", "")];
      if (one.open && spec) fillTable(one.querySelector("table"), spec);
    }));
    document.querySelectorAll("button[data-save]").forEach((one) => one.addEventListener("click", () => {
      const name = one.closest("figure").id.replace("-figure", "");
      save(one.dataset.save, name);
    }));
    addEventListener("hashchange", read);
    addEventListener("resize", afresh);
    addEventListener("scroll", schedule, { passive: true });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", afresh);
    addEventListener("beforeprint", () => {
      document.querySelectorAll("figure details").forEach((d) => { d.open = true; });
      document.documentElement.classList.add("printing");
      draw(true);
    });
    addEventListener("afterprint", () => { document.documentElement.classList.remove("printing"); afresh(); });
  }

  document.documentElement.classList.add("js");
  $("rival-box").open = innerWidth > 800 && innerHeight > 800;
  listen();
  read();
  performance.mark("numbers");
  draw(true);
  performance.mark("charts");
  document.documentElement.dataset.ready = "charts";
  return { data, view, set, get state() { return state; } };
})();
