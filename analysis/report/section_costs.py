"""What a report says of costs: what the runs took, and what serving their shapes would take."""

from __future__ import annotations

from typing import Any

from analysis.costs.hardware import A100
from analysis.inference_cost import GIB, estimate
from analysis.output.html_page import Page
from analysis.sweep.results import View

_COSTS = ["size", "N", "P", "precision", "wall_s", "tokens_per_s", "peak_memory_bytes"]
_SHAPE = ["width", "ffn", "layers", "heads", "kv_heads", "vocab"]


def trained(page: Page, view: View) -> None:
    """What the runs took."""
    page.heading("Costs")
    measured = [c for c in _COSTS if c in view.table]
    if "wall_s" in measured:
        table = view.table[measured].rename(columns={"peak_memory_bytes": "peak_memory_gib"})
        if "peak_memory_gib" in table:
            table["peak_memory_gib"] = table["peak_memory_gib"] / GIB
        whole = dict.fromkeys(("N", "P", "tokens_per_s"), ",.0f")
        page.table(table, "Measured in training", {**whole, "wall_s": ",.1f", "peak_memory_gib": ".2f"})
    else:
        page.missing(["the runs hold no wall_s: nothing measured in training"])


def served(page: Page, view: View) -> None:
    """What serving the runs' shapes would take, by the cost model."""
    lacking = [c for c in _SHAPE if c not in view.runs]
    if lacking:
        page.missing([f"the runs hold no {', '.join(lacking)}: no inference cost"])
        return
    runs = view.runs
    if "N_active" in runs and (mixture := runs["N_active"] < runs["N"]).any():
        page.missing(["no inference cost: mixtures of experts are not modelled"])
        runs = runs[~mixture]
    known = [c for c in (*_SHAPE, "prefix_tokens") if c in runs]
    shapes = runs[[*known, "N", "P"]].drop_duplicates(["N", "P"]).dropna()
    if not len(shapes):
        return
    given: dict[str, Any] = {name: shapes[name].to_numpy(float) for name in (*known, "P")}
    cost = estimate(**given, input_tokens=512, output_tokens=512, hardware=A100)
    table = shapes[["N", "P"]].assign(memory_gib=cost.memory_bytes / GIB, latency_s=cost.latency_s)
    page.text(f"Serving them, by the cost model, on {A100.name}: batch 1, 512 tokens in, 512 out.")
    page.table(table, formats={"N": ",.0f", "P": "g", "memory_gib": ".3g", "latency_s": ".3g"})
