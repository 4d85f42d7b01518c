"""One law under several ways to count N: without embeddings, with them, with the head, without what streams add.

The exponents of a law depend on which parameters N counts, for small models have most of theirs in the vocabulary's
matrices (Pearce and Song 2024, arXiv 2406.12907). Legend: n runs; V vocabulary, h width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.any_table import as_runs
from scaling.data.runs import usable
from scaling.fitting.fit import fit
from scaling.fitting.result import Fit
from scaling.laws import law_of
from scaling.laws.base import Array, LawForm
from scaling.result_table import ResultTable
from scaling.uncertainty.interval_methods import Method, check_level
from scaling.uncertainty.prediction import default_method

AS_GIVEN = "N of the table"
NO_STREAMS = "without prefixes and aggregation"
ONE_MATRIX = "with embedding, or with head: + V h"
BOTH = "with embedding and head: + 2 V h"
NEEDS = {
    NO_STREAMS: ("P", "width", "layers", "heads", "kv_heads", "prefix_tokens"),
    ONE_MATRIX: ("vocab", "width"),
    BOTH: ("vocab", "width"),
}
ROUNDING = 1e-12  # what is printed as 0
TRUE = ("true", "1", "1.0", "yes")


@dataclass(frozen=True, repr=False)
class Conventions(ResultTable):
    """A law's parameters by how N is counted."""

    table: pd.DataFrame  # a row a way to count and parameter: estimate, lower, upper
    verdict: str
    fits: dict[str, Fit]  # by way to count

    @property
    def shown(self) -> pd.DataFrame:
        """A row a way to count: smallest and largest N, each parameter with its interval, rmse, status."""
        rows = {}
        for name, one in self.fits.items():
            N = one.axes["N"]
            cells = {"N": f"{N.min():.3g} to {N.max():.3g}"}
            for parameter, row in self.table.loc[name].iterrows():
                value, low, high = (f"{0.0 if abs(x) < ROUNDING else x:.3g}" for x in row)
                cells[str(parameter)] = (
                    value if np.isnan([row.lower, row.upper]).all() else f"{value} ({low} to {high})"
                )
            rows[name] = cells | {"rmse": f"{one.rmse:.3g}", "status": str(one.status)}
        return pd.DataFrame.from_dict(rows, orient="index")

    def __repr__(self) -> str:
        from scaling.terminal_text import fold, table, width

        return f"{table(self.shown, width())}\n\n{fold(self.verdict, width())}"


def conventions(
    law: LawForm | str,
    runs: Any,
    objective: Any = None,
    *,
    level: float = 0.95,
    method: Method | None = None,
    **how: Any,
) -> Conventions:
    """Fit the law with N counted in each of the usual ways: with and without embedding, head and what streams add.

    Args:
        law: one with an axis N.
        runs: with N in non-embedding parameters. The columns vocab and width give the vocabulary's matrices, and
            `tied` says whether they are one. P, width, layers, heads, kv_heads and prefix_tokens give what streams add.
        objective: as of `scaling.fit`.
        level: of the intervals, between 0 and 1.
        method: of the intervals, as in `Fit.intervals`.
        how: other arguments of `scaling.fit`, such as fixed or groups.

    Returns:
        `Conventions`, with one row per way of counting. For a law of N and D with exponents alpha and beta, `a` is
        the exponent of N* = G C^a, beta / (alpha + beta). `verdict` says what cannot be counted, and why.

    Raises:
        ValueError: for a law without N.
    """
    check_level(level)
    frame = as_runs(runs, "runs")
    frame = frame[usable(frame)]
    form = law_of(law, frame)
    if "N" not in form.axes:
        raise ValueError(f"{form.__name__} is of {', '.join(form.axes)}: there is no N to count")
    counts, missing = _counts(frame)
    fits = {name: fit(form, frame.assign(N=N), objective, **how) for name, N in counts.items()}
    tables = {name: _parameters(one, level, method) for name, one in fits.items()}
    table = pd.concat(tables, names=["N counted", "parameter"])
    return Conventions(table, _verdict(table, missing), fits)


def _counts(frame: pd.DataFrame) -> tuple[dict[str, Array], list[str]]:
    """N under each convention that the columns allow, (n,) each, and why the others are not there."""
    N = frame["N"].to_numpy(np.float64)
    found, missing = {AS_GIVEN: N}, []
    for name, needs in NEEDS.items():
        lacking = [column for column in needs if column not in frame or frame[column].isna().any()]
        if name == NO_STREAMS and lacking and ("P" in lacking or (frame["P"] == 1).all()):
            missing.append(f"{name}: the table has one stream")
            continue
        if lacking:
            missing.append(f"{name}: it takes {', '.join(lacking)}")
            continue
        columns = {column: frame[column].to_numpy(np.float64) for column in needs}
        counted = (
            N - _of_streams(**columns)
            if name == NO_STREAMS
            else N + _vocabulary(**columns, both=name == BOTH)
        )
        if (counted <= 0).any():
            missing.append(
                f"{name}: N of row {int(np.argmin(counted)) + 1} is smaller than what would be taken off it"
            )
        elif name == BOTH and "tied" in frame and all(str(t).casefold() in TRUE for t in frame["tied"]):
            missing.append(f"{name}: they are tied, one matrix")
        elif np.array_equal(counted, N):
            missing.append(f"{name}: there are none")
        else:
            found[name] = counted
    return found, missing


def _vocabulary(vocab: Array, width: Array, both: bool) -> Array:
    """Parameters of the embedding, or of embedding and head."""
    return vocab * width * (2 if both else 1)


def _of_streams(
    P: Array, width: Array, layers: Array, heads: Array, kv_heads: Array, prefix_tokens: Array
) -> Array:
    """What P streams add: prefixes P 2 n n_kv d layers, and for P > 1 aggregation P h^2 + h + h P + P."""
    prefixes = P * 2 * prefix_tokens * kv_heads * (width // heads) * layers
    return np.asarray(prefixes + (P > 1) * (P * width**2 + width + width * P + P))


def _parameters(one: Fit, level: float, method: Method | None) -> pd.DataFrame:
    """Free parameters with intervals, and the exponent a of the compute-optimal N where the law has one."""
    how = method or default_method(one)
    table = how.parameters(one, level)[["estimate", "lower", "upper"]]
    if {"alpha", "beta"} <= set(one.form.free()) and {"N", "D"} <= set(one.law.axes):
        centre, low, high = how.interval(one, _optimum_exponent, level)
        table.loc["a"] = [float(centre[0]), float(low[0]), float(high[0])]
    return table.rename_axis("parameter")


def _optimum_exponent(law: Any) -> Array:
    """Of N* = G C^a, of a batch of laws, (B, 1)."""
    alpha, beta = (np.atleast_1d(getattr(law, name)) for name in ("alpha", "beta"))
    return np.asarray((beta / (alpha + beta))[:, None])


def _verdict(table: pd.DataFrame, missing: list[str]) -> str:
    """How far the exponent of N moves, and what could not be counted."""
    lines = []
    for name in ("alpha", "a"):
        if name in table.index.get_level_values("parameter"):
            values = table.xs(name, level="parameter")["estimate"]
            if len(values) > 1:
                lines.append(f"{name} is {values.min():.3g} to {values.max():.3g} by what N counts alone.")
    if missing:
        lines.append("Not counted: " + "; ".join(missing) + ".")
    return "\n".join(lines)
