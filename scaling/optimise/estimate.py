"""The estimate as a value: a law with its data, certificate and residuals."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scaling.laws.base import Array, Law
from scaling.optimise.certificate import Certificate, Status
from scaling.optimise.objectives import LogHuber
from scaling.optimise.problem import Problem
from scaling.optimise.robust_scale import location_scale


@dataclass(frozen=True, eq=False)
class Estimate:
    """A fitted law with its data and certificate: a value, never changed. Everything below `Fit` works on it."""

    law: Law
    problem: Problem
    theta: Array  # the optimum in the solver's coordinates, (p,)
    certificate: Certificate
    excluded: int = 0  # rows left out: their status is not "ok", or they are stage 1 of others
    groups: Any = None  # cluster label a row (one configuration or run), or None
    grouping: str = ""  # how they were found: "given", "column NAME", "size", "cell"; "off": not looked for

    # ---- how it ended -----------------------------------------------------------------------
    @property
    def status(self) -> Status:
        """How the fit ended; `certificate` has the evidence."""
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
        return np.asarray(self.law.predict(**self.axes))

    @property
    def residuals(self) -> Array:
        """Observed minus fitted loss, (n,), nats per token."""
        return self.loss - self.predicted

    @property
    def r2(self) -> float:
        """1 - SS_res / SS_tot on the loss; nan when all losses are equal. Never read it alone."""
        w = self.problem.w
        total = float((w * (self.loss - np.average(self.loss, weights=w)) ** 2).sum())
        return 1 - float((w * self.residuals**2).sum()) / total if total > 0 else float("nan")

    @property
    def rmse(self) -> float:
        """Root mean squared residual, nats per token, each row as often as it counts."""
        return float(np.sqrt(np.average(self.residuals**2, weights=self.problem.w)))

    @property
    def max_error(self) -> float:
        """Largest absolute residual, nats per token."""
        return float(np.abs(self.residuals).max())

    @property
    def degrees_of_freedom(self) -> float:
        """Rows, each as often as its weight counts it, minus free parameters."""
        return self.problem.count - len(self.law.free())

    @property
    def determined(self) -> bool:
        """Whether the rows determine the parameters, so that an interval says something."""
        doubtful = (Status.TOO_FEW, Status.FLAT)
        return self.status not in doubtful and self.degrees_of_freedom >= 1

    @property
    def clustered(self) -> bool:
        """Whether rows share a run or configuration (`groups`), so that they are not independent."""
        labels = None if self.groups is None else np.unique(np.asarray(self.groups).astype(str))
        return labels is not None and len(labels) < self.loss.size

    @cached_property
    def noise(self) -> float:
        """Standard deviation of one run about the law, in the objective's residual (robust where it is)."""
        r = self.problem.residual(self.problem.predict(self.theta[None]))
        free = np.array([len(self.law.free())])
        return float(location_scale(self.problem, r, self.problem.w[None], free)[1][0])

    @property
    def delta_over_noise(self) -> float:
        """Huber's delta over the noise: far below 1 it is least absolute deviations; nan for other losses."""
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
