"""What a refit says of a published fit: its constants, its certificate, its rivals, its largest runs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

import scaling
from analysis.atlas.entries import PublishedFit
from scaling import Fit
from scaling.data.levels import held_out, levels_along
from scaling.fitting.summary import parameter_table
from scaling.laws import axes_of_laws, law_of
from scaling.optimise.certificate import Status
from scaling.optimise.multi_start import FitError
from scaling.selection.compare import STRONG, laws_of

NEAR, FAR = 1e-6, 1e-4  # relative excess of the objective: as good as ours, and clearly not as good
FEW = 3  # unseen runs below which nothing is said of a forecast
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Judged:
    """An entry, its refit and what was found.

    constants: a row a parameter: printed, ours, and the interval. excess: by how much the objective at the printed
    constants lies above ours, relative; within: the same of the best values that are rounded to them. rival: the law
    that AICc puts first, and gap: how far before the published law. ahead: the largest runs with their forecast by
    this law from the rest. held: the fit with the entry's `held`.
    """

    entry: PublishedFit
    fit: Fit
    constants: pd.DataFrame
    excess: float
    within: float
    rival: str
    gap: float
    ahead: pd.DataFrame
    held: Fit | None

    @property
    def held_says(self) -> str:
        """How far alpha moves where another constant is held at the entry's value; empty where none is."""
        if self.held is None:
            return ""
        at = ", ".join(f"{name} held at {value:g}" for name, value in self.entry.held.items())
        return f"{at} moves alpha from {self.fit.params['alpha']:.3f} to {self.held.params['alpha']:.3f}"

    @property
    def constants_say(self) -> str:
        """Whether the printed constants come out of the runs."""
        if self.entry.doubt:
            return f"not comparable: {self.entry.doubt}"
        if self.constants["reproduced"].all():
            return "reproduced to the printed digits"
        if self.within <= NEAR:
            lost = f", which costs {self.excess:.1g} of it" * bool(self.excess > FAR)
            return f"reproduced: the objective is ours within their rounding{lost}"
        end = f"the objective ends {self.within:.1e} above the least, relative"
        return (
            f"stopped short: {end}"
            if self.entry.theirs
            else f"near: {end}, on rows that may not be all of theirs"
        )

    @property
    def fit_says(self) -> str:
        """What the refit's certificate says; empty where it converged."""
        if self.fit.status == Status.CONVERGED:
            return ""
        return (
            f"{self.fit.status} ({', '.join(self.fit.certificate.at_bound) or self.fit.certificate.detail})"
        )

    @property
    def rival_says(self) -> str:
        """Whether another law has the better AICc by more than STRONG."""
        return f"{self.rival} is better by {self.gap:.0f} AICc" if self.gap > STRONG else ""

    @property
    def forecast_says(self) -> str:
        """Whether the largest runs lie in the intervals of the forecast by this law from the others."""
        if len(self.ahead) < FEW and not self.entry.asked:
            return "too few larger runs to say"
        inside, half = self.ahead["inside"], float((self.ahead.upper - self.ahead.lower).median() / 2)
        if self.entry.asked:
            return f"the run beyond lies {'in' if inside.all() else 'outside'} its {LEVEL:.0%} interval (±{half:.2g} nats)"
        return f"{inside.sum()} of the {len(inside)} largest runs in its {LEVEL:.0%} intervals (±{half:.2g} nats)"

    @property
    def row(self) -> dict[str, Any]:
        """A line of the atlas."""
        return {
            "entry": self.entry.name, "law": self.entry.law, "rows": self.fit.loss.size,
            "objective": self.fit.problem.objective.name, "ours": self.fit.objective_value, "excess": self.excess,
            "within_rounding": self.within, "constants": self.constants_say,
            "status": str(self.fit.status), "certificate": self.fit_says, "held": self.held_says, "rmse": self.fit.rmse,
            "rival": self.rival, "gap_aicc": self.gap, "better_rival": self.rival_says,
            "unseen": len(self.ahead), "covered": float(self.ahead["inside"].mean()) if len(self.ahead) else np.nan,
            "mean_error": float(self.ahead["error"].mean()) if len(self.ahead) else np.nan,
            "forecast": self.forecast_says, "source": self.entry.source, "done": self.entry.done,
        }  # fmt: skip


