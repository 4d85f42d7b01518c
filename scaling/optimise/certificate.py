"""What a fit can be trusted for: a named status, and the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from scaling.laws.axis import categories_of
from scaling.laws.base import Array, Law
from scaling.optimise.identifiability import ignored, tied_axes, undetermined
from scaling.optimise.problem import TINY, Problem
from scaling.optimise.solver import Solution

FLAT = 1e8  # condition number above which a direction is not determined in float64
STEEP = 1e-5  # cosine between residuals and a free column above which a fit has not arrived
MANY = 100_000  # rows above which duplicates are not looked for
COLLINEAR = 0.99  # correlation of two axes' logarithms above which they are said to move together
AGREE = 1e-5  # relative difference in the objective under which two starts ended at the same place


class Status(StrEnum):
    """How a fit ended. Only CONVERGED lets its numbers be read without looking further."""

    CONVERGED = "converged"
    TOO_FEW = "too few points"
    FLAT = "not identifiable"
    AT_BOUND = "at bound"
    DISAGREE = "starts disagree"
    STOPPED = "not converged"


@dataclass(frozen=True)
class Certificate:
    """The evidence that an optimum was found, and which parameters the data determine."""

    status: Status
    detail: str  # the status in a sentence, with its remedy
    starts: int
    starts_agreeing: int  # starts that reached the best objective to 1e-5 of it
    gradient_norm: float  # largest cosine between the residuals and a free column of the Jacobian
    condition_number: float  # of the Jacobian in the law's own parameters, columns scaled to length 1
    worst_direction: str  # the combination of parameters the data say least about, in words
    second_algorithm: str  # the independent check: its name and how its objective compares
    second_gap: float  # (its objective - ours) / ours, nan if not run
    at_bound: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    mixed: tuple[str, ...] = ()  # columns of the table whose rows are of several kinds, fitted as one
    table_notes: tuple[str, ...] = ()  # what the rest of the table says against fitting it as one
    equal_optima: tuple[tuple[str, float, float], ...] = ()  # fields over optima of one objective: name, ends


def distinct(*columns: Array) -> int:
    """Distinct rows of columns (n,), or n where there are too many to compare and more columns than one."""
    if columns[0].size > MANY:
        return len(np.unique(columns[0])) if len(columns) == 1 else columns[0].size
    return len(set(zip(*(column.tolist() for column in columns), strict=True)))


def levels(problem: Problem) -> dict[str, int]:
    """Values an axis takes: one size at several P is one, though its streams' own parameters move N."""
    axes = dict(zip(problem.law.axes, problem.x, strict=True))
    categories = categories_of(problem.law)
    found = {axis: distinct(x) for axis, x in axes.items() if axis not in categories}
    if "N" in axes and "P" in axes:
        count = int(problem.sizes.max()) + 1
        if found["N"] > count and _rises_with_streams(problem.sizes, axes["N"], axes["P"]):
            found["N"] = count
    return found


def _rises_with_streams(size: Any, N: Array, P: Array) -> bool:
    """Whether N has, within each size (n,), one value at each P and rises with P: what streams add, and no more."""
    order = np.lexsort((N, P, size))
    size, P, N = size[order], P[order], N[order]
    same, more = P[1:] == P[:-1], P[1:] > P[:-1]
    fits = same & (N[1:] == N[:-1]) | more & (N[1:] >= N[:-1])
    return bool((fits | (size[1:] > size[:-1])).all())


def axis_notes(problem: Problem, counts: dict[str, int]) -> tuple[str, ...]:
    """What the design of the data leaves untested, in words. counts: the `levels` of its axes."""
    notes = [
        f"{axis} takes {count} values: the law's form along {axis} is not tested (three are the least)"
        for axis, count in counts.items()
        if count == 2
    ]
    notes += [
        f"{b} moves with {a} (correlation {r:+.4f} of their logarithms): the runs can hardly separate their terms; "
        "add runs that vary one alone"
        for (a, b), r in problem.log_correlations.items()
        if abs(r) > COLLINEAR
    ]
    notes += _lone_levels(problem)
    doubles = problem.y.size - distinct(*problem.x, problem.y)
    if doubles:
        notes.append(f"{doubles} rows repeat another exactly, and each counts: drop them if they are one run")
    return tuple(notes)


def _lone_levels(problem: Problem) -> list[str]:
    """Categories with one row, whose own parameters are that row's."""
    notes = []
    axes = dict(zip(problem.law.axes, problem.x, strict=True))
    for axis, rule in categories_of(problem.law).items():
        values, counts = np.unique(axes[axis], return_counts=True)
        lone = [rule.labels(v)[0] for v, n in zip(values, counts, strict=True) if n == 1]
        notes += [f"{axis}={name} has one row: its own parameters follow that row alone" for name in lone]
    return notes


def scaled_jacobian(problem: Problem, law: Any) -> tuple[Array, Array]:
    """∂(residual)/∂(free fields) with unit columns, (n, p), and the columns' lengths (p,)."""
    free = [law.names().index(name) for name in problem.law.free()]
    J = law._slopes(*problem.x)[:, free]
    if problem.objective.log:
        J = J / law._loss(*problem.x)[:, None]
    J = J * np.reshape(problem.scale, (-1, 1))
    J = np.where(np.isfinite(J), J, 0.0) if len(J) < MANY else J
    length = np.sqrt((J * J).sum(0))
    return J / np.where(length > 0, length, 1.0), length


