"""The fit: an estimate with intervals, predictions, a file and a table for people."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import pandas as pd

from scaling.fitting import save, summary
from scaling.optimise.estimate import Estimate
from scaling.terminal_text import width
from scaling.uncertainty.base import Method, checked, slopes, spread
from scaling.uncertainty.prediction import default_method, predict


@dataclass(frozen=True, eq=False, repr=False)
class Fit(Estimate):
    """A fitted law with its data, certificate, intervals and predictions: a value, never changed."""

    @classmethod
    def of(cls, estimate: Estimate) -> Self:
        """The fit of an estimate."""
        return cls(**{f.name: getattr(estimate, f.name) for f in fields(Estimate)})

    # ---- what it says -----------------------------------------------------------------------
    def intervals(self, level: float = 0.95, method: Method | None = None) -> pd.DataFrame:
        """Intervals of the parameters at `level`, by `method` (unless given: what covers here).

        Index name, columns estimate, lower, upper.
        """
        method = default_method(self) if method is None else method
        checked(method)
        return method.parameters(self, level)

    def correlations(self) -> pd.DataFrame:
        """Correlations of the free parameters' estimates, (p, p), by linear theory; nan for one at its bound.

        Source: the covariance of `scaling.uncertainty.base.spread`, by the delta method.
        """
        names = list(self.form.free())
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
        method = default_method(self) if method is None else method
        checked(method)
        return predict(self, axes, level, method)

    def save(self, path: Any) -> None:
        """Write to `path` as JSON, full precision: `Fit.load` gives bit-identical predictions."""
        save.save(self, path)

    @staticmethod
    def load(path: Any) -> Fit:
        """Read a saved fit; ValueError for a file of another version or one edited by hand."""
        return Fit.of(save.load(path))

    def __repr__(self) -> str:
        """A table for people."""
        return summary.text(self, room=width())

    def _repr_html_(self) -> str:
        return summary.html(self)
