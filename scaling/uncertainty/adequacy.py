"""Does the law fit, or only correlate: residuals over N x P, and tests for structure left in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from scipy import special

from scaling.data.levels import levels_along
from scaling.data.units import p_text
from scaling.laws.base import Array
from scaling.optimise.estimate import Estimate, must_be_fit
from scaling.optimise.identifiability import amounts_of
from scaling.optimise.solver import minimise
from scaling.result_table import ResultTable
from scaling.uncertainty.interval_methods import spread_batch
from scaling.uncertainty.size_effects import candidates, explained_by_groups, group_test
from scaling.uncertainty.tangent import Grouping, Tangent, groupings

DOUBT = 0.05
SIGNS = (99, 999)  # samples of the wild bootstrap: few where rows are many, so that it takes seconds
CELLS = 2_000_000  # numbers of it held at once
LEAST_FREE = 0.05  # of one minus leverage
SAME = 1e-6  # a term this little beyond the law's own tangent, by its length, is the tangent's rounding


@dataclass(frozen=True, repr=False)
class Adequacy(ResultTable):
    """What the residuals say. p values are nan where the data leave no room for the test."""

    table: pd.DataFrame  # mean residual (observed - fitted, nats per token), rows N, columns P (or D)
    structure_p: float  # F test of smooth curves in log N, log P, log D left in the residuals
    replicate_p: float  # F test of the law's misfit against the spread of seeds at one configuration
    size_p: float  # F test that residuals are correlated within a model size
    verdict: str
    number: ClassVar[str] = "{:+.1e}"

    @property
    def grid(self) -> pd.DataFrame:
        """The table, by its other name."""
        return self.table


def adequacy(fit: Estimate) -> Adequacy:
    """Test the residuals of a fit for structure that the law misses.

    Args:
        fit: of one axis or more. The residual grid is drawn over the first two.

    Returns:
        An `Adequacy`: the mean residual by N and P (observed minus fitted, nats per token) and the p values of tests
        for smooth structure, for misfit beyond the spread of random seeds, and for offsets of a model size.

    Raises:
        ValueError: for anything that is not a fit.
    """
    must_be_fit(fit)
    structure, replicate, size = structure_test(fit), replicate_test(fit), size_test(fit)
    lines = []
    if np.isnan(structure):
        lines.append("Too few runs to test the residuals for structure.")
    elif structure < DOUBT:
        lines.append(
            f"The residuals are not noise: smooth terms in the axes explain them ({p_text(structure)})."
        )
    else:
        lines.append(f"No structure found in the residuals ({p_text(structure)}).")
    if replicate < DOUBT:
        lines.append(f"The law misses by more than the seeds differ ({p_text(replicate)}).")
    elif not np.isnan(replicate):
        lines.append(f"The law misses by no more than the seeds differ ({p_text(replicate)}).")
    if size < DOUBT:
        lines.append(
            f"Residuals are correlated within a model size ({p_text(size)}): rows are not independent."
        )
    return Adequacy(residual_grid(fit), structure, replicate, size, " ".join(lines))


def residual_grid(fit: Estimate) -> pd.DataFrame:
    """Mean residual by level of the law's first axis, N if it has it (rows), and of its second (columns)."""
    axes = fit.axes
    first, second = (*axes, *axes)[:2]
    names = {a: _level_names(a, axes) for a in {first, second}}
    frame = pd.DataFrame({"row": names[first], "_": names[second], "residual": fit.misfit})
    grid = frame.pivot_table(index="row", columns="_", values="residual", aggfunc="mean").rename_axis(first)
    grid.columns.name = second
    return grid


def _level_names(axis: str, axes: dict[str, Array]) -> Array:
    x = axes[axis]
    level = levels_along(axis, x, axes)
    return np.asarray(pd.Series(x).groupby(level).transform("min"))


def structure_test(fit: Estimate) -> float:
    """P of the F test that quadratics and products of the log axes explain nothing beyond the law.

    It asks what the fitted form, with all its freedom, still misses. Noise that changes along an axis makes
    the F test reject too often (docs/coverage.md). What it finds at 5% must also be significant in a wild bootstrap.
    Categories have no curve. An axis with runs at 0 or below is taken linearly.
    """
    amounts = [fit.axes[axis] for axis in amounts_of(fit.law)]
    logs = [np.log(x) if x.min() > 0 else x for x in amounts if np.unique(x).size > 2]
    logs = [(v - v.mean()) / v.std() for v in logs]
    extra = [v * v for v in logs] + [a * b for i, a in enumerate(logs) for b in logs[i + 1 :]]
    return _beyond(fit, np.stack(extra, axis=1), wild=True) if extra else float("nan")


def size_test(fit: Estimate) -> float:
    """P of the F test that a level of its own for each size explains nothing beyond the law.

    Sizes that the law misses, as it does where depth and width are not scaled together, make rows of one size
    correlated. Intervals that assume independence are too short, except for k where every size has every P
    (docs/coverage.md). The test is `scaling.uncertainty.size_effects.group_test`.
    """
    sizes = [one for one in groupings(fit.problem) if one.name == "size"]
    if not sizes:
        return float("nan")
    return float(group_test(Tangent(fit.problem, fit.theta[None], sizes), sizes[0])[0])


_DOUBTS: WeakKeyDictionary[Estimate, dict[float, bool]] = WeakKeyDictionary()


