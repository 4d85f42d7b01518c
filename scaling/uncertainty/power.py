"""How large an effect would have to be for runs like these to see it."""

from __future__ import annotations

import numpy as np
from scipy import special

from scaling.laws.base import Array
from scaling.optimise.estimate import Estimate
from scaling.shown import shown
from scaling.uncertainty.interval_methods import check_level, errors_batch, t_of

POWER = 0.8  # the usual demand on a design: four times in five


def detectable(fit: Estimate, parameter: str = "k", level: float = 0.95, power: float = POWER) -> float:
    """Smallest value of a parameter that runs like those of `fit` would tell from zero.

    Were it the truth, the interval at `level` of a repetition (the same N and P, the same noise) would
    leave zero out with probability `power`. Linear theory about the fitted law, a parameter at its
    bound let go; in the parameter's own unit (k: none). Raises ValueError for a name the law does not
    fit, a level or power outside (0, 1), rows that share a run; inf or nan where the runs do not determine
    the parameter.
    """
    one_row_a_run(fit)
    check_level(level)
    if not 0 < power < 1:
        raise ValueError(f"power={power:g} must lie between 0 and 1")
    names = fit.form.free()
    if parameter not in names:
        raise ValueError(f"{fit.form.__name__} fits {', '.join(names)}, no {parameter!r}")
    theta = let_go(fit, parameter)
    error = errors_batch(fit.problem, theta[None], lambda law: getattr(law, parameter))[0, 0]
    return float((t_of(fit.problem, level) + special.ndtri(power)) * error)


def let_go(fit: Estimate, parameter: str) -> Array:
    """The optimum (p,) with a parameter that ended at its bound moved just inside: free to be uncertain."""
    i = [*fit.form.linear(), *fit.form.nonlinear].index(parameter)  # theta's order, not the fields'
    theta = fit.theta.copy()
    inside = 1e-6 * max(1.0, abs(theta[i]))
    theta[i] = np.clip(theta[i], fit.problem.lower[i] + inside, fit.problem.upper[i] - inside)
    return theta


def one_row_a_run(fit: Estimate) -> None:
    """Refuse a fit whose rows share runs: they say less together than as many runs would."""
    if not isinstance(fit, Estimate):
        raise ValueError(f"fit={shown(fit)} is no fit: give what scaling.fit returns")
    if fit.clustered:
        raise ValueError("rows of this fit share runs (groups): fit one row a run to plan with it")
