"""The page's text: template, styles, scripts, data and, for readers without JavaScript, tables."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from analysis.costs.shapes import shape_of
from analysis.explorer.explored_runs import LEVEL, ExploredRuns, mixed_notes
from analysis.explorer.page_axes import PageAxis
from analysis.explorer.payload import TITLES, payload
from analysis.inference_cost import A100, GIB, estimate
from analysis.output.html_page import basis_of
from analysis.output.html_table import html_table
from scaling.data.units import count_text
from scaling.selection.equivalent_size import predicted

SCRIPTS = (
    "law_grid.js", "cost.js", "tables.js", "state.js", "plotly_chart.js", "charts.js", "app.js",
)  # fmt: skip
PLOTLY = "vendor/plotly-cartesian.min.js"  # `make plotly` fetches it
STREAMS = (1, 2, 4, 8)
TOKENS = 512  # read and written by the batch whose cost is shown
ROWS = 40  # runs in a table for readers without JavaScript
BIBTEX = """@software{parscale,
  title   = {parscale: train, fit and test parallel scaling laws},
  author  = {{The parscale maintainers}},
  version = {VERSION},
  year    = {2026}
}
@article{chen2025parscale,
  title   = {Parallel Scaling Law for Language Models},
  author  = {Chen, Mouxiang and others},
  journal = {arXiv preprint arXiv:2505.10475},
  year    = {2025}
}"""
ALONG_PICK = '<label id="along-row">along <select id="along"></select></label>'
COST_PICK = (
    '<label>cost <select id="axis"><option value="latency">latency</option>'
    + '<option value="memory">memory</option></select></label>'
)
FIGURES = {
    "worth": (
        "What streams are worth",
        "",
        "N_eq is the one-stream size with the same loss as N parameters with P streams, at the chosen N. "
        "Grey: 95% over the laws, by weight. Open circles: read off the runs of P = 1, without a law. Click to choose P.",
    ),
    "loss": (
        "Loss against size",
        ALONG_PICK,
        "Lines: the law; marks: runs; dashed: rival laws at the chosen point; grey: 95% forecast of one more run by all laws."
        '<span id="slice"></span> Click to move the point.',
    ),
    "equal": (
        "Equal losses",
        "",
        "Every point on a line has the same loss. The thick line goes through the point. "
        "Dashed: as good as the point by rival laws. Click to move it.",
    ),
    "cost": (
        "Cost and loss",
        COST_PICK,
        "Each line is one P as N grows; lower and further left is better. "
        "The diamond reaches the loss of the point with one stream.",
    ),
}


def page_text(sources: Sequence[ExploredRuns], *, command: str, origin: str) -> str:
    """The whole page of the sources as one text, with command and origin (of the data) in its footer."""
    told = payload(sources)
    data = json.dumps(told, allow_nan=False, separators=(",", ":"))
    release = version("parscale")
    footer = (
        f"Made by: {escape(command)}; from: {escape(origin)}; parscale {release}. "
        "Laws and intervals are interpolated on grids that this file holds, costs evaluated in it; "
        "it asks nothing of the network. "
        "Cost model and published losses: Chen et al. 2025, arXiv 2505.10475. "
        "The page holds plotly.js (MIT licence, Plotly, Inc.)."
    )
    streams = any("P" in source.axes for source in sources)
    parts = {
        "TITLE": "What are P parallel streams worth?" if streams else "What does the scaling law say?",
        "CSS": _text("page.css"),
        "VERDICT": "".join(verdict_html(f"s{i}", source) for i, source in enumerate(sources)),
        "STATIC": "".join(map(static_tables, sources, [one["laws"] for one in told["sources"]])),
        **{name.upper(): _figure(name) for name in FIGURES},
        "BIBTEX": escape(BIBTEX.replace("VERSION", release)),
        "FOOTER": footer,
        "DATA": data.replace("<", "\\u003c"),
        "PLOTLY": _text(PLOTLY).replace("</script", "<\\/script"),
        "SCRIPT": "\n".join(_text(name) for name in SCRIPTS),
    }
    return re.sub(r"@([A-Z]+)@", lambda match: parts[match[1]], _text("page.html"))


def _text(name: str) -> str:
    return files("analysis.explorer").joinpath(name).read_text(encoding="utf-8")


def verdict_html(identity: str, source: ExploredRuns) -> str:
    """The verdict on one source's runs, the first three lines of the page, with or without JavaScript."""
    lines = "".join(
        f'<p>{escape(one.question)} <span class="answer">{escape(one.answer.capitalize())}:</span> {escape(one.text)}.</p>'
        for one in source.verdict.answers
    )
    return (
        f'<section class="card verdict" data-source="{identity}"><h2>{escape(source.title)}</h2>{lines}'
        f'<p class="soft">{escape(basis_of(source.verdict))}</p></section>'
    )


def _figure(name: str) -> str:
    """One chart with its heading, its caption, its table and the buttons that save it; costs before theirs."""
    title, pick, caption = FIGURES[name]
    save = "".join(
        f'<button type="button" data-save="{kind}">{kind.upper()}</button>' for kind in ("png", "svg", "csv")
    )
    return (_cost_card() if name == "cost" else "") + (
        f'<figure class="card" id="{name}-figure"><div class="head"><h2>{title}</h2>{pick}<span class="save">{save}</span></div>'
        f'<div class="chart" id="{name}-chart"></div><figcaption>{caption}</figcaption>'
        f'<details><summary>As a table</summary><div class="wide"><table id="{name}-table"></table></div></details></figure>'
    )


