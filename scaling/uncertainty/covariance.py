"""Intervals by linear theory: estimate ± t standard errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling.laws.base import Array, Law
from scaling.optimise.estimate import Estimate
from scaling.uncertainty.interval_methods import (
    SMALL,
    Method,
    Quantity,
    quantity_values,
    rows_taken_as_independent,
    slopes,
    spread,
    standard_errors,
    t_quantile,
)


def parameter_covariance(fit: Estimate) -> pd.DataFrame:
    """Covariance of the free parameters' estimates, (p, p), by linear theory; nan for one at its bound.

    The covariance of `scaling.uncertainty.interval_methods.spread`, by the delta method; nan throughout where the rows do not
    determine the parameters.
    """
    names = list(fit.form.free())

    def values(law: Law) -> Array:
        return np.stack([np.asarray(getattr(law, n), dtype=np.float64) for n in names], axis=-1)

    gradient = slopes(fit.problem, fit.theta[None], values)[0]
    found = gradient.T @ spread(fit)[0] @ gradient
    known = np.diag(found) > 0
    if not fit.determined:
        known &= False
    found = np.where(known[:, None] & known, found, np.nan)
    index = pd.Index(names, name="parameter")
    return pd.DataFrame(found, index=index, columns=pd.Index(names))


@dataclass(frozen=True)
class Covariance(Method):
    """Linearised: estimate ± t se. Quick, and symmetric even where the data are not."""

    label = "covariance"

    def interval(self, fit: Estimate, quantity: Quantity, level: float) -> tuple[Array, Array, Array]:
        """As `Method.interval`; nan where the quantity rests on a parameter at its bound alone."""
        estimate = quantity_values(fit.problem, fit.theta[None], quantity)[0]
        half = t_quantile(fit, level) * standard_errors(fit, quantity)
        return estimate, estimate - half, estimate + half

    def caveat(self, fit: Estimate) -> str:
        """What measured coverage says against it on the rows of `fit`; empty where nothing does."""
        if fit.clustered:
            return rows_taken_as_independent(self)
        if fit.certificate.at_bound:
            bound = ", ".join(fit.certificate.at_bound)
            return (
                f"{self.label} takes {bound}, at its bound, as known: measured 51-66 % for 95 %; use Profile"
            )
        if fit.loss.size > SMALL:
            return ""
        return f"{self.label} at so few rows: prefactors measured 94.7-98.9 % for 95 %, symmetric by construction"
