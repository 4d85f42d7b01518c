"""Forecasting a run's final loss while it trains, from its curve so far and the learning rate that is planned.

The law is that of `scaling.curves.curve_laws.AnnealingLaw`. A few hundred steps at a nearly constant learning rate do
not determine its exponent or the effect of the decay, so these have priors, and the forecast is a weighted sample. Kernel,
exponent and size of the decay are drawn, L0 and A are solved for, and draws are weighted by how well they fit the curve
(importance sampling in two rounds). Runs of the sweep that have ended show how far off such forecasts were, and by how
much the validation loss exceeds the training loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import linalg

from scaling.curves.correlated_noise import DRIFT, FLOOR
from scaling.curves.curve_table import Curve, curves_and_left_out
from scaling.curves.schedule import Schedule
from scaling.laws.base import Array
from scaling.optimise.blas_threads import one_thread
from scaling.result_table import ResultTable
from scaling.uncertainty.interval_methods import check_level

# Priors: mean and standard deviation of the logarithms of alpha, of tau in steps, and of what the whole memory of the
# learning rate is worth as a share of the fall of the loss so far. Wide enough for the public curves and our own.
PRIOR = np.array([np.log(0.45), np.log(60.0), np.log(0.3)]), np.array([0.5, 1.2, 0.7])
DRAWS, TAUS = 2_000, 24
POINTS = 60  # of a curve, at most
LEAST = 8  # checkpoints after the warm-up that a forecast needs
SHARED, LASTING = (
    0.3,
    0.15,
)  # of the residuals' variance what neighbours share, and over what part of the curve it lasts
FEWEST, MOST = 3, 12  # runs that have ended by which a forecast is corrected
FEW_DRAWS = 500  # for what only a median is wanted of
WHOLE = 0.995  # of its steps: a run whose curve reaches that far has ended
ENOUGH = 5  # runs that have ended from which their errors alone make the interval


@dataclass(frozen=True, repr=False)
class FinalForecasts(ResultTable):
    """Final losses of runs in training: `table` (one row per run), `verdict`, `cannot_win()`."""

    table: (
        pd.DataFrame
    )  # index run, columns share, step, steps, state, now, final, lower, upper, wins, of, note
    verdict: str
    level: float
    number = "{:.4g}"

    def cannot_win(self, chance: float = 0.02) -> list[str]:
        """Runs in training with less than this `chance` of the lowest final loss among their rivals.

        A run that has not begun, or has too few checkpoints for a forecast, is never named. It does not count as a rival.
        """
        going = self.table[(self.table["state"] == "running") & (self.table["wins"] < chance)]
        return [str(run) for run in going.index]


def forecast_finals(
    table: Any,
    planned: Mapping[str, Schedule],
    *,
    finals: Mapping[str, float] | None = None,
    rivals: Mapping[str, Any] | None = None,
    level: float = 0.95,
    seed: int = 0,
    **columns: Any,
) -> FinalForecasts:
    """Forecast the final loss of every run of a sweep from its curve so far and its planned schedule.

    Args:
        table: one row per checkpoint, as `curves_of` reads it (run, step, lr and the training loss), or the curves
            that it returned.
        planned: the whole schedule of each run. A run has ended when its curve reaches the end of its plan.
        finals: validation losses of runs that ended, nats per token. With three or more, forecasts are of the
            validation loss (column `of` is "validation"). They are corrected by the errors of forecasts of up to 12 of
            these runs, the nearest in loss, at the same share of their steps. Otherwise forecasts are of the smoothed
            training loss at the end.
        rivals: a label for each run. Runs with one label compete, as trials of a search do. By default all compete.
        level: of the prediction intervals, between 0 and 1.
        seed: random seed of the samples.
        columns: options of `curves_of` by name.

    Returns:
        `FinalForecasts`. Runs that diverged, or have fewer than 8 checkpoints after their warm-up, have no forecast and
        give the reason in `note`.
    """
    check_level(level)
    curves, left_out = (dict(table), {}) if _given_curves(table) else _read(table, columns)
    known = {str(run): float(loss) for run, loss in (finals or {}).items()}
    trials = _Trials(curves, left_out, planned, known, seed)
    rows, samples = [], {}
    for run in planned:
        row, sample = trials.row(run, level)
        rows.append(row)
        if sample is not None:
            samples[run] = sample
    order = ["share", "step", "steps", "state", "now", "final", "lower", "upper", "wins", "of", "note"]
    made = (
        pd.DataFrame(rows)
        .set_index("run")
        .assign(wins=pd.Series(_wins(samples, rivals or {}, seed), dtype=np.float64))
    )
    made = made.reindex(columns=order)
    return FinalForecasts(made, _verdict(made, level, trials), level)


def forecast_end(curve: Curve, schedule: Schedule, seed: int = 0, draws: int = DRAWS) -> Array | None:
    """A sample of the training loss at the end of a run's plan, (draws,), from its curve so far. None if it is short."""
    seen = curve.after_warmup().condensed(POINTS)
    if seen.steps.size < LEAST:
        return None
    with one_thread():
        return _Sampler(seen, schedule).sample(np.random.default_rng(seed), draws)


