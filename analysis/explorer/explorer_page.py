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
from plotly.offline import get_plotlyjs

import scaling
from analysis.costs.shapes import shape_of
from analysis.explorer.explored_runs import ExploredRuns, mixed_notes
from analysis.explorer.payload import LEVEL, TITLES, first_law, payload
from analysis.inference_cost import A100, GIB, estimate
from analysis.output.html_page import html_table
from scaling.data.units import count_text
from scaling.selection.equivalent_size import predicted

SCRIPTS = ("law_grid.js", "cost.js", "state.js", "tables.js", "charts.js", "app.js")
STREAMS = (1, 2, 4, 8)
TOKENS = 512  # read and written by the batch whose cost is told


def page_text(sources: Sequence[ExploredRuns], *, command: str, origin: str) -> str:
    """The whole page of the sources as one text; command and origin (of the data) stand at its foot."""
    told = payload(sources)
    data = json.dumps(told, allow_nan=False, separators=(",", ":"))
    footer = (
        f"Made by: {escape(command)}; from: {escape(origin)}; parscale {version('parscale')}. "
        "Laws and intervals are interpolated on grids that this file holds, costs evaluated in it; "
        "it asks nothing of the network. "
        "Cost model and published losses: Chen et al. 2025, arXiv 2505.10475. "
        "The page holds plotly.js (MIT licence)."
    )
    parts = {
        "CSS": _text("page.css"),
        "STATIC": "".join(map(static_tables, sources, [one["laws"] for one in told["sources"]])),
        "FOOTER": footer,
        "DATA": data.replace("<", "\\u003c"),
        "SCRIPT": "\n".join(_text(name) for name in SCRIPTS),
        "PLOTLY": get_plotlyjs().replace("</script", "<\\/script"),
    }
    return re.sub(r"@([A-Z]+)@", lambda match: parts[match[1]], _text("page.html"))


def _text(name: str) -> str:
    return files("analysis.explorer").joinpath(name).read_text(encoding="utf-8")


def static_tables(source: ExploredRuns, told: dict[str, Any]) -> str:
    """Parameters, runs, predictions and costs of one source as HTML tables; told: the payload of its laws."""
    fitted = source.fits[first_law(source)]
    heading = f"<h2>{escape(source.title)}</h2>"
    tables = (_runs(source, fitted), _predictions(source, fitted), _costs(source, fitted))
    return "".join([heading, _laws(source, told), *tables])


def _laws(source: ExploredRuns, told: dict[str, Any]) -> str:
    """What was fitted, and how well: R² beside that of the law without P, and the error."""

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
    notes = "".join(f"<p>{escape(note)}</p>" for note in mixed_notes(source.fits[first_law(source)]))
    return html_table(pd.DataFrame(rows), "Fitted laws") + notes


def _runs(source: ExploredRuns, fitted: scaling.Fit) -> str:
    runs = source.runs.sort_values(["P", "N"])
    shown = pd.DataFrame(
        {
            "N": runs["N"].map(count_text),
            "P": runs["P"].map("{:g}".format),
            "loss of the run": runs["loss"].map("{:.4f}".format),
            "loss by the law": [f"{v:.4f}" for v in predicted(fitted.law, runs)],
        }
    )
    name = first_law(source)
    return html_table(shown, f"Loss against size: the runs and the law, {TITLES.get(name, name)}")


def _grid(source: ExploredRuns) -> pd.DataFrame:
    """Six sizes of the data's range at P = 1, 2, 4, 8."""
    N = np.geomspace(source.runs["N"].min(), source.runs["N"].max(), 6)
    return pd.DataFrame([(n, p) for n in np.unique(N) for p in STREAMS], columns=["N", "P"]).astype(float)


def _predictions(source: ExploredRuns, fitted: scaling.Fit) -> str:
    """Loss with interval, and equivalent sizes."""
    grid = _grid(source)
    seen = fitted.predict({axis: grid[axis] for axis in fitted.law.axes}, level=LEVEL)
    shown = pd.DataFrame({"N": grid["N"].map(count_text), "P": grid["P"].map("{:g}".format)})
    shown["loss"] = seen["loss"].map("{:.4f}".format).to_numpy()
    ends = seen[["new_lower", "new_upper"]].to_numpy()
    known = np.isfinite(ends).all(axis=1) & (str(fitted.status) == "converged")
    shown["95% prediction interval"] = np.where(known, [f"{a:.4f} to {b:.4f}" for a, b in ends], "—")
    for at in STREAMS:
        if "P" in fitted.law.axes:
            sizes = fitted.law.equivalent_N(grid["N"].to_numpy(), grid["P"].to_numpy(), at)
            shown[f"same loss at P = {at}"] = [count_text(v) if np.isfinite(v) else "no size" for v in sizes]
    return html_table(shown, "Predicted loss, beyond the runs as a forecast, and equivalent sizes")


def _costs(source: ExploredRuns, fitted: scaling.Fit) -> str:
    """Memory and latency of one batch under the cost model."""
    grid = _grid(source)
    shapes = [shape_of(n, P=p) for n, p in grid.to_numpy()]
    found = estimate(
        width=[s.width for s in shapes], ffn=[s.ffn for s in shapes], P=grid["P"],
        batch=1, input_tokens=TOKENS, output_tokens=TOKENS, hardware=A100,
    )  # fmt: skip
    shown = pd.DataFrame({"N": grid["N"].map(count_text), "P": grid["P"].map("{:g}".format)})
    shown["loss"] = [f"{v:.4f}" for v in predicted(fitted.law, grid)]
    shown["memory, GiB"] = [f"{v / GIB:.3g}" for v in found.memory_bytes]
    shown["latency, s"] = [f"{v:.3g}" for v in found.latency_s]
    return html_table(shown, f"Cost and loss: batch 1, {TOKENS} tokens in, {TOKENS} out, {A100.name}")
