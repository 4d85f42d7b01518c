"""Multi-start: the optimum of a problem from many starts, a second algorithm, and the certificate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from scaling.laws.arm_form import ArmForm
from scaling.laws.base import Array, Law
from scaling.optimise.blas_threads import one_thread
from scaling.optimise.certificate import (
    AGREE,
    Certificate,
    axis_notes,
    fields_at_bound,
    find_status,
    levels,
    scaled_jacobian,
    worst_direction,
)
from scaling.optimise.estimate import Estimate
from scaling.optimise.kinks import arrived, equal_optima, kinked, lowest_nearby
from scaling.optimise.problem import TINY, Problem
from scaling.optimise.solver import Solution, explore, minimise, newton, starts

STARTS = 16
QUICK = 30  # steps of a start
PATIENT = (200, 1000)  # more steps, while no two starts agree: own parameters under a kink need hundreds
SUBSAMPLE = 2_000  # rows that starts are tried on. The best is polished on all
ROUGH = 1e-7  # relative gain at which starts that differ have arrived
ARRIVED = 1e-18  # relative gain at which the best start has arrived
BY_DIFFERENCES = 1e-15  # the same where slopes are differences, which are known no better
LONG_SUM = 1e-12  # the same of a sum over many rows
SAME = 1e-6  # relative gain at which the second algorithm stops: a tenth of what counts as agreement
CHECKED = 1e-3  # a second algorithm this far off, relatively, has confirmed nothing
FLATTEST = 0.01  # the least exponent where a smaller one overflows
CROSS_CHECK_ROWS = 20_000  # above this the second algorithm would cost more than the fit


class FitError(ValueError):
    """No usable answer: the message says what is missing."""


def solve(
    problem: Problem, start: int = STARTS, excluded: int = 0, groups: Any = None, index: Any = None
) -> Estimate:
    """Minimise a problem from many starts, cross-check it and certify the answer.

    start: starting points. excluded: rows left out before. groups: the cluster of each row, (n,).
    index: their labels in the table they came from, (n,).
    Raises FitError where rows are fewer than parameters.
    """
    if (problem.w == 0).any():  # a weight of zero leaves the row out, of the counts and centres too
        used = problem.w > 0
        problem, groups = problem.take(used), None if groups is None else groups[used]
        index = None if index is None else index[used]
        excluded += int((~used).sum())
    _enough_rows(problem, excluded)
    with np.errstate(all="ignore"):  # what overflows is refused or ends in the status
        found = _certified(problem, start, excluded, groups)
        narrow = {n: (FLATTEST, float(r.upper)) for n, r in problem.law.nonlinear.items()
                  if n not in (*problem.law.fixed, *problem.law.not_held) and r.lower < FLATTEST < r.upper}  # fmt: skip
        if narrow and not np.isfinite(found.law.vector).all():  # A, a power of 1 / alpha, is no number
            flat = replace(problem, law=problem.law.with_bounds(**narrow))
            found = replace(_certified(flat, start, excluded, groups), problem=problem)
            found = replace(found, law=problem.law.from_vector(problem.named(found.theta[None])[0]))
        return replace(found, index=index)


def searched(problem: Problem, start: int = STARTS) -> tuple[Law, Array]:
    """The law of `solve`'s search alone and its θ (p,): no second algorithm, no certificate. FitError as there."""
    _enough_rows(problem)
    with np.errstate(all="ignore"):
        theta = _search(problem, start)[1].theta
        return problem.law.from_vector(problem.named(theta)[0]), theta[0]


def _enough_rows(problem: Problem, excluded: int = 0) -> None:
    """Refuse fewer rows than parameters."""
    n, p = problem.y.size, len(problem.law.free())
    if n < p:
        raise FitError(
            f"{n} usable rows for the {p} parameters of {problem.law.__name__}"
            f"{f' ({excluded} left out)' * bool(excluded)}: add runs or take a smaller law"
        )


