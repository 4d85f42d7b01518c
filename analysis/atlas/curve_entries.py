"""Laws of whole loss curves in the atlas: the multi-power law, refitted to the schedules that its authors fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import optimize

import scaling
from analysis.atlas.entries import HUBER, cited, printed_of
from analysis.atlas.judged import LEVEL, NEAR, rounding
from analysis.output import figure_style
from scaling.curves.curve_fit import CurveFit, fit_curves, forecast_curve
from scaling.curves.curve_laws import CurveLaw
from scaling.curves.curve_table import Curve, curves_of

TABLE = "loss-curves"
WARMUP = 2160  # steps
FITTED = ("constant_24000", "cosine_24000", "wsdcon_9")
CHOSEN_ON = 25  # millions of parameters of the model whose curves chose the widening of forecasts
MODELS = (25, 100)  # millions of parameters
NAME = "multi-power law of loss curves, {}M"
STEPS = (2_000, 5_000, 10_000, 20_000, 50_000)  # marked in the figure
DONE = "Every checkpoint after the warm-up of the three schedules that were fitted, neighbours averaged to 120 per run"


@dataclass(frozen=True, eq=False)
class CurveJudged:
    """The multi-power law on one model's curves.

    ours: the refit by the authors' objective. rival: the annealing law by the same. ahead: the other schedules at
    their last step, forecast by this law (least squares, `scaling.forecast_curve`).
    """

    name: str
    curves: Mapping[str, Curve]
    ours: CurveFit
    rival: CurveFit
    ahead: pd.DataFrame

    @property
    def others(self) -> dict[str, Curve]:
        """The curves that were not fitted."""
        return {run: curve for run, curve in self.curves.items() if run not in FITTED}

    @cached_property
    def printed(self) -> CurveLaw:
        """The law with the constants as printed, at the points that were fitted."""
        told = printed_of(self.name)
        return self._law([float(told[name]) for name in self.ours.law.names()])

    def _law(self, values: Any) -> CurveLaw:
        law: CurveLaw = self.ours.estimate.problem.law.from_vector(np.asarray(values, dtype=np.float64))  # type: ignore[assignment]
        return law

    def _objective(self, values: Any) -> float:
        """The authors' objective at constants, in units of the least."""
        problem = self.ours.estimate.problem
        at = float(problem.value(problem.internal(self._law(values))[None])[0])
        return at / self.ours.estimate.objective_value

    @cached_property
    def times(self) -> tuple[float, float]:
        """The objective at the printed constants, and at the best that round to them, in units of the least."""
        ends = np.array([rounding(printed_of(self.name)[name]) for name in self.ours.law.names()])
        middle, half = ends.mean(1), np.ptp(ends, axis=1) / 2
        best = optimize.minimize(
            lambda z: self._objective(middle + half * z), np.zeros(len(ends)), bounds=[(-1, 1)] * len(ends)
        )
        at = self._objective(self.printed.vector)
        return at, min(at, float(best.fun))

    @cached_property
    def constants(self) -> pd.DataFrame:
        """Printed and refitted constants, the latter with their intervals."""
        told = printed_of(self.name)
        rows = []
        for name, row in self.ours.table.iterrows():
            low, high = rounding(told[str(name)])
            ours = row["estimate"]
            rows.append((name, told[str(name)], ours, row["lower"], row["upper"], low <= ours <= high))
        return pd.DataFrame(rows, columns=["parameter", "printed", "ours", "lower", "upper", "reproduced"])

    @property
    def constants_say(self) -> str:
        """Whether the printed constants come out of the curves."""
        if self.constants["reproduced"].all():
            return "reproduced to the printed digits"
        if self.times[1] - 1 <= NEAR:
            return "reproduced: the objective is ours within their rounding"
        mean, better = self.errors.mean(), int((self.errors["as printed"] < self.errors["refitted"]).sum())
        return (
            f"cannot tell: on our averaging of the rows the objective is {self.times[1]:.2g} times the least. On the "
            f"{len(self.errors)} other schedules they err by {mean['as printed']:.4f} nats (lower on {better}), "
            f"ours by {mean['refitted']:.4f}"
        )

    @property
    def fit_says(self) -> str:
        """The parameters that the curves do not tell, and the refit's status where it did not converge."""
        table = self.ours.table.drop("L0")
        untold = ", ".join(str(name) for name in table.index[~(table["lower"] > 0)])
        ended = "" if self.ours.status == scaling.Status.CONVERGED else str(self.ours.status)
        return ", ".join(word for word in (ended, f"intervals of {untold} reach 0" * bool(untold)) if word)

    @cached_property
    def errors(self) -> pd.DataFrame:
        """The mean absolute error on each schedule that was not fitted: as printed, refitted, and by the rival."""
        return pd.DataFrame(
            {
                run: {
                    "as printed": self._error(self.printed, curve),
                    "refitted": self._error(self.ours.law, curve),
                    "annealing law": float(
                        np.abs(curve.losses - self.rival.moments(curve.schedule, curve.steps)[0]).mean()
                    ),
                }
                for run, curve in self.others.items()
            }
        ).T

    def _error(self, law: CurveLaw, curve: Curve) -> float:
        made = self.ours.at(curve.schedule, curve.steps, law.vector)
        return float(np.abs(curve.losses - made.predict(point=np.arange(1.0, curve.steps.size + 1))).mean())

    @property
    def rival_says(self) -> str:
        """The errors of the annealing law and of this law on the other schedules."""
        mean = self.errors.mean()
        better = int((self.errors["annealing law"] < self.errors["refitted"]).sum())
        return (
            f"cannot tell: AnnealingLaw, two parameters fewer, errs by {mean['annealing law']:.4f} nats on the "
            f"{len(self.errors)} other schedules (lower on {better}), this law by {mean['refitted']:.4f}"
        )

    @property
    def forecast_says(self) -> str:
        """Whether the other schedules end in the intervals of this law's forecast."""
        half = float((self.ahead["upper"] - self.ahead["lower"]).median() / 2)
        inside = self.ahead["inside"]
        ends = f"±{half:.2g} nats, mean error {self.ahead['error'].mean():+.2g}"
        chosen = ". Its widening was chosen on these curves" * (f"{CHOSEN_ON}M" in self.name)
        return f"{inside.sum()} of the {len(inside)} other schedules end in its {LEVEL:.0%} intervals ({ends}){chosen}"

    @property
    def source(self) -> str:
        """Publication, licence of the curves."""
        return cited("Luo et al. 2025, arXiv 2503.12811, Eq 1 and 2", TABLE)

    @property
    def row(self) -> dict[str, Any]:
        """A line of the atlas."""
        estimate = self.ours.estimate
        return {
            "entry": self.name, "law": "multi-power", "rows": estimate.loss.size, "objective": HUBER.name,
            "ours": estimate.objective_value, "excess": self.times[0] - 1, "within_rounding": self.times[1] - 1,
            "constants": self.constants_say, "status": str(self.ours.status), "certificate": self.fit_says,
            "rmse": estimate.rmse, "better_rival": self.rival_says, "unseen": len(self.ahead),
            "covered": float(self.ahead["inside"].mean()), "mean_error": float(self.ahead["error"].mean()),
            "forecast": self.forecast_says, "source": self.source, "done": DONE,
        }  # fmt: skip

    def figure(self) -> Figure:
        """The curves with the refitted law, and the errors of three laws on each schedule that was not fitted."""
        figure, (left, right) = figure_style.new_figure(1, 2, height=3.0)
        with figure_style.house_style():
            for run, curve in self.curves.items():
                seen = curve.after_warmup().condensed()
                left.plot(seen.steps, seen.losses, ".", ms=1.5, color=figure_style.GREY)
                law = self.ours.at(curve.schedule, seen.steps, self.ours.law.vector)
                style: dict[str, Any] = {"ls": "-" if run in FITTED else "--", "lw": 0.9}
                left.plot(seen.steps, law.predict(point=np.arange(1.0, seen.steps.size + 1)), **style)
            left.set_xscale("log")
            left.set_xticks(STEPS, [f"{step:,}" for step in STEPS])
            left.minorticks_off()
            left.set(xlabel="step", ylabel="loss (nats per token)", title="fitted, dashed: forecast")
            place = np.arange(len(self.errors))
            for mark, column in zip(("s", "o", "^"), self.errors, strict=True):
                right.plot(self.errors[column], place, mark, ms=4, label=column)
            right.set_yticks(place, self.errors.index)
            right.set_xlim(left=0)
            right.set(xlabel="mean absolute error (nats)", title="schedules not fitted")
            right.legend(fontsize=7)
        return figure


def judged_curves() -> list[CurveJudged]:
    """The multi-power law on both models whose curves are public."""
    return [_judge(model) for model in MODELS]


def _judge(model: int) -> CurveJudged:
    table = scaling.published(TABLE)
    curves = curves_of(table[table["model_M"] == model], run="schedule", warmup=WARMUP)
    ours, rival = (
        fit_curves(curves, law, runs=FITTED, objective=HUBER) for law in ("multi-power", "annealing")
    )
    plain = fit_curves(curves, "multi-power", runs=FITTED)
    rows = []
    for run, curve in curves.items():
        if run not in FITTED:
            made = forecast_curve([plain], curve.schedule, curve.steps[-1], LEVEL).iloc[0]
            seen = float(curve.losses[-1])
            inside = bool(made["lower"] <= seen <= made["upper"])
            rows.append(
                {"run": run, **made, "observed": seen, "error": seen - made["loss"], "inside": inside}
            )
    return CurveJudged(NAME.format(model), curves, ours, rival, pd.DataFrame(rows))