class _Sampler:
    """The law's posterior at the end of the plan: draws of (alpha, tau, decay), L0 and A in closed form."""

    def __init__(self, seen: Curve, schedule: Schedule) -> None:
        self.y, n = seen.losses, seen.steps.size
        at = np.append(seen.steps, schedule.end)
        S = schedule.total(at)
        self.log_S = np.log(S / S[n - 1])  # so that A is the power's part of the loss now
        self.fall = max(
            float(seen.losses[:3].mean() - seen.losses[-3:].mean()), 0.01 * float(seen.losses[-1])
        )
        apart = np.abs(np.subtract.outer(seen.steps, seen.steps)) / max(
            LASTING * float(np.ptp(seen.steps)), 1.0
        )
        R = SHARED * np.exp(-apart) + np.diag((1 - SHARED) * seen.counts.mean() / seen.counts)
        self.W = linalg.solve_triangular(np.linalg.cholesky(R), np.eye(n), lower=True)
        self.taus = np.geomspace(1.0, max(float(schedule.end), 100.0), TAUS)
        self.memory = np.stack(
            [_memory(schedule, at, tau) for tau in self.taus]
        )  # (TAUS, n + 1), of the peak

    def sample(self, rng: np.random.Generator, draws: int) -> Array:
        """Two rounds: draws of the prior, then of a normal about what they found."""
        mean, sd = PRIOR
        z = mean + sd * rng.standard_normal((draws, 3))
        log_w, ends, spread = self.weigh(z)
        w = _normalised(log_w)
        centre = w @ z
        wide = 1.5 * (z - centre).T @ ((z - centre) * w[:, None]) + np.diag((0.1 * sd) ** 2)
        root = np.linalg.cholesky(wide)
        second = centre + rng.standard_normal((draws, 3)) @ root.T
        log_w, ends, spread = self.weigh(second)
        prior = -0.5 * (((second - mean) / sd) ** 2).sum(1)
        proposed = -0.5 * (linalg.solve_triangular(root, (second - centre).T, lower=True) ** 2).sum(0)
        chosen = rng.choice(draws, draws, p=_normalised(log_w + prior - proposed))
        noise = spread[chosen] * rng.standard_t(max(self.y.size - 2, 3), draws)
        still = np.hypot(DRIFT * (self.y[-3:].mean() - ends[chosen]), FLOOR * self.y[-1])
        drift = still * rng.standard_normal(draws)
        return np.asarray(ends[chosen] + noise + drift)

    def weigh(self, z: Array) -> tuple[Array, Array, Array]:
        """Log marginal likelihood of draws (B, 3), the loss each expects at the end, and its standard deviation."""
        n = self.y.size
        alpha, tau, decay = np.exp(z.T)
        nearest = np.abs(np.log(tau)[:, None] - np.log(self.taus)).argmin(1)
        part = (decay * self.fall)[:, None] * self.memory[nearest]  # (B, n + 1)
        power = np.exp(-alpha[:, None] * self.log_S)
        white_y = (self.y - part[:, :n]) @ self.W.T
        one, fallen = self.W.sum(1), power[:, :n] @ self.W.T
        G = np.empty((len(z), 2, 2))
        G[:, 0, 0], G[:, 0, 1], G[:, 1, 1] = one @ one, fallen @ one, (fallen**2).sum(1)
        G[:, 1, 0] = G[:, 0, 1]
        G[:, [0, 1], [0, 1]] *= 1 + 1e-9
        moment = np.stack([white_y @ one, (white_y * fallen).sum(1)], axis=1)
        inverse = np.linalg.inv(G)
        c = (inverse @ moment[..., None])[..., 0]
        left = np.maximum((white_y**2).sum(1) - (c * moment).sum(1), 1e-12)
        at_end = np.stack([np.ones(len(z)), power[:, n]], axis=1)
        variance = left / max(n - 2, 1)
        spread = np.sqrt(variance * (np.einsum("bi,bij,bj->b", at_end, inverse, at_end) + SHARED))
        log_w = -0.5 * np.linalg.slogdet(G)[1] - 0.5 * (n - 2) * np.log(left)
        log_w = np.where((c[:, 0] < 0) | (c[:, 1] < 0), -np.inf, log_w)
        return log_w, (c * at_end).sum(1) + part[:, n], spread