def _search(problem: Problem, start: int) -> tuple[Solution, Solution, Array]:
    """Where starts ended, on few rows, the best, polished on all, and the best start of the grid, (p,)."""
    small = _subsample(problem)
    begin = starts(small, start)
    exact = LONG_SUM if small is not problem else ARRIVED if problem.m else BY_DIFFERENCES
    rough = explore(small, _gathered(small, begin), ROUGH, exact, QUICK)
    for steps in PATIENT:
        if agreement(small, rough) >= 2:
            break
        rough = minimise(small, _nearer(small, rough), tolerance=ROUGH, iterations=steps, warm=True)
    if not np.isfinite(rough.value).any():
        raise FitError(
            f"{problem.law.__name__} gives no finite loss {_nowhere(small, begin)} from any of {len(begin)} starts. "
            "Check its formula and the ranges of its parameters."
        )
    lowest = int(np.argmin(np.where(np.isnan(rough.value), np.inf, rough.value)))
    best = rough.part([lowest])
    if small is not problem or not (rough.theta == best.theta).all() or not best.converged[0]:
        warm = len(problem.objective.smoother) < 2  # a narrow one is approached through all its widths again
        best = minimise(problem, best.theta, tolerance=exact, warm=warm)
    if not best.converged[0]:
        best = minimise(problem, _nearer(problem, best), tolerance=exact, warm=True)
    return rough, best, begin[0]


def _nearer(problem: Problem, ends: Solution) -> Array:
    """θ (B, p) of ends that have not arrived, after Newton steps where the objective is smooth there."""
    lowest = ends.theta[[int(np.argmin(np.where(np.isnan(ends.value), np.inf, ends.value)))]]
    return ends.theta if kinked(problem, lowest) else newton(problem, ends.theta)


def _gathered(problem: Problem, begin: Array) -> Array:
    """Starts (S, p) of a law with arms followed to the optimum of a narrow objective's widest one, others as they are.

    From there own parameters under a kink take tens of steps. From the starts they take hundreds.
    """
    levels = problem.objective.smoother
    if len(levels) < 2 or not isinstance(problem.law.whole, ArmForm):
        return begin
    return minimise(replace(problem, objective=levels[0][0]), begin, iterations=PATIENT[0]).theta


def _nowhere(problem: Problem, begin: Array) -> str:
    """The first row at which no start (S, p) gives a finite loss, if others have one."""
    bad = ~np.isfinite(problem.predict(begin)).any(0)
    if bad.all() or not bad.any():
        return "at these rows"
    row = int(np.flatnonzero(bad)[0])
    return "at " + ", ".join(f"{a}={x[row]:g}" for a, x in zip(problem.law.axes, problem.x, strict=True))


def _certified(problem: Problem, start: int, excluded: int, groups: Any) -> Estimate:
    rough, ours, begin = _search(problem, start)
    ours, agreeing = arrived(problem, ours), agreement(problem, rough)
    arms = isinstance(problem.law.whole, ArmForm)  # of 68 fits without arms none had a lower optimum nearby
    lowest = arrived(problem, lowest_nearby(problem, ours)) if arms else ours
    best, name, gap = _cross_check(problem, begin, lowest)
    if best is not ours and problem.y.size <= SUBSAMPLE:
        agreeing = agreement(problem, rough, float(best.value[0]))
    law = problem.law.from_vector(problem.named(best.theta)[0])
    counts = levels(problem)
    status, detail, at_bound = find_status(problem, best, law, counts, agreeing, len(rough.value))
    values = {name: float(getattr(law, name)) for name in problem.law.free()}
    own, worst = worst_direction(values, *scaled_jacobian(problem, law))
    others = equal_optima(problem, best.theta[0])
    certificate = Certificate(
        status, detail, len(rough.value), agreeing, float(best.slope[0]), own, worst, name, gap,
        at_bound, (*axis_notes(problem, counts), *_second_note(name, gap), *_others_note(others)),
        equal_optima=others,
    )  # fmt: skip
    return Estimate(law, problem, best.theta[0], certificate, excluded, groups)


def agreement(problem: Problem, ends: Solution, best: float = np.inf) -> int:
    """Starts that ended at the best objective, their own or one found since."""
    lowest = min(best, float(np.nanmin(ends.value, initial=np.inf)))
    return int((ends.value <= lowest * (1 + AGREE) + problem.rounding).sum())


def _second_note(name: str, gap: float) -> tuple[str, ...]:
    """What a second algorithm that stopped elsewhere does not say."""
    far = abs(gap) > CHECKED
    return (f"{name} stopped {gap:+.1%} away: it does not confirm this optimum",) if far else ()


def _others_note(ranges: tuple[tuple[str, float, float], ...]) -> tuple[str, ...]:
    """How far apart optima of the same objective are, if it has several."""
    if not ranges:
        return ()
    spans = ", ".join(f"{name} {low:.4g} to {high:.4g}" for name, low, high in ranges)
    remedy = "The estimate is one of them. A wider delta, least squares or more runs give a single optimum"
    return (f"several optima have the same objective, with {spans}. {remedy}",)


