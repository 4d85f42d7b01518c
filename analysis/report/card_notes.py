"""What a report adds to the three answers: what streams cost, why an interval has no end, what to train next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.sweep.results import SweepResults
from scaling.data.groups import corpus_name
from scaling.data.runs import finished_runs
from scaling.selection.verdict import Verdict

NAMED = 6  # missing runs that are named
OPEN = (
    "Why: these runs do not determine E, the loss that no size goes below. The fit to the smaller sizes therefore leaves "
    "the loss of larger ones open, and the interval has no {}."
)
UNBOUNDED = "Why: the fit to the smaller sizes does not determine every constant, so the interval has no {}."
SEEDS = "More random seeds and more sizes narrow what streams are worth."
STREAMS = "Streams need runs at P = 1 and at P = 2 or more."
RANGE = "More random seeds and a wider range show whether it matters."
APART = "More sizes and larger P tell the laws apart."
BETTER = "`parscale compare {}` ranks the laws that fit better."
LARGER = "Larger sizes determine E, which a forecast needs."
BEYOND = "More and larger sizes show whether the law holds beyond the runs."
DONE = "Every planned run is there and every answer is decided. Larger sizes would test the law further."


def card_notes(found: Verdict, runs: pd.DataFrame) -> tuple[str, str, str]:
    """What is said below each of the three answers about these runs. Empty where there is nothing to add."""
    return _worth_and_cost(found, runs), "", _why_open(found)


def price_by_streams(runs: pd.DataFrame) -> pd.Series[float]:
    """The training FLOPs of each P above 1 in those of P = 1, at equal size and tokens. Empty where none can be paired."""
    none = pd.Series(dtype=float)
    keys = [name for name in ("corpus", "size", "D") if name in runs]
    if not {"C", "P", "size"} <= {*runs} or not len(runs):
        return none
    costs = runs.pivot_table(index=keys, columns="P", values="C")
    return costs.div(costs[1], axis=0).median().drop(1).dropna() if 1 in costs else none


def _worth_and_cost(found: Verdict, runs: pd.DataFrame) -> str:
    """What the quoted P is worth and what it costs, in one sentence, and what N is."""
    one = found.streams
    if (P := one.P) is None:
        return ""
    ends = f" ({one.lower:.2f} to {one.upper:.2f})" if np.isfinite(one.upper) else ""
    said = f"P = {P:g} does as well as one stream in a model {one.number:.2f} times as large{ends}"
    cost = price_by_streams(runs).get(P)
    priced = f", and takes {cost:.1f} times the training FLOPs of P = 1" if cost is not None else ""
    return f"{said}{priced}. N: parameters without embeddings, those of streams included."


def _why_open(found: Verdict) -> str:
    """Why nothing can be said of larger sizes, where an interval has no end."""
    one = found.extrapolates
    if one.answer != "cannot tell" or np.isnan(one.number) or np.isfinite([one.lower, one.upper]).all():
        return ""
    end = "upper end" if np.isfinite(one.lower) else "lower end" if np.isfinite(one.upper) else "end"
    return (OPEN if _floor_open(found) else UNBOUNDED).format(end)


def _floor_open(found: Verdict) -> bool:
    """Whether the fit ends with E at its bound: the runs do not determine it."""
    return found.fit is not None and "E" in found.fit.certificate.at_bound


def next_text(sweep: SweepResults) -> str:
    """What to train next: the planned runs that are missing, or else what the verdict asks for."""
    if sweep.to_come:
        return f"Next: {_missing_runs(sweep.to_come, sweep.source)}"
    asks: dict[str, list[str]] = {}
    for corpus, found in sweep.verdicts.items():
        asks.setdefault(" ".join(_asked(found, sweep.source)) or DONE, []).append(corpus_name(corpus))
    if len(asks) == 1:
        return f"Next: {next(iter(asks))}"
    return " ".join(f"Next for {', '.join(names)}: {said}" for said, names in asks.items())


def _missing_runs(names: Sequence[str], source: str) -> str:
    """Missing runs by name, and how to train them."""
    runs = f"{len(names)} planned runs that are" if len(names) > 1 else "planned run that is"
    more = f"; and {len(names) - NAMED} more" if len(names) > NAMED else ""
    named = "; ".join(names[:NAMED]) + more
    return (
        f"Train the {runs} missing ({named}). The command that began the sweep trains only these. "
        f"`parscale status {source}` shows what is left."
    )


def _asked(found: Verdict, source: str) -> list[str]:
    """What would decide the answers that are open, a sentence each."""
    if found.fit is None:
        return ["More runs: no law can be fitted to these."]
    asked = []
    if found.streams.answer == "cannot tell":
        one_P = "P" in found.fit.axes and len(np.unique(found.fit.axes["P"])) < 2
        asked.append(STREAMS if one_P else SEEDS if "P" in found.fit.axes else RANGE)
    if found.law.answer == "cannot tell":
        asked.append(APART)
    elif found.law.answer == "no" and found.comparison is not None:
        gaps = found.comparison.table["delta_aicc"]
        asked += [BETTER.format(source)] * bool(gaps.get(found.fit.form.__name__, 0) > 0)
    if found.extrapolates.answer == "cannot tell":
        asked.append(LARGER if _why_open(found) and _floor_open(found) else BEYOND)
    return asked


def price_text(runs: pd.DataFrame) -> str:
    """The training FLOPs of each P in units of those of P = 1. Empty where none can be paired."""
    ratios = [f"{ratio:.1f} at P = {P:g}" for P, ratio in price_by_streams(finished_runs(runs)).items()]
    return (
        f"Training FLOPs, in those of P = 1 at the same size and tokens: {and_joined(ratios)}."
        if ratios
        else ""
    )


def and_joined(names: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
