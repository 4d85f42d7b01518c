"""Units of N, D and C: what a table's own numbers rule out, and what width, depth and compute say they are."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.data.columns.column_names import COUNTS, FLOPS
from scaling.laws.base import Array

LEAST = {"N": 1e3, "D": 1e5}  # a language model has at least as many parameters and tokens
MOST_LOSS = 14.0  # nats per token: more than a uniform guess over a million tokens
AGREE = 3.0  # factor within which 12 L w^2 must match N, and 6 N P D must match C, in the right unit
EVEN = 1.0  # spread (standard deviation of the logarithm) up to which a ratio is one constant
TOKENS_A_PARAMETER = (0.05, 1e5)
WIDTHS = (
    "width",
    "d_model",
    "dmodel",
    "hidden_size",
    "n_embd",
    "n_embed",
    "model_dim",
    "hidden_dim",
    "embed_dim",
)
DEPTHS = ("depth", "layers", "n_layer", "n_layers", "num_layers", "nlayers", "num_hidden_layers", "n_blocks")


@dataclass(frozen=True)
class Unit:
    """The unit of an axis: its factor, its name and the evidence."""

    axis: str
    worth: float
    name: str
    why: str


def implausible(axis: str, values: Array) -> bool:
    """Whether the values of N or D cannot be whole parameters or tokens."""
    return axis in LEAST and bool(values.size) and float(np.min(values)) < LEAST[axis]


def doubt(axis: str, values: Array) -> str:
    """A question about the unit of values that cannot be parameters or tokens, with the remedy."""
    low, high = float(np.min(values)), float(np.max(values))
    what = {"N": "sizes", "D": "token counts"}[axis]
    if high >= 1e3 * LEAST[axis]:
        return f"{what} of {low:g} to {high:g} in one column {axis}: are their units mixed? write each with its unit"
    few = high < 1e3 if axis == "N" else high < 1e5
    unit, letter = ("billions", "B") if few else ("millions", "M")
    example = f"write {low:g}{letter} or multiply by {COUNTS[unit[:-1]]:.0e}".replace("e+0", "e")
    return f"{what} {axis} of {low:g} to {high:g}: are they in {unit}? {example}"


def check_sizes(N: Array, where: str) -> None:
    """Refuse sizes that cannot be counts of parameters, for shapes, memory and latency."""
    if implausible("N", N):
        raise ValueError(f"{where}: {doubt('N', N)}")


def units_of(axes: Mapping[str, Array], shape: Mapping[str, Array]) -> list[Unit]:
    """The units of N, D and C other than parameters, tokens and FLOPs, as the table's columns imply.

    axes: N, D, C and P, each (n,), as far as the table has them. shape: width and depth. N is compared with
    12 L w^2 (Kaplan et al. 2020, section 2.1), C with 6 N P D or 6 N D. The result is empty
    where no unit agrees or several do.
    """
    found = _by_shape(axes, shape) if "N" in axes and implausible("N", axes["N"]) else []
    known = {unit.axis: unit.worth for unit in found}
    if not {"N", "D", "C"} <= set(axes):
        return found
    return found + _by_compute(axes, known)


def _by_shape(axes: Mapping[str, Array], shape: Mapping[str, Array]) -> list[Unit]:
    if not {"width", "depth"} <= set(shape):
        return []
    ratio = _constant(12 * shape["depth"] * shape["width"] ** 2 / axes["N"])
    for name, worth in COUNTS.items():
        if ratio and 1 / AGREE <= ratio / worth <= AGREE:
            return [Unit("N", worth, f"{name}s", "12 x depth x width^2 is so many parameters")]
    return []


def _by_compute(axes: Mapping[str, Array], known: Mapping[str, float]) -> list[Unit]:
    """The units that make C equal 6 N P D: of N and D if their values are not counts, else of C."""
    N, D, C = axes["N"] * known.get("N", 1.0), axes["D"], axes["C"]
    streams = [axes["P"], np.ones(1)] if "P" in axes and np.ptp(axes["P"]) else [np.ones(1)]
    options: dict[str, list[tuple[str, float]]] = {}
    for axis, values in (("N", N), ("D", D)):
        small = implausible(axis, values)
        options[axis] = [(f"{n}s", w) for n, w in COUNTS.items()] if small else [("", 1.0)]
    options["C"] = [("", 1.0), *FLOPS.items()]
    hits = {}
    for (n, by_N), (d, by_D), (c, by_C) in itertools.product(options["N"], options["D"], options["C"]):
        tokens = float(np.median(D * by_D / (N * by_N)))
        sane = not implausible("N", N * by_N) and not implausible("D", D * by_D)
        if not sane or (by_N * by_D > 1 and not TOKENS_A_PARAMETER[0] <= tokens <= TOKENS_A_PARAMETER[1]):
            continue
        for P in streams:
            ratio = _constant(C * by_C / (6 * N * by_N * P * D * by_D))
            if ratio and 1 / AGREE <= ratio <= AGREE:
                hits[n, d, c] = (by_N, by_D, by_C)
    plain = {names for names in hits if not names[2]}  # C in FLOPs, if it can be
    chosen = plain or set(hits)
    if len(chosen) != 1 or (only := next(iter(chosen))) == ("", "", ""):
        return []
    why = "with it C is 6 N D"
    parts = zip("NDC", only, hits[only], strict=True)
    return [Unit(axis, worth, name, why) for axis, name, worth in parts if name]


def _constant(ratio: Any) -> float:
    """The middle of a ratio that is one constant over the rows, else 0."""
    with np.errstate(all="ignore"):
        logs = np.log(ratio)
    logs = logs[np.isfinite(logs)]
    return float(np.exp(np.median(logs))) if logs.size and float(np.std(logs)) <= EVEN else 0.0
