"""The fit as a value: a law with its data, certificate, errors and what it predicts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling.certificate import Certificate, Status
from scaling.law import Array, Law
from scaling.objectives import LogHuber
from scaling.problem import Problem

if TYPE_CHECKING:
    import pandas as pd

    from scaling.method import Method


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted law with its data and certificate: a value, never changed."""

    law: Law
    problem: Problem
    theta: Array  # the optimum in the solver's coordinates, (p,)
    certificate: Certificate
    excluded: int = 0  # rows left out: their status is not "ok", or they are stage 1 of others
    groups: Any = None  # cluster label a row (one configuration or run), or None

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

    @cached_property
    def undetermined(self) -> tuple[str, ...]:
        """Parameters that the runs cannot tell, in field order: their intervals are nan."""
        from scaling.identifiability import undetermined

        if self.determined:
            return ()
        known = self.status == Status.FLAT and self.degrees_of_freedom >= 1
        return undetermined(self.problem, self.law) if known else self.law.free()

    @property
    def clustered(self) -> bool:
        """Whether rows share a run or configuration (`groups`), so that they are not independent."""
        labels = None if self.groups is None else np.unique(np.asarray(self.groups).astype(str))
        return labels is not None and len(labels) < self.loss.size

    @cached_property
    def noise(self) -> float:
        """Standard deviation of one run about the law, in the objective's residual (robust where it is)."""
        from scaling.method import location_scale

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

    def same_runs(self, other: Fit) -> bool:
        """Whether `other` was fitted to the same losses with the same weights, on the axes both laws have."""
        pairs = [(self.loss, other.loss), (self.problem.w, other.problem.w)]
        pairs += [(x, other.axes[axis]) for axis, x in self.axes.items() if axis in other.axes]
        return all(np.array_equal(own, theirs) for own, theirs in pairs)

    # ---- what it says -----------------------------------------------------------------------
    def intervals(self, level: float = 0.95, method: Method | None = None) -> pd.DataFrame:
        """Intervals of the parameters at `level`, by `method` (unless given: what covers here).

        Index name, columns estimate, lower, upper.
        """
        from scaling.method import checked
        from scaling.uncertainty import default_method

        method = default_method(self) if method is None else method
        checked(method)
        return method.parameters(self, level)

    def correlations(self) -> pd.DataFrame:
        """Correlations of the free parameters' estimates, (p, p), by linear theory; nan for one at its bound.

        Source: the covariance of `scaling.method.spread`, by the delta method.
        """
        import pandas as pd

        from scaling.method import slopes, spread

        names = list(self.law.free())
        gradient = slopes(
            self.problem, self.theta[None], lambda law: np.stack([getattr(law, n) for n in names], axis=-1)
        )[0]
        covariance = gradient.T @ spread(self)[0] @ gradient
        error = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        with np.errstate(invalid="ignore", divide="ignore"):
            return pd.DataFrame(covariance / np.outer(error, error), index=names, columns=names)

    def predict(self, level: float = 0.95, method: Method | None = None, **axes: Any) -> pd.DataFrame:
        """Predicted loss at `axes` N=, P=, ... with intervals of the mean and of a new run, one row a point.

        Intervals are at `level`, by `method` (unless given: what covers here).
        Columns: the axes, loss, lower, upper (the law's mean), new_lower, new_upper (one more run),
        beyond (by what factor the point lies outside the range of an axis, the largest; 1 within) and
        inside (whether it lies within the convex hull of the runs, axes on logarithms).
        """
        from scaling.method import checked
        from scaling.uncertainty import default_method, predict

        method = default_method(self) if method is None else method
        checked(method)
        return predict(self, axes, level, method)

    def save(self, path: Any) -> None:
        """Write to `path` as JSON, full precision: `Fit.load` gives bit-identical predictions."""
        from scaling.serial import save

        save(self, path)

    @staticmethod
    def load(path: Any) -> Fit:
        """Read a saved fit; ValueError for a file of another version or one edited by hand."""
        from scaling.serial import load

        return load(path)

    def __repr__(self) -> str:
        """A table for people."""
        from scaling.summary import text
        from scaling.terminal import width

        return text(self, room=width())

    def _repr_html_(self) -> str:
        from scaling.summary import html

        return html(self)
