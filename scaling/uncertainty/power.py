"""How large an effect would have to be for runs like these to see it."""

from __future__ import annotations

import numpy as np
from scipy import special

from scaling.laws.base import Array, Law
from scaling.optimise.estimate import Estimate, must_be_fit
from scaling.uncertainty.cluster_profile import spread_of
from scaling.uncertainty.interval_methods import check_level, errors_batch, slopes

POWER = 0.8  # the usual demand on a design: four times in five


def detectable(fit: Estimate, parameter: str = "k", level: float = 0.95, power: float = POWER) -> float:
    """The smallest value of a parameter that runs like those of a fit would distinguish from zero.

    If it were the true value, a repetition (the same N, P, noise and shared offsets) would have an interval at `level`
    that excludes zero with probability `power`. Linear theory at the fitted law, with a parameter at its bound freed.

    Args:
        fit: of the runs.
        parameter: its name.
        level: of the interval, between 0 and 1.
        power: the probability, between 0 and 1.

    Returns:
        The value in the parameter's own unit (k has none). inf or nan if the runs do not determine the parameter.

    Raises:
        ValueError: for a parameter that the law does not fit, and for a level or power outside (0, 1).
    """
    must_be_fit(fit)
    check_level(level)
    if not 0 < power < 1:
        raise ValueError(f"power={power:g} must lie between 0 and 1")
    names = fit.form.free()
    if parameter not in names:
        raise ValueError(f"{fit.form.__name__} fits {', '.join(names)}, no {parameter!r}")
    theta = let_go(fit, parameter)

    def value(law: Law) -> Array:
        return np.asarray(getattr(law, parameter))

    error = errors_batch(fit.problem, theta[None], value)[0, 0]
    t, spread = spread_of(fit, theta, slopes(fit.problem, theta[None], value), level)
    return float((t[0] + special.ndtri(power) * spread[0]) * error)


def let_go(fit: Estimate, parameter: str) -> Array:
    """The optimum (p,) with a parameter that ended at its bound moved just inside: free to be uncertain."""
    i = [*fit.form.linear(), *fit.form.nonlinear].index(parameter)  # theta's order, not the fields'
    theta = fit.theta.copy()
    inside = 1e-6 * max(1.0, abs(theta[i]))
    theta[i] = np.clip(theta[i], fit.problem.lower[i] + inside, fit.problem.upper[i] - inside)
    return theta