def _cost_card() -> str:
    """The cost of one batch, and what it is of."""
    boxes = {"batch": "batch", "input": "tokens in", "output": "tokens out"}
    inputs = "".join(
        f'<div><label class="name" for="{name}">{label}</label>'
        f'<input id="{name}" type="text" inputmode="numeric" autocomplete="off" aria-describedby="message"></div>'
        for name, label in boxes.items()
    )
    device = '<div><label class="name" for="device">GPU or CPU</label><select id="device"></select></div>'
    return (
        '<section class="card" id="cost-card" aria-label="cost of inference"><h2>Cost of inference</h2>'
        f'<div class="work">{device}{inputs}</div>'
        '<div class="wide"><table id="costs"></table></div><p id="price"></p></section>'
    )


def static_tables(source: ExploredRuns, told: dict[str, Any]) -> str:
    """Parameters, runs, predictions and costs of one source as HTML tables. `told` is the payload of its laws."""
    tables = [_laws(source, told), _runs(source)]
    if set(source.axes) <= {"N", "P"}:
        tables += [_predictions(source), _costs(source)]
    return "".join([f"<h2>{escape(source.title)}</h2>", *tables])


def _laws(source: ExploredRuns, told: dict[str, Any]) -> str:
    """What was fitted, and how well: R², R² of the law without P, and the error."""

    def number(value: float | None, form: str) -> str:
        return "none" if value is None else f"{value:{form}}"

    rows = [
        {
            "law": TITLES.get(name, name),
            "parameters": ", ".join(f"{n} = {float(getattr(f.law, n)):.4g}" for n in f.law.names()),
            "R²": number(told[name]["r2"], ".4f"),
            "R² without P": number(told[name]["withoutP"], ".4f") if "P" in f.law.axes else "",
            "RMSE": number(told[name]["rmse"], ".2g"),
            "fit": str(f.status),
        }
        for name, f in source.fits.items()
    ]
    notes = "".join(f"<p>{escape(note)}</p>" for note in mixed_notes(source.first))
    return html_table(pd.DataFrame(rows), "Fitted laws") + notes


def _runs(source: ExploredRuns) -> str:
    """Every run, or evenly spread ones, and what the law first shown says of it."""
    order = [*(name for name in reversed([*source.axes]))]
    runs = source.runs.sort_values(order)
    more = f", {ROWS} of {len(runs)}" if len(runs) > ROWS else ""
    if more:
        runs = runs.iloc[np.linspace(0, len(runs) - 1, ROWS).round().astype(int)]
    shown = pd.DataFrame({name: [_value(axis, v) for v in runs[name]] for name, axis in source.axes.items()})
    shown["loss of the run"] = runs["loss"].map("{:.4f}".format).to_numpy()
    shown["loss by the law"] = [f"{v:.4f}" for v in predicted(source.first.law, runs)]
    name = source.first_law
    return html_table(shown, f"The runs{more} and the law, {TITLES.get(name, name)}")


def _value(axis: PageAxis, value: float) -> str:
    """A value of an axis as people write it."""
    if axis.kind == "levels":
        return axis.names[axis.codes.index(float(value))]
    return count_text(value) if value >= 1000 else f"{value:.4g}"


def _grid(source: ExploredRuns) -> pd.DataFrame:
    """Six sizes of the data's range at P = 1, 2, 4, 8. At P = 1 alone where no law knows P."""
    N = np.geomspace(source.runs["N"].min(), source.runs["N"].max(), 6)
    streams = STREAMS if "P" in source.axes else STREAMS[:1]
    return pd.DataFrame([(n, p) for n in np.unique(N) for p in streams], columns=["N", "P"]).astype(float)


def _predictions(source: ExploredRuns) -> str:
    """Loss with interval, and the one-stream size with that loss."""
    grid, fit = _grid(source), source.first
    seen = fit.predict({axis: grid[axis] for axis in fit.law.axes}, level=LEVEL)
    shown = pd.DataFrame({"N": grid["N"].map(count_text), "P": grid["P"].map("{:g}".format)})
    shown["loss"] = seen["loss"].map("{:.4f}".format).to_numpy()
    ends = seen[["new_lower", "new_upper"]].to_numpy()
    known = np.isfinite(ends).all(axis=1) & (str(fit.status) == "converged")
    shown["95% prediction interval"] = np.where(known, [f"{a:.4f} to {b:.4f}" for a, b in ends], "—")
    if "P" in fit.law.axes:
        sizes = fit.law.equivalent_N(grid["N"].to_numpy(), grid["P"].to_numpy(), 1)
        shown["same loss at P = 1"] = [count_text(v) if np.isfinite(v) else "no size" for v in sizes]
    return html_table(shown, "Predicted loss, and the size with the same loss at one stream")


def _costs(source: ExploredRuns) -> str:
    """Memory and latency of one batch under the cost model."""
    grid = _grid(source)
    shapes = [shape_of(n, P=p) for n, p in grid.to_numpy()]
    found = estimate(
        width=[s.width for s in shapes], ffn=[s.ffn for s in shapes], P=grid["P"],
        batch=1, input_tokens=TOKENS, output_tokens=TOKENS, hardware=A100,
    )  # fmt: skip
    shown = pd.DataFrame({"N": grid["N"].map(count_text), "P": grid["P"].map("{:g}".format)})
    shown["loss"] = [f"{v:.4f}" for v in predicted(source.first.law, grid)]
    shown["memory, GiB"] = [f"{v / GIB:.3g}" for v in found.memory_bytes]
    shown["latency, s"] = [f"{v:.3g}" for v in found.latency_s]
    return html_table(shown, f"Cost and loss: batch 1, {TOKENS} tokens in, {TOKENS} out, {A100.name}")
