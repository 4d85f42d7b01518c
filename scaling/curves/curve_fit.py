"""Fitting a law to whole loss curves, and forecasting a curve under another learning-rate schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd
from scipy import special

from scaling.curves.correlated_noise import DRIFT, FLOOR, CorrelatedNoise, estimate_noise
from scaling.curves.curve_laws import AnnealingLaw, CurveLaw, CurvePoints, MultiPowerLaw
from scaling.curves.curve_table import Curve, curves_of
from scaling.curves.schedule import Schedule
from scaling.fitting.save import (
    CURVES,
    FORMAT,
    certificate_of,
    fitted_with,
    objective_of,
    read_checked,
    write_checked,
)
from scaling.laws.base import Array
from scaling.optimise.certificate import Status
from scaling.optimise.estimate import Estimate
from scaling.optimise.multi_start import solve
from scaling.optimise.objectives import LeastSquares, Objective, checked
from scaling.optimise.problem import Problem
from scaling.result_table import ResultTable
from scaling.shown import shown
from scaling.uncertainty.interval_methods import check_level

CURVE_LAWS: dict[str, type[CurveLaw]] = {"multi-power": MultiPowerLaw, "annealing": AnnealingLaw}
STARTS = 12


@dataclass(frozen=True, repr=False)
class CurveFit(ResultTable):
    """A law of loss curves with its certificate: `table` (one row per parameter), `law`, `noise`, `verdict`."""

    table: pd.DataFrame  # index parameter, columns estimate, standard_error, lower, upper
    verdict: str
    law: CurveLaw
    noise: CorrelatedNoise
    estimate: (
        Estimate  # of the problem that was solved, with residuals made independent if they were correlated
    )
    curves: tuple[Curve, ...]  # as fitted: without warm-up, neighbours averaged
    level: float
    covariance: Array  # of the parameters, (p, p)
    notes: tuple[str, ...] = ()
    number = "{:.5g}"

    @property
    def status(self) -> Status:
        """How the fit ended. The evidence is in `estimate.certificate`."""
        return self.estimate.status

    def save(self, path: Any) -> None:
        """Write to `path` as JSON, full precision. `CurveFit.load` gives bit-identical forecasts."""
        write_checked(_to_json(self), path)

    @staticmethod
    def load(path: Any) -> CurveFit:
        """Read the fit saved at `path`. ValueError for another or an edited file, FileNotFoundError if there is none."""
        body = read_checked(path)
        if body.get("kind") != CURVES:
            raise ValueError(f"{path}: no fit of loss curves. Read it with scaling.load.")
        return _from_json(body, path)

    def __reduce__(self) -> Any:
        """Pickled as it is saved: classes bound to points cannot be."""
        return _from_json, (_to_json(self),)

    def forecast(self, schedule: Schedule, steps: Any = None, level: float | None = None) -> pd.DataFrame:
        """The loss of a run of the same model and data, by this law alone: step, lr, loss, lower, upper.

        schedule: of the whole run. steps: where to forecast, (n,), by default the last one. level: of the intervals, by
        default the fit's. ValueError for steps that are not on the schedule. `forecast_curve` takes the mean of several laws.
        """
        return forecast_curve([self], schedule, steps, self.level if level is None else level)

    def moments(self, schedule: Schedule, steps: Array) -> tuple[Array, Array]:
        """The loss that the law expects under a schedule at steps (n,), and its standard deviation, (n,) each.

        The variance is that of the parameters, of a checkpoint about the law, and what laws of curves miss beyond
        the curves they were fitted on: a share of the distance from the nearest fitted curve at an equal sum of the
        learning rate.
        """
        law = self.at(schedule, steps)
        point = np.arange(1.0, steps.size + 1)
        centre, J = np.asarray(law.predict(point=point)), law.gradient(point=point)
        variance = np.einsum("ni,ij,nj->n", J, self.covariance, J) + self.noise.sd**2
        fitted, points = self.residuals["fitted"].to_numpy(), self.law.points
        at = [np.interp(law.points.sums, points.sums[rows], fitted[rows]) for rows, _ in points.runs]
        distance = np.min([np.abs(centre - one) for one in at], axis=0)
        return centre, np.sqrt(variance + (DRIFT * distance) ** 2 + (FLOOR * centre) ** 2)

    def at(self, schedule: Schedule, steps: Array, values: Any = None) -> CurveLaw:
        """The fitted law, or one with other `values` of its parameters, (p,), bound to steps (n,) of a schedule."""
        runs = ((slice(0, steps.size), schedule.segments),)
        points = CurvePoints(steps, schedule.total(steps), runs, self.law.points.peak)
        base = CURVE_LAWS[_name(type(self.law))]
        return base.bound(points).from_vector(self.law.vector if values is None else values)

    @cached_property
    def residuals(self) -> pd.DataFrame:
        """Observed minus fitted loss of every point that was fitted: run, step, lr, loss, fitted, residual."""
        fitted = np.asarray(self.law.predict(point=np.arange(1.0, self.law.points.steps.size + 1)))
        parts = [
            pd.DataFrame({"run": c.run, "step": c.steps, "lr": c.schedule.rate(c.steps), "loss": c.losses})
            for c in self.curves
        ]
        return pd.concat(parts, ignore_index=True).assign(
            fitted=fitted, residual=lambda t: t["loss"] - t["fitted"]
        )

    def plot(self, others: Mapping[str, Curve] | None = None) -> Any:
        """The curves, the law and the residuals. `others`: curves that were not fitted, drawn with their forecasts."""
        from scaling.fitting.plots import plot_curves

        seen = {name: curve.after_warmup().condensed() for name, curve in (others or {}).items()}
        ahead = {name: self.forecast(c.schedule, c.steps).assign(seen=c.losses) for name, c in seen.items()}
        return plot_curves(self.residuals, ahead)


def forecast_curve(
    fits: Sequence[CurveFit], schedule: Schedule, steps: Any = None, level: float = 0.95
) -> pd.DataFrame:
    """Forecast the loss of a run under a schedule, by one law or the mean of several.

    Args:
        fits: of the same curves, one per law.
        schedule: the learning rate at each step.
        steps: at which to forecast, (n,). The last one by default.
        level: of the prediction interval of one new run's checkpoint, between 0 and 1.

    Returns:
        A DataFrame with one row per step: step, lr, loss, lower, upper, losses in nats per token. The interval
        includes how far the laws differ.

    Raises:
        ValueError: for steps that are not on the schedule.
    """
    check_level(level)
    at = np.atleast_1d(np.asarray(schedule.end if steps is None else steps, dtype=np.float64))
    if not fits or not ((at > 0) & (at <= schedule.end)).all():
        raise ValueError(
            f"steps={shown(steps)}: give a fit, and steps above 0 and up to the schedule's end, {schedule.end:g}"
        )
    made = [fit.moments(schedule, at) for fit in fits]
    centres = np.stack([centre for centre, _ in made])
    centre = centres.mean(0)
    spread = np.sqrt(np.mean([sd**2 for _, sd in made], axis=0) + centres.var(0))
    half = special.stdtrit(max(fit.noise.degrees_of_freedom for fit in fits), 0.5 + level / 2) * spread
    columns = {
        "step": at,
        "lr": schedule.rate(at),
        "loss": centre,
        "lower": centre - half,
        "upper": centre + half,
    }
    return pd.DataFrame(columns)


def fit_curves(
    table: Any,
    law: str | type[CurveLaw] = "multi-power",
    *,
    runs: Sequence[str] | None = None,
    objective: Objective | str | None = None,
    start: int = STARTS,
    level: float = 0.95,
    **columns: Any,
) -> CurveFit:
    """Fit a law of loss curves to every checkpoint of runs of one model and data, with their learning rates.

    The result is deterministic. Residuals along a run are correlated: the correlation is estimated from them, and the
    intervals allow for it.

    Args:
        table: one row per checkpoint, as `curves_of` reads it, or the curves that it returned.
        law: "multi-power", "annealing" or a class.
        runs: names of the runs to fit. All by default.
        objective: least squares by default. Published fits use LogHuber(1e-3).
        start: number of starting points.
        level: of the intervals, between 0 and 1.
        columns: options of `curves_of`: run=, loss=, schedules=, warmup=.

    Returns:
        A `CurveFit`.

    Raises:
        ValueError: for a run that the table lacks.
        FitError: if there are too few checkpoints.
    """
    check_level(level)
    chosen, whole = _law_of(law), _asked(table if _are_curves(table) else curves_of(table, **columns), runs)
    curves = tuple(c.after_warmup().condensed() for c in whole)
    estimate = solve(_problem(chosen, curves, checked(objective, LeastSquares())), start)
    noise = estimate_noise(curves, estimate.misfit, estimate.law.gradient(**estimate.axes))
    notes = tuple(note for curve in whole for note in curve.notes)
    return _told(estimate, curves, noise, level, notes)


def _problem(law: type[CurveLaw], curves: Sequence[Curve], objective: Objective) -> Problem:
    """A law of the points of curves, one after the other."""
    y, counts = (np.concatenate([getattr(c, name) for c in curves]) for name in ("losses", "counts"))
    return Problem(law.bound(_points(curves)), (np.arange(1.0, y.size + 1),), y, counts, objective)


def _told(
    estimate: Estimate,
    curves: tuple[Curve, ...],
    noise: CorrelatedNoise,
    level: float,
    notes: tuple[str, ...],
) -> CurveFit:
    """A fit with its intervals and its verdict."""
    covariance = _covariance(estimate, curves, noise)
    rows = _rows(estimate, covariance, special.stdtrit(noise.degrees_of_freedom, 0.5 + level / 2))
    made = CurveFit(rows, "", cast(CurveLaw, estimate.law), noise, estimate, curves, level, covariance, notes)
    return replace(made, verdict=_verdict(made))


def _to_json(fit: CurveFit) -> dict[str, Any]:
    """The fit as plain values: what is not here follows from them."""
    estimate, objective = fit.estimate, fit.estimate.problem.objective
    return {
        "format": FORMAT,
        "kind": CURVES,
        "law": _name(type(fit.law)),
        "parameters": {name: float(getattr(fit.law, name)) for name in fit.law.names()},
        "objective": {"name": type(objective).__name__, **asdict(objective)},
        "certificate": asdict(estimate.certificate),
        "theta": estimate.theta.tolist(),
        "noise": asdict(fit.noise),
        "level": fit.level,
        "notes": list(fit.notes),
        "curves": [curve.to_json() for curve in fit.curves],
        "versions": fitted_with(),
    }


def _from_json(body: dict[str, Any], path: Any = "pickle") -> CurveFit:
    """The inverse of `_to_json`."""
    curves = tuple(Curve.from_json(one) for one in body["curves"])
    problem = _problem(CURVE_LAWS[body["law"]], curves, objective_of(body, path))
    law = cast(Any, problem.law)(**body["parameters"])
    estimate = Estimate(law, problem, np.array(body["theta"]), certificate_of(body))
    return _told(estimate, curves, CorrelatedNoise(**body["noise"]), body["level"], tuple(body["notes"]))


def _law_of(law: Any) -> type[CurveLaw]:
    chosen = CURVE_LAWS.get(law) if isinstance(law, str) else law
    if not (isinstance(chosen, type) and issubclass(chosen, CurveLaw)):
        raise ValueError(f"law={shown(law)}: give one of {', '.join(CURVE_LAWS)}")
    return chosen


def _asked(read: Mapping[str, Curve], runs: Sequence[str] | None) -> list[Curve]:
    """The curves of the runs that were asked for, or all."""
    missing = [name for name in runs or () if name not in read]
    if missing:
        raise ValueError(f"runs: no curve {missing[0]!r}. There are {', '.join(read)}")
    return [read[name] for name in (runs or read)]


def _rows(estimate: Estimate, covariance: Array, t: float) -> pd.DataFrame:
    """Estimate, standard error and interval of each parameter. nan if the curves do not determine it."""
    law, errors = estimate.law, np.sqrt(np.maximum(np.diag(covariance), 0))
    errors = np.where(np.isin(law.names(), estimate.certificate.at_bound) | (errors == 0), np.nan, errors)
    ends = {"lower": law.vector - t * errors, "upper": law.vector + t * errors}
    columns = {"estimate": law.vector, "standard_error": errors, **ends}
    return pd.DataFrame(columns, index=pd.Index(law.names(), name="parameter"))


def _are_curves(table: Any) -> bool:
    return isinstance(table, Mapping) and bool(table) and all(isinstance(c, Curve) for c in table.values())


def _name(kind: type[CurveLaw]) -> str:
    """The name under which a law's class, or one bound to points, is listed."""
    return next(name for name, known in CURVE_LAWS.items() if issubclass(kind, known))


