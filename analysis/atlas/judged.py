"""What a refit says of a published fit: its constants, its certificate, its rivals, its largest runs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

import scaling
from analysis.atlas.entries import PublishedFit
from scaling import Fit, Law
from scaling.data.levels import held_out, levels_along
from scaling.fitting.summary import parameter_table
from scaling.laws import axes_of_laws, law_of
from scaling.optimise.certificate import Status
from scaling.optimise.multi_start import FitError
from scaling.selection.compare import STRONG, laws_of

NEAR, FAR = 1e-6, 1e-4  # relative excess of the objective: up to NEAR it is ours, up to FAR it is close
LEAST = 0.8  # share of forecasts inside below which it is said how many should be
WIDE = 0.3  # nats: a wider interval of one run says little
FEW = 3  # unseen runs below which nothing is said of a forecast
LEVEL = 0.95
CHECKPOINTS = "column run"  # how groups of rows are named that are checkpoints of one run


@dataclass(frozen=True, eq=False)
class Judged:
    """An entry, its refit and what was found.

    constants: one row per parameter with printed, ours and the interval. excess: by how much the objective at the printed
    constants lies above ours, relative. within: the same of the best values that are rounded to them. rival: the other law
    with the lowest AICc. gap: by how much it is lower than the published law's. ahead: the largest runs with their forecast by
    this law from the rest. held: the fit with the entry's `held` value.
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
        """What holding another constant at the entry's value costs, and how far alpha moves. Empty if none is held."""
        if self.held is None:
            return ""
        at = ", ".join(f"{name} held at {value:g}" for name, value in self.entry.held.items())
        alphas = f"alpha from {self.fit.params['alpha']:.3f} to {self.held.params['alpha']:.3f}"
        times = self.held.objective_value / self.fit.objective_value
        return f"{at} moves {alphas} and multiplies the objective by {times:.2g}"

    @property
    def constants_say(self) -> str:
        """Whether the printed constants come out of the runs."""
        if self.entry.doubt:
            return f"not comparable: {self.entry.doubt}{self._misses}"
        if self.constants["reproduced"].all():
            return "reproduced to the printed digits"
        if self.within <= NEAR:
            lost = f" (the printed digits themselves lie {self.excess:.2%} above)" * bool(self.excess > FAR)
            return f"reproduced: values that round to the printed ones reach our objective{lost}"
        end = f"the objective lies {self.within:.1e} above the least, relative"
        if not self.entry.theirs:
            return f"cannot tell: {end} (as printed {self.excess:.0%}), on rows that may not be all of theirs"
        verdict = "close" if self.within <= FAR else "stopped short"
        return f"{verdict}: {end}, and constants beyond their rounding differ by up to {self.apart:.3g}%{self._all_inside}"

    @property
    def apart(self) -> float:
        """The largest relative difference of a printed constant from ours, per cent, of those that do not round to it."""
        told = self.constants[(self.constants["printed"] != "") & ~self.constants["reproduced"]]
        ours = dict(zip(told["parameter"], told["ours"], strict=True))
        plain = {name: made for name, made in self._told.items() if ours.get(name, 0) != 0}
        return float(max(100 * abs(made / ours[name] - 1) for name, made in plain.items()))

    @property
    def _told(self) -> dict[str, float]:
        """The printed constants as numbers, logarithms undone."""
        return {_plain(name)[0]: _plain(name)[1](float(text)) for name, text in self.entry.printed.items()}

    @property
    def _all_inside(self) -> str:
        """Whether the printed constants that do not round to ours lie in our intervals, in words."""
        told = self.constants[(self.constants["printed"] != "") & ~self.constants["reproduced"]]
        value = told["parameter"].map(self._told).astype(float)
        out = told.loc[(value < told["lower"]) | (value > told["upper"]), "parameter"]
        where = f"our {LEVEL:.0%} intervals"
        return f" ({', '.join(out)} outside {where})" if len(out) else f", all inside {where}"

    @property
    def _misses(self) -> str:
        """By how much of the loss the printed constants and ours miss these rows. Empty if none are printed."""
        if not self.entry.printed:
            return ""
        law, fit = _as_printed(self.fit, self.entry), self.fit
        made = np.asarray(law.predict(**fit.axes))
        off, ours = (float(np.median(np.abs(r / fit.loss))) for r in (fit.loss - made, fit.misfit))
        return f": as printed the law misses them by {off:.0%} of the loss in the median, as refitted by {ours:.0%}"

    @property
    def fit_says(self) -> str:
        """What the refit's certificate says, and what a held constant costs. Empty if it converged."""
        if self.fit.status == Status.CONVERGED:
            return ""
        why = ", ".join(self.fit.certificate.at_bound) or self.fit.certificate.detail
        return "; ".join(word for word in (f"{self.fit.status} ({why})", self.held_says) if word)

    @property
    def rival_says(self) -> str:
        """Whether another law has the better AICc by more than STRONG, and whose checkpoints are counted as rows."""
        if not np.isfinite(self.gap):
            return "none tried"
        if not self.gap > STRONG:
            return "none better by more than 10 AICc"
        runs = len({*map(str, np.asarray(self.fit.groups))}) if self.fit.grouping == CHECKPOINTS else 0
        if not runs:
            return f"{self.rival} is better by {self.gap:.1f} AICc"
        if self.gap * runs / self.fit.loss.size <= STRONG:
            return f"cannot tell: {self.rival} is {self.gap:.0f} AICc better on {self.fit.loss.size} checkpoints of {runs} runs"
        return f"{self.rival} is better ({self.gap:.0f} AICc, counting {self.fit.loss.size} checkpoints of {runs} runs as rows)"

    @property
    def forecast_says(self) -> str:
        """Whether the largest runs lie in the intervals of the forecast by this law from the others."""
        ahead = self.ahead
        if len(ahead) < FEW and not self.entry.asked:
            return "too few larger runs to say"
        inside, width = ahead["inside"], float((ahead["upper"] - ahead["lower"]).median())
        if self.entry.asked:
            return self._beyond_says
        span, half = float(np.ptp(ahead["observed"])), width / 2
        if width > span:
            ends = f"its {LEVEL:.0%} intervals (±{half:.2g} nats)"
            return f"cannot tell: {ends} are wider than the range of these losses ({span:.2g})"
        error = f"mean error {ahead['error'].mean():+.2g}, losses span {span:.2g}"
        due = f", where {LEVEL:.0%} would be {LEVEL * len(inside):.0f}" * bool(inside.mean() < LEAST)
        return (
            f"{inside.sum()} of {self._unseen} in its {LEVEL:.0%} intervals (±{half:.2g} nats, {error}){due}"
        )

    @property
    def _unseen(self) -> str:
        """What was forecast, in words: checkpoints of runs, points along the data, or runs."""
        count = len(self.ahead)
        if self.entry.along != "N":
            return f"the {count} points of the largest {self.entry.along}"
        runs = self.ahead["run"].nunique() if "run" in self.ahead else 0
        return (
            f"{count} checkpoints of the {runs} largest runs"
            if 0 < runs < count
            else f"the {count} largest runs"
        )

    @property
    def _beyond_says(self) -> str:
        """What the law gives for the run beyond, and whether the run lies in the interval."""
        one, law = self.ahead.iloc[0], self.fit.law
        made = float(law.predict(**{axis: self.entry.asked[axis] for axis in law.axes}))
        where = "inside" if one["inside"] else "outside"
        ends = f"{one['lower']:.3f} to {one['upper']:.3f}"
        wide = "" if one["upper"] - one["lower"] < WIDE else ", which is too wide to tell"
        came = f"{one['observed']:.3f}, {where} the {LEVEL:.0%} interval ({ends}{wide})"
        return f"our refit gives {made:.3f} for the run beyond, which came to {came}"

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
    """Refit an entry by its authors' objective, and compare constants, rivals and forecasts."""
    runs = entry.runs
    one = scaling.fit(entry.law, runs, entry.objective)
    printed = entry.printed
    excess, within = (np.nan, np.nan) if entry.doubt or not printed else _excess(one, runs, entry)
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


