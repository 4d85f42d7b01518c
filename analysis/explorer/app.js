"use strict";
// The page: controls to state, state to numbers, charts, tables and the address.
const App = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  Law.unpack(data);
  const $ = (id) => document.getElementById(id);
  const BOXES = ["N", "P", "batch", "input", "output"];
  const first = data.sources[0];
  const base = { source: first.id, law: first.start, N: first.example.N, P: first.example.P, batch: 1,
    input: 512, output: 512, device: Object.keys(data.devices)[0], axis: "latency", rivals: [] };
  let state = base, drawn = false, pending = false;

  // All that the answers, charts and tables are made from.
  function view() {
    const source = data.sources.find((s) => s.id === state.source), law = source.laws[state.law];
    const rivals = state.rivals.filter((name) => name !== state.law).map((name) => source.laws[name]);
    const work = { batch: state.batch, input: state.input, output: state.output };
    const device = data.devices[state.device];
    return { source, law, rivals, state, device,
      cost: (N, P) => (Number.isFinite(N) ? Cost.estimate(N, P, work, device, data.model) : null),
      now: Law.predict(law, state.N, state.P), dense: Law.equivalent(law, state.N, state.P, 1) };
  }

  function options(select, entries, chosen) {
    select.replaceChildren(...entries.map(([value, text]) => new Option(text, value, false, value === chosen)));
  }

  function controls() {
    const source = data.sources.find((s) => s.id === state.source), laws = Object.entries(source.laws);
    options($("source"), data.sources.map((s) => [s.id, s.title]), state.source);
    options($("law"), laws.map(([name, law]) => [name, law.title]), state.law);
    options($("device"), Object.entries(data.devices).map(([k, d]) => [k, d.name]), state.device);
    $("axis").value = state.axis;
    $("rivals").replaceChildren(...laws.filter(([name]) => name !== state.law).map(([name, law]) => {
      const label = document.createElement("label"), box = document.createElement("input");
      Object.assign(box, { type: "checkbox", value: name, checked: state.rivals.includes(name) });
      box.addEventListener("change", () => set({ rivals: state.rivals.filter((r) => r !== name).concat(box.checked ? [name] : []) }));
      label.append(box, ` ${law.title}`);
      return label;
    }));
    $("rival-box").hidden = laws.length < 2;
  }

  const exact = (v) => { // the shortest text that reads back as the same number
    const short = Format.count(v);
    return State.parseSize(short) === v ? short : String(v);
  };
  function showInputs() {
    for (const name of BOXES) if (document.activeElement !== $(name)) $(name).value = name === "N" ? exact(state.N) : state[name];
    $("N-slider").value = Math.log10(state.N);
    $("N-slider").setAttribute("aria-valuetext", Format.count(state.N));
    $("P-slider").value = state.P;
  }

  function warnings(v) {
    const { runs } = v.source, out = [], N = [Math.min(...runs.N), Math.max(...runs.N)], P = [Math.min(...runs.P), Math.max(...runs.P)];
    const past = [];
    if (state.N < N[0] || state.N > N[1]) past.push(`N was run from ${Format.count(N[0])} to ${Format.count(N[1])}`);
    if (state.P < P[0] || state.P > P[1]) past.push(P[0] === P[1] ? `only P = ${P[0]} was run` : `P was run from ${P[0]} to ${P[1]}`);
    if (past.length) out.push(`Outside the data: ${past.join("; ")}. Compare the rival laws.`);
    const paper = v.source.laws.parallel;
    if (!v.law.sound) out.push(`This fit is in doubt: ${v.law.status} (${v.law.detail}).`);
    else if (paper && !paper.sound) out.push(`On these runs the paper's law is in doubt: ${paper.status} (${paper.detail}). Shown is another.`);
    out.push(...v.law.notes.map((note) => `${note[0].toUpperCase()}${note.slice(1)}.`));
    if (v.law.error > 1e-4) out.push(`This law bends more sharply than the page's grid of sizes: losses may be off by ${(100 * v.law.error).toPrecision(2)}%. Fit.predict is exact.`);
    const mine = v.cost(state.N, state.P);
    if (mine === null) out.push("No transformer of the paper's family is that small: no cost is given.");
    else if (mine.memory > v.device.memory) out.push(`It does not fit: ${v.device.name} holds ${Format.bytes(v.device.memory)}.`);
    return out;
  }

  // Never R² alone: beside it what the law reaches without P, and the error.
  const known = (v, how) => (v === null ? "none" : how(v));
  const quality = (law) => [known(law.r2, Format.loss), law.streams ? known(law.withoutP, Format.loss) : "", known(law.rmse, (e) => e.toPrecision(2))];

  function answers(v) {
    const { now, law } = v;
    $("loss").textContent = Format.loss(now.loss);
    const range = (low, high, how) => (law.sound ? Format.range(low, high, how) : "none: fit in doubt");
    $("mean").textContent = range(now.lower, now.upper, Format.loss);
    $("run").textContent = range(now.newLower, now.newUpper, Format.loss);
    $("beyond").textContent = now.beyond && `Beyond the runs one new run’s interval is a forecast by this law alone, widened by ${now.beyond}.`;
    const [r2, withoutP, rmse] = quality(law);
    $("formula").textContent = `${law.formula} ${law.fields}. R² ${r2}${withoutP && ` (without P: ${withoutP})`}, RMSE ${rmse} on ${v.source.runs.N.length} runs; fit ${law.status}.`;
    Tables.fill($("equivalents"), "Sizes with the same loss, 95% interval.", ["streams", "N", "interval"],
      Charts.STREAMS.map((Q) => {
        const e = Law.equivalent(law, state.N, state.P, Q);
        return [`P = ${Q}`, Format.count(e.N), state.P === Q ? "the point itself" : law.streams ? range(e.lower, e.upper, Format.count) : "this law knows no P"];
      }));
    $("warning").replaceChildren(...warnings(v).map((text) => Object.assign(document.createElement("p"), { textContent: text })));
    $("rival-table").hidden = v.rivals.length === 0;
    Tables.fill($("rival-table"), "What the laws switched on say of this point.", ["law", "loss", "less this law's", "same loss at P = 1", "R²", "R² without P", "RMSE"],
      [law, ...v.rivals].map((r) => {
        const value = Law.loss(r, state.N, state.P);
        return [r.title, Format.loss(value), r === law ? "" : (value - now.loss).toFixed(4), Format.count(Law.equivalent(r, state.N, state.P, 1).N), ...quality(r)];
      }));
    costs(v);
  }

  // The streams' price beside that of the one-stream model with the same loss.
  function costs(v) {
    const small = v.cost(state.N, 1), mine = v.cost(state.N, state.P), dense = v.cost(v.dense.N, 1);
    const text = (c, key, how) => (c === null ? "—" : how(c[key]));
    const row = (label, c) => [label, text(c, "memory", Format.bytes), text(c, "latency", Format.seconds)];
    const rows = [row(`N ${Format.count(state.N)}, P = ${state.P}`, mine)];
    const higher = gains(v) ? " (higher loss)" : "";
    if (state.P > 1) rows.push(row(`the same N, P = 1${higher}`, small), row(`same loss, P = 1: N ${Format.count(v.dense.N)}`, dense));
    Tables.fill($("costs"), `Batch ${state.batch}, ${state.input} tokens in, ${state.output} out, ${v.device.name}.`, ["model", "memory", "latency"], rows);
    $("verdict").textContent = state.P > 1 && small && mine && dense ? verdict(v, small, mine, dense) : "";
  }
  const gains = (v) => v.dense.N > state.N * (1 + 1e-6);
  function verdict(v, small, mine, dense) {
    if (!gains(v)) return "By this law streams gain nothing here.";
    const say = (key) => {
      const streams = mine[key] - small[key], size = dense[key] - small[key];
      if (!(streams > 0 && size > 0)) return `extra ${key} that cannot be compared`;
      return streams <= size ? `${Format.times(size / streams)} the extra ${key}`
        : `only ${Format.times(size / streams)} the extra ${key} (streams cost more)`;
    };
    return `Reaching this loss with parameters instead of streams takes ${say("memory")} and ${say("latency")}.`;
  }

  const DRAW = [["loss-chart", "lossChart", "loss-table", "loss"], ["contour-chart", "contourChart", "contour-table", "contour"],
    ["cost-chart", "costChart", "cost-table", "cost"]];
  function draw(v) {
    for (const [id, chart, table, rows] of DRAW) {
      Tables[rows]($(table), v);
      if (!window.Plotly) continue;
      const [traces, layout] = Charts[chart](v);
      Plotly.react(id, traces, layout, { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false });
    }
  }
  function schedule() {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => { pending = false; draw(view()); });
  }

  function set(change, write = true) {
    const before = state;
    state = { ...state, ...change };
    const source = data.sources.find((s) => s.id === state.source);
    if (!(state.law in source.laws)) state.law = source.start;
    state.rivals = state.rivals.filter((name) => name in source.laws && name !== state.law);
    if (before.source !== state.source || before.law !== state.law || !drawn) controls();
    drawn = true;
    showInputs();
    answers(view());
    if (write) history.replaceState(null, "", `#${State.toFragment(state)}`);
    schedule();
  }

  function complain(text, id) {
    $("message").textContent = text;
    for (const name of BOXES) $(name).setAttribute("aria-invalid", String(name === id));
  }
  function typed(name) {
    const box = $(name), { value, error } = State.check(name, box.value);
    complain(error ? `${error}. The answers are still for ${name === "N" ? exact(state.N) : state[name]}.` : "", error ? name : null);
    if (!error) { set({ [name]: value }); box.value = name === "N" ? exact(value) : value; }
  }

  // An empty fragment is the way back to the first point.
  function read() {
    const found = State.fromFragment(location.hash, location.hash.length > 1 ? state : base, data);
    complain(found.errors.join("; "), null);
    drawn = false;
    set(found.state, false);
  }

  function listen() {
    for (const name of BOXES) $(name).addEventListener("change", () => typed(name));
    $("N-slider").addEventListener("input", (e) => { complain("", null); $("N").value = ""; set({ N: Number((10 ** Number(e.target.value)).toPrecision(3)) }); });
    $("P-slider").addEventListener("input", (e) => { complain("", null); set({ P: Number(e.target.value) }); });
    for (const id of ["source", "law", "device", "axis"]) $(id).addEventListener("change", (e) => set({ [id]: e.target.value }));
    addEventListener("hashchange", read);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", schedule);
    addEventListener("beforeprint", () => {
      document.querySelectorAll("figure details").forEach((d) => { d.open = true; });
      document.documentElement.classList.add("printing");
      draw(view());
    });
    addEventListener("afterprint", () => { document.documentElement.classList.remove("printing"); schedule(); });
    addEventListener("resize", schedule);
  }

  // Called once plotly has been read; the numbers have answered since before.
  function charts() {
    draw(view());
    const jump = (id, y) => $(id).on("plotly_click", ({ points: [p] }) => {
      const N = Math.min(Math.max(Number(p.x.toPrecision(3)), 1e4), 1e12);
      set(y ? { N, P: Math.min(Math.max(Math.round(p.y), 1), 64) } : { N });
    });
    jump("loss-chart", false);
    jump("contour-chart", true);
    performance.mark("charts");
    document.documentElement.dataset.ready = "charts";
  }

  document.documentElement.classList.add("js");
  $("rival-box").open = innerWidth > 800;
  listen();
  read();
  performance.mark("numbers");
  document.documentElement.dataset.ready = "numbers";
  return { data, view, set, charts, get state() { return state; } };
})();