def _subsample(problem: Problem) -> Problem:
    """Evenly spaced rows in order of loss, enough to find the basin of attraction on."""
    n = problem.y.size
    if n <= SUBSAMPLE:
        return problem
    return problem.take(np.argsort(problem.y, kind="stable")[np.linspace(0, n - 1, SUBSAMPLE).astype(int)])


def _cross_check(problem: Problem, start: Array, ours: Solution) -> tuple[Solution, str, float]:
    """Minimise again with scipy from the best of the grid, (p,), and keep whichever ends lower.

    MINPACK's trust region where nothing is bounded or narrow, L-BFGS-B where something is.
    """
    if problem.y.size > CROSS_CHECK_ROWS:
        return ours, f"scipy: not run on more than {CROSS_CHECK_ROWS:,} rows", float("nan")
    free = problem.lower < problem.upper
    inside = not fields_at_bound(problem, ours.theta[0]) and (problem.law.has_rest or free.all())
    smooth = inside and len(problem.objective.smoother) < 2
    name, second = ("scipy MINPACK lmder", _minpack) if smooth else ("scipy L-BFGS-B", _lbfgsb)
    end, found = second(problem, start, ours)
    theta = end[None]
    value = max(float(ours.value[0]), problem.rounding)
    gap = found / value - 1.0 if found > problem.rounding else 0.0
    within = bool(((theta >= problem.lower) & (theta <= problem.upper)).all())
    if gap < -1e-9 and within:
        better = minimise(problem, theta, warm=True)
        if better.value[0] < ours.value[0]:
            ours = better
            gap = found / max(float(ours.value[0]), problem.rounding) - 1.0
    return ours, name, gap if within else float("nan")


def _minpack(problem: Problem, start: Array, ours: Solution) -> tuple[Array, float]:
    """Least squares of s(r) = sign(r) sqrt(2 ρ(r)), whose sum of squares is twice the objective. Its end and objective."""
    from scipy.optimize import leastsq

    root_w, whole, free = np.sqrt(problem.w), start.copy(), problem.lower < problem.upper
    rows: Any = ... if free.all() else free
    last: dict[
        bytes, tuple[Array, Array]
    ] = {}  # MINPACK asks for the slope where it just asked for the value

    def signed() -> tuple[Array, Array]:
        predicted, J = problem.jacobian(whole)
        r, unit = problem.residual_and_unit(predicted)
        rho, psi, curvature, _ = problem.objective.parts(r)
        s = np.copysign(np.sqrt(2 * rho), psi)
        rate = np.divide(psi, s, out=np.sqrt(curvature), where=s != 0)
        return root_w * s, J[rows] * (root_w * rate * unit)

    def at(theta: Array) -> tuple[Array, Array]:
        key = theta.tobytes()
        if key not in last:
            last.clear()
            whole[free] = theta
            last[key] = signed()
        return last[key]

    tests = {"ftol": SAME, "xtol": SAME, "maxfev": 400, "full_output": True, "col_deriv": True}
    end, _, said, *_ = leastsq(lambda t: at(t)[0], start[free], Dfun=lambda t: at(t)[1], **tests)
    whole[free] = end
    return whole, 0.5 * float(said["fvec"] @ said["fvec"])


def _lbfgsb(problem: Problem, start: Array, ours: Solution) -> tuple[Array, float]:
    """L-BFGS-B within the bounds, in units of the curvature at our answer: scipy's tests are absolute. As `_minpack`."""
    from scipy.optimize import minimize as scipy_minimise

    value = max(float(ours.value[0]), problem.rounding)
    size = 1 / np.sqrt(np.maximum(problem.normal(ours.theta)[3][0] / value, TINY))

    def scaled(z: Array) -> tuple[float, Array]:
        f, g = problem.slope(z * size)
        return f / value, g * size / value

    bounds = list(zip(problem.lower / size, problem.upper / size, strict=True))
    options = {"maxiter": 300, "ftol": 1e-9, "gtol": 1e-7}
    begin = np.clip(start, problem.lower, problem.upper) / size
    with one_thread():
        end = scipy_minimise(scaled, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    inside = np.clip(end.x * size, problem.lower, problem.upper)  # units and back can cost a bit
    return inside, float(problem.value(inside[None])[0])