def _memory(schedule: Schedule, at: Array, tau: float) -> Array:
    """What the learning rate of the past weighs at steps, in units of the peak: near 1 until the rate falls."""
    near, far, slope = schedule.segments.step_lags(at[:, None])
    slope = np.where(schedule.segments.first_step >= schedule.warm, slope, 0.0)
    return np.asarray(
        1 + ((far - near) - tau * (np.exp(-near / tau) - np.exp(-far / tau))) @ (slope / schedule.peak)
    )


def _normalised(log_w: Array) -> Array:
    top = log_w.max()
    if not np.isfinite(top):
        return np.full(log_w.size, 1 / log_w.size)
    w = np.exp(log_w - top)
    return np.asarray(w / w.sum())


class _Trials:
    """Forecasts of running runs, corrected by what forecasts of ended runs at the same share were off by."""

    def __init__(
        self,
        curves: Mapping[str, Curve],
        left_out: Mapping[str, str],
        planned: Mapping[str, Schedule],
        finals: Mapping[str, float],
        seed: int,
    ) -> None:
        self.curves, self.left_out = curves, left_out
        self.planned, self.finals, self.seed = planned, finals, seed
        self.ended = [r for r in planned if r in curves and curves[r].steps[-1] >= WHOLE * planned[r].end]
        judged = [run for run in self.ended if run in finals]
        self.of = "validation" if len(judged) >= FEWEST else "training"
        self.judged = judged if self.of == "validation" else self.ended
        self._errors: dict[tuple[float, str], float] = {}

    def row(self, run: str, level: float) -> tuple[dict[str, Any], Array | None]:
        """A run's row of the table, and a sample of its final loss where there is a forecast."""
        curve, end = self.curves.get(run), self.planned[run].end
        if curve is None:
            why = self.left_out.get(run)
            told = ("left out", why) if why else ("not begun", "no checkpoints yet")
            facts: dict[str, Any] = dict(zip(("state", "note"), told, strict=True))
            return {"run": run, "share": 0.0, "step": 0.0, "steps": end, "of": self.of, **facts}, None
        at, now = float(curve.steps[-1]), _smoothed(curve)
        facts = {
            "run": run,
            "share": min(at / end, 1.0),
            "step": at,
            "steps": end,
            "of": self.of,
            "now": now,
            "note": "",
        }
        if run in self.ended:
            final = self.finals.get(run, now)
            return facts | {"state": "ended", "final": final, "lower": final, "upper": final}, np.full(
                DRAWS, final
            )
        made = self.forecast(run, curve)
        if made is None:
            return facts | {
                "state": "running",
                "note": f"fewer than {LEAST} checkpoints after the warm-up",
            }, None
        ends = np.quantile(made, [(1 - level) / 2, 0.5, (1 + level) / 2])
        return facts | {"state": "running", **dict(zip(("lower", "final", "upper"), ends, strict=True))}, made

    def forecast(self, run: str, curve: Curve) -> Array | None:
        """A sample of a run's final loss, (DRAWS,). None for a curve that is too short."""
        made = forecast_end(curve, self.planned[run], self.seed)
        errors = (
            np.empty(0) if made is None else self.errors(float(curve.steps[-1] / self.planned[run].end), run)
        )
        if made is None or errors.size < FEWEST:
            return made
        off, k = float(errors.mean()), errors.size
        rng = np.random.default_rng([self.seed, *run.encode()])
        t = float(errors.std(ddof=1)) * rng.standard_t(k - 1, DRAWS)
        if (
            k < ENOUGH
        ):  # too few to tell the spread of one: the curve's own sample, and the error of their mean
            return np.asarray(made + off + t / np.sqrt(k))
        return np.asarray(np.median(made) + off + t * np.sqrt(1 + 1 / k))

    def errors(self, share: float, run: str) -> Array:
        """Final loss minus its forecast at a share of the steps, (k,), of the ended runs that are nearest in loss."""
        share = round(share, 2)
        like = self._like(run, share)
        for one in like:
            if (share, one) not in self._errors:
                whole, schedule = self.curves[one], self.planned[one]
                made = forecast_end(whole.until(share * schedule.end), schedule, self.seed, FEW_DRAWS)
                final = (
                    self.finals.get(one, _smoothed(whole)) if self.of == "validation" else _smoothed(whole)
                )
                self._errors[share, one] = np.nan if made is None else final - float(np.median(made))
        found = np.array([self._errors[share, one] for one in like])
        return np.asarray(found[np.isfinite(found)])

    def _like(self, run: str, share: float) -> list[str]:
        """Runs that ended, at most MOST of them: those whose loss at the share was nearest to this one's."""
        here = _smoothed(self.curves[run])
        apart = {
            one: abs(_smoothed(self.curves[one].until(share * self.planned[one].end)) - here)
            for one in self.judged
        }
        return sorted(apart, key=lambda one: apart[one])[:MOST]


