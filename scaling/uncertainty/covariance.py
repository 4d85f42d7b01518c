"""Intervals by linear theory: estimate ± t standard errors."""

from __future__ import annotations

from dataclasses import dataclass

from scaling.laws.base import Array
from scaling.optimise.estimate import Estimate
from scaling.uncertainty.base import (
    SMALL,
    Method,
    Quantity,
    evaluate,
    rows_taken_as_independent,
    standard_errors,
    t_quantile,
)


@dataclass(frozen=True)
class Covariance(Method):
    """Linearised: estimate ± t se. Quick, and symmetric even where the data are not."""

    label = "covariance"

    def interval(self, fit: Estimate, quantity: Quantity, level: float) -> tuple[Array, Array, Array]:
        """As `Method.interval`; nan where the quantity rests on a parameter at its bound alone."""
        estimate = evaluate(fit.problem, fit.theta[None], quantity)[0]
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
