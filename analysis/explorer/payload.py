"""What the page's JavaScript is given: laws on a grid, runs, devices, as plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import scaling
from analysis.costs import shapes
from analysis.costs.hardware import DTYPE_BYTES, KNOWN
from analysis.explorer import law_grid
from analysis.explorer.explored_runs import ExploredRuns, mixed_notes
from analysis.explorer.interval_grid import interval_grid
from analysis.inference_cost import PREFIX_TOKENS
from scaling.fitting.summary import baseline_r2
from scaling.uncertainty.interval_methods import t_quantile

LEVEL = 0.95
TITLES = {
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
        "grid": {"logN": law_grid.log_sizes().tolist(), "P": law_grid.STREAMS},
        "sources": [_source(f"s{i}", source) for i, source in enumerate(sources)],
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


def _source(identity: str, source: ExploredRuns) -> dict[str, Any]:
    columns = {name: [float(v) for v in source.runs[name]] for name in ("N", "P", "loss")}
    return {
        "id": identity,
        "title": source.title,
        "runs": columns,
        "laws": {name: law_payload(name, fitted) for name, fitted in source.fits.items()},
        "start": first_law(source),
        "example": first_point(source),
    }


def first_law(source: ExploredRuns) -> str:
    """The law shown first: the paper's, unless it is missing or in doubt and another is not."""
    order = sorted(
        source.fits, key=lambda name: (source.fits[name].status != "converged", name != "parallel")
    )
    return order[0]


def first_point(source: ExploredRuns) -> dict[str, float]:
    """The point shown first: the second largest one-stream size, to two digits, at a middle P."""
    runs = source.runs
    sizes = sorted(runs.loc[runs["P"] == runs["P"].min(), "N"].unique())
    streams = sorted({int(p) for p in runs["P"]})
    return {"N": float(f"{sizes[max(len(sizes) - 2, 0)]:.2g}"), "P": streams[len(streams) // 2]}


def law_payload(name: str, fitted: scaling.Fit) -> dict[str, Any]:
    """One fitted law: its loss and sensitivities on the grid, what it is, and how well it fits."""
    law = fitted.law
    sound = str(fitted.status) == "converged"  # an interval of a fit in doubt would only look like one
    t = t_quantile(fitted, LEVEL)
    known = sound and math.isfinite(t) and math.isfinite(fitted.noise)
    moves = law_grid.sensitivities(fitted) if known else None
    return {
        "title": TITLES.get(name, name),
        "formula": (law.__doc__ or type(law).__name__).splitlines()[0].partition(":")[0].removesuffix("."),
        "streams": "P" in law.axes,
        "fields": "(" + ", ".join(f"{n} {float(getattr(law, n)):.4g}" for n in law.names()) + ")",
        "loss": law_grid.encoded(law_grid.losses(law), "<f8"),
        "error": _known(law_grid.interpolation_error(law)),
        "sensitivities": None if moves is None else [law_grid.encoded(one, "<f4") for one in moves],
        "t": t if known else None,
        "noise": fitted.noise if known else None,
        "interval": interval_grid(fitted, LEVEL) if moves is not None else None,
        "log": bool(fitted.problem.objective.log),
        "r2": _known(fitted.r2),
        "withoutP": _known(baseline_r2(fitted)),
        "rmse": _known(fitted.rmse),
        "status": str(fitted.status),
        "detail": fitted.certificate.detail,
        "sound": sound,
        "notes": list(mixed_notes(fitted)),
    }


def _known(value: float | None) -> float | None:
    """A number, or None for what is none: JSON has no word for it."""
    return value if value is not None and math.isfinite(value) else None