def streams_in_doubt(fit: Estimate, level: float) -> bool:
    """Whether the means of repeated configurations leave it open at `level` that streams do nothing.

    Random seeds of one configuration may share an offset, which the rows alone rarely show. With every P at 1 the
    objective rises by some squared standard errors. Student's t over the means of configurations, within sizes where
    these were found to have offsets of their own, is the bar. It holds for an offset of any size (exactly so for a linear law and
    equal numbers of seeds). False where no configuration is repeated, or a column gives the groups.
    """
    found = _DOUBTS.setdefault(fit, {})
    if level not in found:
        found[level] = _streams_in_doubt(fit, level)
    return found[level]


def _streams_in_doubt(fit: Estimate, level: float) -> bool:
    by = candidates(fit)
    if "P" not in fit.law.axes or any(one.name == "run" for one in by):
        return False
    at = Tangent(fit.problem, fit.theta[None], by)
    return bool(streams_in_doubt_batch(at, by, np.array([fit.grouping == "size"]), level)[0])


def streams_in_doubt_batch(at: Tangent, by: list[Grouping], sized: Any, level: float) -> Any:
    """`streams_in_doubt` at the optima of a tangent, (B,) bool; sized: whether sizes were found to matter, (B,)."""
    groups, problem = {one.name: at.of(one) for one in by}, at.problem
    if "cell" not in groups:
        return np.zeros(len(at.r), bool)
    between, dof = explained_by_groups(at, groups["cell"])
    if "size" in groups:
        of_sizes = explained_by_groups(at, groups["size"])
        between, dof = (np.where(sized, a - b, a) for a, b in zip((between, dof), of_sizes, strict=True))
    own = (at.basis[1] ** 2 + at.aside).sum(-1) / at.dof
    with np.errstate(all="ignore"):
        bar = special.stdtrit(dof, 0.5 + level / 2) ** 2 * between / dof / own
    x = tuple(np.ones_like(v) if a == "P" else v for a, v in zip(problem.law.axes, problem.x, strict=True))
    rise = minimise(replace(problem, x=x), at.theta).value - problem.value(at.theta)
    return ~(rise >= bar * spread_batch(problem, at.theta)[1])


def _beyond(fit: Estimate, extra: Array, wild: bool = False) -> float:
    """P of the F test that the columns of extra (n, q) explain nothing beyond the law; nan without room.

    The law's own tangent is projected out first (a Lagrange multiplier test). wild: a p below DOUBT is raised to
    that of a wild bootstrap where noise of the rows' own sizes explains it.
    """
    r, J = fit.problem.linearised(fit.theta[None])
    root_w = np.sqrt(fit.problem.w)
    r, J = r[0] * root_w, J[0] * root_w
    tangent = column_basis(J[(J != 0).any(-1)].T)
    more = extra * root_w[:, None]
    rest = more - tangent @ (tangent.T @ more)
    beyond = np.linalg.norm(rest, axis=0) > SAME * np.linalg.norm(more, axis=0)
    if not beyond.any():
        return float("nan")
    more = column_basis(rest[:, beyond])
    r = r - tangent @ (tangent.T @ r)
    gained = float(((more.T @ r) ** 2).sum())
    q = more.shape[1]
    dof = round(fit.problem.count) - tangent.shape[1] - q
    if dof < 1 or q < 1:
        return float("nan")
    left = float((r**2).sum()) - gained
    p = float(special.fdtrc(q, dof, gained / q / max(left / dof, 1e-300)))
    return max(p, _wild(r, tangent, more)) if wild and p < DOUBT else p


def _wild(r: Array, tangent: Array, more: Array) -> float:
    """P of the share of the residuals r (n,) that `more` explains, by changing their signs; 0 where none beats it.

    Signs keep each row's own noise (Davidson and Flachaire 2008, with the residuals of the law alone, divided
    by the root of one minus leverage). tangent, more: orthonormal columns (n, p), (n, q).
    """
    rng, beaten = np.random.default_rng(0), 0
    own = r / np.sqrt(np.maximum(1 - (tangent**2).sum(1), LEAST_FREE))
    share = float(((more.T @ r) ** 2).sum() / (r**2).sum())
    count, chunk = int(np.clip(20 * CELLS // r.size, *SIGNS)), max(CELLS // r.size, 1)
    for first in range(0, count, chunk):
        drawn = own * rng.choice([-1.0, 1.0], (min(chunk, count - first), r.size))
        drawn = drawn - (drawn @ tangent) @ tangent.T
        beaten += int((((drawn @ more) ** 2).sum(1) >= share * (drawn**2).sum(1)).sum())
    return (beaten + 1) / (count + 1) if beaten else 0.0


def column_basis(columns: Array) -> Array:
    """An orthonormal basis of the columns' span, dropping directions that are nearly dependent."""
    length = np.sqrt((columns**2).sum(0))
    u, s, _ = np.linalg.svd(columns / np.where(length > 0, length, 1.0), full_matrices=False)
    return np.asarray(u[:, s > 1e-8])


def replicate_test(fit: Estimate) -> float:
    """P of the lack-of-fit F test: misfit of configuration means against the spread within them."""
    codes, w = np.unique(np.stack(fit.problem.x), axis=1, return_inverse=True)[1].ravel(), fit.problem.w
    means = np.bincount(codes, w * fit.misfit) / np.bincount(codes, w)
    within = float((w * (fit.misfit - means[codes]) ** 2).sum())
    pure = fit.problem.count - means.size
    lack = means.size - len(fit.form.free())
    if pure < 1 or lack < 1 or within <= 0:
        return float("nan")
    between = float((w * fit.misfit**2).sum()) - within
    return float(special.fdtrc(lack, pure, between / lack / (within / pure)))