def internal_condition(problem: Problem, theta: Array) -> float:
    """Condition number of the Jacobian in the solver's coordinates at θ (1, p), columns of length 1."""
    _, J = problem.linearised(theta)
    J = J[0][problem.lower < problem.upper]
    length = np.sqrt((J * J).sum(-1))
    if not ((length > 0) & np.isfinite(length)).all():
        return float("inf")
    singular = np.linalg.svd(J / length[:, None], compute_uv=False)
    return float(singular[0] / max(singular[-1], TINY))


def worst_direction(values: dict[str, float], unit: Array, length: Array) -> tuple[float, str]:
    """Condition number of a law's scaled Jacobian and its weakest combination in words.

    values: the free fields, p of them. unit: the columns, (n, p), each of the length 1. length: what they were
    divided by, (p,).
    """
    if not np.isfinite(unit).all() or (length == 0).any():
        dead = ", ".join(name for name, size in zip(values, length, strict=True) if not size > 0)
        return float("inf"), f"{dead or 'a parameter'} changes no prediction"
    _, singular, vectors = np.linalg.svd(unit, full_matrices=False)
    condition = float(singular[0] / max(singular[-1], TINY))
    size = np.abs(list(values.values()))
    change = vectors[-1] / length
    relative = change / np.where(size == 0, 1.0, size)
    largest = np.abs(relative).max()  # report the move whose largest relative change is 10 %
    parts = [
        f"{name} {0.1 * r / largest:+.1%}"
        for name, r in zip(values, relative, strict=True)
        if abs(r) > 0.03 * largest
    ]
    rms = 0.1 / largest * float(singular[-1]) / np.sqrt(len(unit))
    return condition, f"{', '.join(parts)} together shift the predictions by only {rms:.2g} (relative, rms)"


def find_status(
    problem: Problem, best: Solution, law: Law, counts: dict[str, int], agreeing: int, started: int
) -> tuple[Status, str, tuple[str, ...]]:
    """The status of the best solution (a batch of one), its sentence, and the fields at a bound.

    law: the law there. counts: the `levels` of the axes.
    """
    at = fields_at_bound(problem, best.theta[0])
    single = [axis for axis, count in counts.items() if count == 1]
    points, p = distinct(*problem.x), len(problem.law.free())
    tied = tied_axes(problem, law)
    flat = internal_condition(problem, best.theta) > FLAT
    remedy = _held_remedy(problem, law) if tied or flat else ""
    unused = ignored(problem, law) if flat else ()
    judgements = (
        (bool(single), Status.FLAT,
         f"{', '.join(single)} takes one value: its effect cannot be estimated; add runs at others"),
        (np.ptp(problem.y) == 0, Status.FLAT, "all losses are equal: no axis has an effect to be measured"),
        (points <= p, Status.TOO_FEW,
         f"{points} distinct points for {p} parameters: nothing is left to judge the fit by"),
        (bool(tied), Status.FLAT,
         f"{' and '.join(tied)} move together in every run: {remedy}"),
        (bool(unused), Status.FLAT,
         f"{', '.join(unused)} changes no prediction of {problem.law.__name__}: its formula does not use it; use it or "
         "take it out"),
        (bool(at), Status.AT_BOUND, _bound_sentence(problem, at)),
        (flat, Status.FLAT, f"some combination of parameters changes no prediction: {remedy}"),
        (not best.converged[0] and best.slope[0] > STEEP, Status.STOPPED,
         f"the slope at the end is {best.slope[0]:.1e}: scale the losses or try another objective"),
        (agreeing < 2 <= started, Status.DISAGREE,
         f"only {agreeing} of {started} starts reached the best objective: try more starts"),
    )  # fmt: skip
    for applies, status, detail in judgements:
        if applies:
            return status, detail, at
    return Status.CONVERGED, f"{agreeing} of {started} starts agree", at


def _bound_sentence(problem: Problem, at: tuple[str, ...]) -> str:
    """What it says that fields ended at a bound: one of the law's own, or one that the caller set."""
    given = [name for name in at if name in getattr(problem.law, "bounds", {})]
    if given:
        return f"{', '.join(given)} ended at the bound given: the data would take it further"
    return f"{', '.join(at)} ended at the edge of what is allowed: the data do not support that term"


def _held_remedy(problem: Problem, law: Any) -> str:
    """Which parameters the runs leave undetermined, and the two ways out, in words."""
    lost = undetermined(problem, law)
    held = [name for name in lost if name in problem.law.nonlinear]
    way = f' or hold one, e.g. fixed={{"{held[-1]}": {getattr(law, held[-1]):.2g}}}' if held else ""
    return f"they cannot tell {', '.join(lost) or 'all parameters'} apart; add runs off that line{way}"


def fields_at_bound(problem: Problem, theta: Array) -> tuple[str, ...]:
    """Free fields whose coordinate (p,) ended at a bound."""
    hit = (problem.lower < problem.upper) & ~problem.inside(theta)
    if not hit.any():
        return ()
    return tuple(
        n for n, ended in zip((*problem.law.linear(), *problem.law.nonlinear), hit, strict=True) if ended
    )
