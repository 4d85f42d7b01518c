"""The estimate as a value: a law with its data, certificate and residuals."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.reading import NOTHING, Reading
from scaling.laws.base import Array, Law, LawForm
from scaling.optimise.certificate import Certificate, Status
from scaling.optimise.identifiability import undetermined
from scaling.optimise.objectives import LogHuber
from scaling.optimise.problem import Problem
from scaling.optimise.robust_scale import location_scale
from scaling.shown import shown

EXACT = 1e-10  # residuals below this share of the loss are rounding: no law is better for having less of it


def must_be_fit(given: Any) -> None:
    """Refuse what is no fit."""
    if not isinstance(given, Estimate):
        raise ValueError(f"fit={shown(given)} is no fit: give what scaling.fit returns")


@dataclass(frozen=True, eq=False)
class Estimate:
    """A fitted law with its data and certificate: a value, never changed. Everything below `Fit` works on it."""

    law: Law
    problem: Problem
    theta: Array  # the optimum in the solver's coordinates, (p,)
    certificate: Certificate
    excluded: int = 0  # rows left out: their status is not "ok", or they are stage 1 of others
    groups: Any = None  # cluster label a row (one configuration or run), or None
    index: Any = None  # label of each fitted row in its table, (n,), or None: 0, 1, ...
    grouping: str = ""  # how groups were found: "given", "column NAME", "size", "cell". "off": not looked for
    reading: Reading = NOTHING  # what reading the table guessed, and the unit of its loss
    runs: Any = (
        None  # columns of the fitted rows by name: loss, N, P, D, size, seed, corpus. None once loaded
    )

    @property
    def form(self) -> LawForm:
        """The law that was fitted: its class, with the values fixed and the bounds set, if there are any."""
        return self.problem.law

    # ---- how it ended -----------------------------------------------------------------------
    @property
    def status(self) -> Status:
        """How the fit ended. `certificate` has the evidence."""
        return self.certificate.status

    @property
    def starts_agreeing(self) -> int:
        """Starts that reached the best objective."""
        return self.certificate.starts_agreeing

    @property
    def condition_number(self) -> float:
        """Of the Jacobian in the law's own parameters, columns scaled to length 1."""
        return self.certificate.condition_number

    @property
    def objective_value(self) -> float:
        """Sum of the objective over rows, unscaled."""
        return float(self.problem.value(self.theta[None])[0])

    # ---- how close it is --------------------------------------------------------------------
    @property
    def axes(self) -> dict[str, Array]:
        """The axes the law was fitted on, each (n,)."""
        return dict(zip(self.law.axes, self.problem.x, strict=True))

    @property
    def loss(self) -> Array:
        """Observed losses, (n,), nats per token."""
        return self.problem.y

    @cached_property
    def predicted(self) -> Array:
        """Fitted losses, (n,), nats per token."""
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # a prefactor beyond all numbers: the status says so
            return self.law._loss(*self.problem.x)

    @property
    def misfit(self) -> Array:
        """Observed minus fitted loss, (n,), nats per token."""
        return self.loss - self.predicted

    @property
    def residuals(self) -> pd.Series[float]:
        """Observed minus fitted loss, nats per token: a Series on the index of the fitted table, (n,)."""
        return pd.Series(self.misfit, index=self.index, name="residual")

    @property
    def r2(self) -> float:
        """1 - SS_res / SS_tot on the loss, nan when all losses are equal. Never read it alone."""
        w = self.problem.w
        total = float((w * (self.loss - np.average(self.loss, weights=w)) ** 2).sum())
        return 1 - float((w * self.misfit**2).sum()) / total if total > 0 else float("nan")

    @property
    def rmse(self) -> float:
        """Root mean squared residual, nats per token, each row as often as it counts."""
        return float(np.sqrt((self.problem.w * self.misfit**2).sum() / self.problem.w.sum()))

    @property
    def max_error(self) -> float:
        """Largest absolute residual, nats per token."""
        return float(np.abs(self.misfit).max())

    @property
    def degrees_of_freedom(self) -> float:
        """Rows, each as often as its weight counts it, minus free parameters."""
        return self.problem.count - len(self.form.free())

    @property
    def n(self) -> float:
        """Rows, each as often as its weight counts it."""
        count = self.problem.count
        return int(count) if count.is_integer() else count

    @property
    def aicc(self) -> float:
        """Akaike's information criterion for few rows: n ln(RSS / n) + 2 q + 2 q (q + 1) / (n - q - 1).

        q counts the free parameters and the noise. nan with fewer than q + 2 rows. A Gaussian likelihood of the
        loss: compare fits by least squares of the same rows (Burnham and Anderson 2002, section 2.4).
        """
        n, q = self.n, len(self.form.free()) + 1
        return self._deviance + 2 * q + 2 * q * (q + 1) / (n - q - 1) if n > q + 1 else float("nan")

    @property
    def bic(self) -> float:
        """Schwarz's information criterion, n ln(RSS / n) + q ln n, with q as in `aicc`."""
        return float(self._deviance + (len(self.form.free()) + 1) * np.log(self.n))

    @property
    def _deviance(self) -> float:
        least = EXACT * float(self.loss.mean())
        return float(self.n * np.log(max(self.rmse**2, least**2)))

    @property
    def determined(self) -> bool:
        """Whether the rows determine the parameters, so that an interval says something."""
        doubtful = (Status.TOO_FEW, Status.FLAT)
        return self.status not in doubtful and self.degrees_of_freedom >= 1

    @cached_property
    def undetermined(self) -> tuple[str, ...]:
        """Parameters that the runs cannot tell, in field order: their intervals are nan."""
        if self.determined:
            return ()
        known = self.status == Status.FLAT and self.degrees_of_freedom >= 1
        return undetermined(self.problem, self.law) if known else self.problem.law.free()

    @cached_property
    def clustered(self) -> bool:
        """Whether rows share a run or configuration (`groups`), so that they are not independent."""
        return self.groups is not None and pd.unique(np.asarray(self.groups)).size < self.loss.size

    @cached_property
    def noise(self) -> float:
        """Standard deviation of one run about the law, in the objective's residual (robust where it is)."""
        r = self.problem.residual(self.problem.predict(self.theta[None]))
        free = np.array([len(self.form.free())])
        return float(location_scale(self.problem, r, self.problem.w[None], free)[1][0])

    @property
    def delta_over_noise(self) -> float:
        """Huber's delta over the noise: far below 1 it is least absolute deviations. nan for other losses."""
        huber = isinstance(self.problem.objective, LogHuber)
        delta = float(getattr(self.problem.objective, "delta", np.nan)) if huber else np.nan
        return float(delta / self.noise) if self.noise > 0 else float("nan")

    @property
    def data_hash(self) -> str:
        """sha256 of the fitted rows, on this law's axes."""
        digest = hashlib.sha256()
        for column in (*self.problem.x, self.problem.y):
            digest.update(np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()[:16]

    def same_runs(self, other: Estimate) -> bool:
        """Whether `other` was fitted to the same losses with the same weights, on the axes both laws have."""
        pairs = [(self.loss, other.loss), (self.problem.w, other.problem.w)]
        pairs += [(x, other.axes[axis]) for axis, x in self.axes.items() if axis in other.axes]
        return all(np.array_equal(own, theirs) for own, theirs in pairs)
