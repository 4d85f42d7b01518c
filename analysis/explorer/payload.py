"""What the page's JavaScript is given: laws on grids, runs, devices, as plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

import scaling
from analysis.costs import shapes
from analysis.costs.hardware import DTYPE_BYTES, KNOWN
from analysis.explorer import law_grid, worth_grid
from analysis.explorer.explored_runs import LEVEL, ExploredRuns, mixed_notes
from analysis.explorer.interval_grid import interval_grid
from analysis.explorer.page_axes import PageAxis, PointGrid
from analysis.inference_cost import PREFIX_TOKENS
from scaling.fitting.summary import baseline_r2
from scaling.selection.equivalent_size import equivalents_by_points

TITLES = {  # what a law says, after its name
    "parallel": "N (k ln P + 1), the paper's",
    "diversity": "correlated streams (Eq 4)",
    "power": "N times a power of P",
    "additive": "additive, C / P^beta",
    "additive-half": "additive, C / sqrt(P)",
    "saturating": "saturating in P",
    "log-multiplicative": "power of 1 + log2 P",
    "dense": "no streams (baseline)",
}


def payload(sources: Sequence[ExploredRuns]) -> dict[str, Any]:
    """Everything the page needs; sources are known by their place, s0, s1, ..."""
    return {
        "level": LEVEL,
        "sources": [source_payload(f"s{i}", source) for i, source in enumerate(sources)],
        "devices": {name: _device(name) for name in KNOWN},
        "model": {
            "layers": shapes.LAYERS,
            "heads": shapes.HEADS,
            "kvHeads": shapes.KV_HEADS,
            "vocab": shapes.VOCAB,
            "ffnPerWidth": shapes.FFN_PER_WIDTH,
            "prefix": PREFIX_TOKENS,
        },
    }


def _device(name: str) -> dict[str, Any]:
    device = KNOWN[name]
    return {
        "name": device.name,
        "flops": device.reached_flops("bf16"),
        "bandwidth": device.reached_bandwidth,
        "memory": device.memory_bytes,
        "bytes": DTYPE_BYTES["bf16"],
    }


def source_payload(identity: str, source: ExploredRuns) -> dict[str, Any]:
    """One source: its axes, runs and laws, the laws together, and the point shown first."""
    axes, pool = source.axes, source.pool
    order = sorted(source.fits, key=lambda name: -pool.weights.get(name, 0.0))
    shown = {name for name in order if pool.counts(name)} | {source.first_law}
    points = worth_grid.worth_points(axes) if {"N", "P"} <= set(axes) else None
    worths = {
        name: worth_grid.worth_of(source.fits[name], points, LEVEL)
        for name in order
        if points and name in shown and worth_is_told(source.fits[name])
    }
    laws = {name: law_payload(name, fit, axes, name in shown) for name, fit in source.fits.items()}
    return {
        "id": identity,
        "title": source.title,
        "axes": {name: _axis(axis, source.runs[name].to_numpy(float)) for name, axis in axes.items()},
        "runs": {name: [float(v) for v in source.runs[name]] for name in (*axes, "loss")},
        "laws": laws,
        "worth": points and _worths(points, worths, pool.weights),
        "pool": {
            "weights": {name: round(w, 6) for name, w in pool.weights.items()},
            "forecast": pool.forecast,
            "why": pool.why,
        },
        "start": source.first_law,
        "rivals": [name for name in order if name in shown and name != source.first_law]
        if pool.weights
        else [],
        "example": first_point(source),
        **_without_a_law(source),
    }


def _axis(axis: PageAxis, values: Any) -> dict[str, Any]:
    """An axis as plain values, with the levels that were run where they are few."""
    levels = np.unique(values)
    return {
        "kind": axis.kind, "unit": axis.unit, "whole": axis.whole,
        "low": axis.low, "high": axis.high, "least": axis.least, "most": axis.most,
        "names": list(axis.names), "codes": list(axis.codes),
        "levels": levels.tolist() if levels.size <= 8 else [],
    }  # fmt: skip


def _without_a_law(source: ExploredRuns) -> dict[str, dict[str, list[float]]]:
    """What streams are worth read off the runs of P = 1: byPoints, and atLeast where no run of P = 1 is as good."""
    read = least = pd.DataFrame(columns=["N", "P", "multiple"], dtype=float)
    if set(source.axes) == {"N", "P"}:
        read, mean = (
            equivalents_by_points(source.runs),
            source.runs.groupby(["P", "N"], as_index=False).mean(),
        )
        one, more = mean[mean["P"] == 1], mean[mean["P"] > 1]
        better = more[more["loss"] < one["loss"].min()]
        least = better.assign(multiple=one["N"].max() / better["N"]).query("multiple > 1")
    return {
        key: {name: found[name].astype(float).round(6).tolist() for name in ("N", "P", "multiple")}
        for key, found in (("byPoints", read), ("atLeast", least))
    }


def law_title(name: str, fit: scaling.Fit) -> str:
    """The one name of a law on the page: its class, and in words or signs what it says."""
    short = fit.form.__name__
    return f"{short}: {TITLES[name]}" if name in TITLES else short


def first_point(source: ExploredRuns) -> dict[str, float]:
    """The point shown first: the second largest one-stream size, to two digits, and the middle of other axes."""
    runs, out = source.runs, {}
    for name, axis in source.axes.items():
        rows = runs[runs["P"] == runs["P"].min()] if name == "N" and "P" in runs else runs
        values = np.unique(rows[name])
        middle = values[max(values.size - 2, 0)] if name == "N" else values[values.size // 2]
        out[name] = float(middle if axis.whole or axis.kind == "levels" else f"{middle:.2g}")
    return out


def law_payload(name: str, fit: scaling.Fit, axes: Mapping[str, PageAxis], looked_at: bool) -> dict[str, Any]:
    """One fitted law: its loss and intervals on grids, what it is, and how well it fits.

    looked_at: whether its intervals are worth their search.
    """
    law, sound = (
        fit.law,
        str(fit.status) == "converged",
    )  # an interval of a fit in doubt would only look like one
    grid = law_grid.loss_grid(axes, law)
    losses = law_grid.losses(law, grid)
    known = sound and looked_at and fit.degrees_of_freedom > 0
    return {
        "title": law_title(name, fit),
        "short": fit.form.__name__,
        "formula": (fit.form.whole.__doc__ or name).splitlines()[0].partition(":")[0].removesuffix("."),
        "axes": list(law.axes),
        "fields": ", ".join(f"{n} {float(getattr(law, n)):.4g}" for n in law.names()),
        "nodes": grid.told(),
        "loss": law_grid.encoded(losses),
        "error": _known(law_grid.interpolation_error(law, grid, losses)),
        "interval": interval_grid(fit, axes, LEVEL) if known else None,
        "lookedAt": looked_at,
        "r2": _known(fit.r2),
        "withoutP": _known(baseline_r2(fit)),
        "rmse": _known(fit.rmse),
        "status": str(fit.status),
        "detail": fit.certificate.detail,
        "sound": sound,
        "determined": fit.determined,
        "notes": list(mixed_notes(fit)),
    }


def worth_is_told(fit: scaling.Fit) -> bool:
    """Whether a law says what streams are worth, with an interval."""
    return set(fit.law.axes) == {"N", "P"} and str(fit.status) == "converged" and fit.degrees_of_freedom > 0


def _worths(
    grid: PointGrid, worths: Mapping[str, worth_grid.Worth], weights: Mapping[str, float]
) -> dict[str, Any]:
    """What streams are worth on one grid: by each law, and by all with evidence together."""
    counted = [name for name in worths if weights.get(name, 0.0) > 0]
    told = {"nodes": grid.told(), "laws": {name: worth_grid.told(one, grid) for name, one in worths.items()}}
    if not counted:
        return told
    share = np.array([weights[name] for name in counted])
    together = worth_grid.over_laws([worths[name] for name in counted], share, LEVEL)
    return told | {"together": worth_grid.told(together, grid), "counted": counted}


def _known(value: float | None) -> float | None:
    """A number, or None for what is none: JSON has no word for it."""
    return value if value is not None and math.isfinite(value) else None