def _smoothed(curve: Curve) -> float:
    """The mean loss of the last twentieth of a curve's checkpoints, three at least."""
    return float(curve.losses[-max(3, curve.losses.size // 20) :].mean()) if curve.losses.size else np.inf


def _given_curves(table: Any) -> bool:
    return isinstance(table, Mapping) and all(isinstance(c, Curve) for c in table.values())


def _read(table: Any, columns: Mapping[str, Any]) -> tuple[dict[str, Curve], dict[str, str]]:
    """The curves of a table, and why other runs are left out. A table without rows has none."""
    return curves_and_left_out(table, **columns) if len(table) else ({}, {})


def _wins(samples: Mapping[str, Array], rivals: Mapping[str, Any], seed: int) -> dict[str, float]:
    """The chance of each run to have the lowest final loss of its rivals, runs taken as independent.

    Samples of the same seed share their random numbers, so each is put into an order of its own first.
    """
    mixed = {run: np.random.default_rng([seed, *run.encode()]).permutation(s) for run, s in samples.items()}
    found: dict[str, float] = {}
    for label in {rivals.get(run) for run in mixed}:
        some = [run for run in mixed if rivals.get(run) == label]
        best = np.stack([mixed[run] for run in some]).argmin(0)
        found |= {run: float((best == i).mean()) for i, run in enumerate(some)}
    return found


def _verdict(table: pd.DataFrame, level: float, trials: _Trials) -> str:
    """What the forecasts say, and what they rest on."""
    going = table[(table["state"] == "running") & table["final"].notna()]
    if going.empty:
        return "No run in training has checkpoints enough for a forecast."
    lead = str(table["final"].idxmin())
    best = table.loc[lead]
    rest = f"{len(trials.judged)} runs that ended" if trials.of == "validation" else "the runs' own curves"
    return (
        f"{len(going)} runs forecast, {level:.0%} intervals of the {trials.of} loss, from {rest}. "
        f"Lowest: {lead}, {best['final']:.4f} ({best['lower']:.4f} to {best['upper']:.4f})."
    )