def _as_printed(one: Fit, entry: PublishedFit) -> Law:
    """The law with the constants as printed. Those that were not printed are ours."""
    told = {
        plain: make(float(text)) for name, text in entry.printed.items() for plain, make in [_plain(name)]
    }
    law: Law = one.form.from_vector(np.array([told.get(n, one.params[n]) for n in one.form.names()]))
    return law


def _excess(one: Fit, runs: pd.DataFrame, entry: PublishedFit) -> tuple[float, float]:
    """The relative excess of the objective at the printed constants, and of the best that rounds to them."""
    printed = {plain: (make, text) for name, text in entry.printed.items() for plain, make in [_plain(name)]}
    at = float(one.problem.value(one.problem.internal(_as_printed(one, entry))[None])[0])
    bounds = {
        n: tuple(make(end) for end in rounding(text)) for n, (make, text) in printed.items() if "[" not in n
    }
    best = scaling.fit(entry.law, runs, entry.objective, bounds=bounds).objective_value
    return at / one.objective_value - 1, min(best, at) / one.objective_value - 1


def _rival(one: Fit, runs: pd.DataFrame, entry: PublishedFit) -> tuple[str, float]:
    """The best other law by AICc, and by how much it is better than this one, negative if it is worse."""
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
    """The runs held out, or the one of `asked`, with `scaling.forecast` of this law from the others."""
    unseen = held_out(levels_along(entry.along, runs[entry.along].to_numpy(float), {}))
    known, test = (runs, pd.DataFrame([entry.asked])) if entry.asked else (runs[~unseen], runs[unseen])
    points: dict[str, Any] = {
        axis: test[axis].to_numpy() for axis in axes_of_laws([entry.law]) if axis in test
    }
    try:
        made = scaling.forecast(known, laws=[entry.law], objective=entry.objective, level=LEVEL, **points)
    except ValueError:  # too few of the others, or a level of a category that is not among them
        return pd.DataFrame(columns=["observed", "error", "inside"])
    found = made.table.assign(observed=test["loss"].to_numpy(float))
    if "run" in test and test["run"].notna().all():
        found["run"] = test["run"].astype(str).to_numpy()
    found["error"] = found["observed"] - found["loss"]
    found["inside"] = (found["lower"] <= found["observed"]) & (found["observed"] <= found["upper"])
    return found