def _points(curves: Sequence[Curve]) -> CurvePoints:
    """The points of curves, one after the other."""
    ends = np.cumsum([0, *(c.steps.size for c in curves)])
    runs = tuple(
        (slice(a, b), c.schedule.segments) for a, b, c in zip(ends[:-1], ends[1:], curves, strict=True)
    )
    steps, sums = (np.concatenate([getattr(c, name) for c in curves]) for name in ("steps", "sums"))
    return CurvePoints(steps, sums, runs, max(c.schedule.peak for c in curves))


def _covariance(estimate: Estimate, curves: Sequence[Curve], noise: CorrelatedNoise) -> Array:
    """Of the parameters, by the sandwich (J'J)^-1 J'RJ (J'J)^-1 sd^2 with R the correlation along runs.

    Parameters at a bound are held there.
    """
    J = estimate.law.gradient(**estimate.axes)
    free = np.array([name not in estimate.certificate.at_bound for name in estimate.law.names()])
    free &= np.linalg.norm(J, axis=0) > 0
    scale = np.linalg.norm(J[:, free], axis=0)
    unit, w = J[:, free] / scale, estimate.problem.w
    bread = np.linalg.pinv((unit.T * w) @ unit, rcond=1e-13)
    ends = np.cumsum([0, *(c.steps.size for c in curves)])
    weighted = unit * w[:, None]
    meat = sum(
        weighted[a:b].T @ noise.correlation(c) @ weighted[a:b]
        for a, b, c in zip(ends[:-1], ends[1:], curves, strict=True)
    )
    out = np.zeros((free.size, free.size))
    out[np.ix_(free, free)] = bread @ meat @ bread * noise.sd**2 / np.outer(scale, scale)
    return out


def _verdict(fit: CurveFit) -> str:
    """The verdict as text, the status first."""
    left, noise = fit.residuals["residual"], fit.noise
    worst = fit.residuals.groupby("run")["residual"].apply(lambda r: float(np.abs(r).mean())).idxmax()
    lines = [
        f"{fit.estimate.certificate.status.value}: {fit.estimate.certificate.detail}.",
        f"{len(fit.curves)} curves, {int(sum(c.counts.sum() for c in fit.curves))} checkpoints: root mean squared residual "
        f"{float(np.sqrt((left**2).mean())):.4f} nats, worst on {worst}.",
        f"Residuals of neighbours are correlated: {noise.share:.0%} of their variance lasts about {noise.length:,.0f} steps."
        if noise.share > 0
        else "Residuals along a run are independent as far as these curves tell.",
        *_untold(fit.table),
        *fit.notes,
    ]
    return "\n".join(lines)


def _untold(table: pd.DataFrame) -> list[str]:
    """The parameters without an interval, or with one that reaches 0."""
    names = [str(name) for name in table.index[~(table["lower"] > 0)] if name != "L0"]
    return (
        [f"These curves do not determine {', '.join(names)}: the interval reaches 0 or is open."]
        if names
        else []
    )