def judge(entry: PublishedFit) -> Judged:
    """Refit an entry by its authors' objective, and look at it from every side."""
    runs = entry.runs
    one = scaling.fit(entry.law, runs, entry.objective)
    printed = entry.printed
    excess, within = _excess(one, runs, entry) if printed else (np.nan, np.nan)
    rival, gap = _rival(one, runs, entry)
    held = scaling.fit(entry.law, runs, entry.objective, fixed=entry.held) if entry.held else None
    return Judged(entry, one, _constants(one, printed), excess, within, rival, gap, _ahead(runs, entry), held)


def rounding(printed: str) -> tuple[float, float]:
    """The least and the largest number that is printed so."""
    value = Decimal(printed)
    half = Decimal(5).scaleb(int(value.as_tuple().exponent) - 1)
    return float(np.nextafter(float(value - half), -np.inf)), float(np.nextafter(float(value + half), np.inf))


def _plain(name: str) -> tuple[str, Any]:
    """A parameter's own name and what makes its value of what was printed."""
    return (name[4:], np.exp) if name.startswith("log_") else (name, float)


def _constants(one: Fit, printed: dict[str, str]) -> pd.DataFrame:
    """Printed and refitted constants, the latter with their intervals."""
    intervals = parameter_table(one, LEVEL)
    rows = []
    for name, value in zip(one.form.names(), one.params, strict=True):
        text = printed.get(name, printed.get(f"log_{name}", ""))
        shown = np.log(value) if text and name not in printed else value
        low, high = rounding(text) if text else (np.nan, np.nan)
        ends: Any = (np.nan, np.nan)
        if intervals is not None and name in intervals.index:
            ends = intervals.loc[name, ["lower", "upper"]]
        rows.append((name, text, value, *ends, bool(text) and low <= shown <= high))
    return pd.DataFrame(rows, columns=["parameter", "printed", "ours", "lower", "upper", "reproduced"])


def _excess(one: Fit, runs: pd.DataFrame, entry: PublishedFit) -> tuple[float, float]:
    """The relative excess of the objective at the printed constants, and of the best that rounds to them."""
    printed = {plain: (make, text) for name, text in entry.printed.items() for plain, make in [_plain(name)]}
    form = one.form
    values = {n: printed[n][0](float(printed[n][1])) if n in printed else one.params[n] for n in form.names()}
    law = form.from_vector(np.array([*values.values()]))
    at = float(one.problem.value(one.problem.internal(law)[None])[0])
    bounds = {
        n: tuple(make(end) for end in rounding(text)) for n, (make, text) in printed.items() if "[" not in n
    }
    best = scaling.fit(entry.law, runs, entry.objective, bounds=bounds).objective_value
    return at / one.objective_value - 1, min(best, at) / one.objective_value - 1


def _rival(one: Fit, runs: pd.DataFrame, entry: PublishedFit) -> tuple[str, float]:
    """The best other law by AICc, and how far it lies before this one; negative where it lies behind."""
    try:
        others = [law_of(name, runs) for name in entry.rivals] or laws_of(runs)
        table = scaling.compare([one.form, *others], runs, entry.objective).table["aicc"].dropna()
    except FitError:
        return "", float("nan")
    name = one.form.__name__
    rest = table.drop(name, errors="ignore")
    if name not in table or rest.empty:
        return "", float("nan")
    return str(rest.idxmin()), float(table[name] - rest.min())


def _ahead(runs: pd.DataFrame, entry: PublishedFit) -> pd.DataFrame:
    """The runs held out, or the one that is asked for, with `scaling.forecast` of this law from the others."""
    unseen = held_out(levels_along(entry.along, runs[entry.along].to_numpy(float), {}))
    known, test = (runs, pd.DataFrame([entry.asked])) if entry.asked else (runs[~unseen], runs[unseen])
    points: dict[str, Any] = {
        axis: test[axis].to_numpy() for axis in axes_of_laws([entry.law]) if axis in test
    }
    try:
        made = scaling.forecast(known, laws=[entry.law], level=LEVEL, **points)
    except ValueError:  # too few of the others, or a level of a category that is not among them
        return pd.DataFrame(columns=["observed", "error", "inside"])
    found = made.table.assign(observed=test["loss"].to_numpy(float))
    found["error"] = found["observed"] - found["loss"]
    found["inside"] = (found["lower"] <= found["observed"]) & (found["observed"] <= found["upper"])
    return found
