"""Intervals where rows miss a law together: the profile likelihood with a threshold that allows for it.

The fit stays as it is. How far its quantities scatter follows from how much each group of rows decides of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from scipy import special

from scaling.data.levels import levels_along
from scaling.laws.base import Array, Law
from scaling.optimise.estimate import Estimate
from scaling.optimise.problem import TINY, Problem
from scaling.optimise.solver import minimise
from scaling.uncertainty.adequacy import streams_in_doubt
from scaling.uncertainty.condensed import MANY
from scaling.uncertainty.interval_methods import (
    Quantity,
    errors_batch,
    quantity_values,
    slopes,
    spread_batch,
    t_of,
)
from scaling.uncertainty.profile import Profile
from scaling.uncertainty.size_effects import Explanations, explanations
from scaling.uncertainty.tangent import Grouping, Tangent, joint

SPREAD = 0.95  # level at which draws are as wide as intervals
MOST = 60  # groups that a robust fit is repeated without
NEWTON, EXACT = 60, 1e-12  # steps to a threshold at most, and the relative step that ends them
NONE = 1e-6  # of the largest error: no smaller one decides a threshold
LIKELY = 1e-6  # of the probability: explanations below it decide no end
PAIRS = 1_000  # groups up to which every pair of them enters degrees of freedom
LAID_OUT = 20_000_000  # numbers of an array of quantities by rows
SAME = 1e-14  # of a direction's share in a group: rounding


@dataclass(frozen=True)
class ClusterProfile(Profile):
    """Profile likelihood for rows that share offsets, or whose noise grows with N.

    A quantity's threshold is its own: t² with  sum_c weight_c T(t / sqrt(f_c)) = level,  T Student's with
    n - p degrees of freedom and f_c the quantity's variance under explanation c of the noise, relative to that
    of independent rows (`scaling.uncertainty.size_effects.explain`). The profile is moved vertically as by
    Chandler and Bate 2007. Where groups were given (a run's checkpoints) and rows of one may differ by more than
    an offset, the threshold is at least that of the CR2 sandwich with the degrees of freedom of Bell and
    McCaffrey 2002 (Imbens and Kolesar 2016, working model of a common offset); of a robust objective, which
    follows whichever groups lie in its middle, at least that of the jackknife over groups.
    """

    def searched(self, fit: Estimate, quantity: Quantity, level: float) -> tuple[Array, Array, Array, Array]:
        """As `Method.searched`; an end is ±inf where the objective never rises to the threshold."""
        theta = fit.theta[None]
        gradient = slopes(fit.problem, theta, quantity)
        why = explanations(fit)
        t = thresholds(fit.problem, theta, gradient, level, why)
        if fit.problem.objective.robust and _by_run(why):
            t = np.maximum(t, jackknife_t(fit, quantity, gradient, level, why))
        return self.at_thresholds(fit, quantity, level, t)

    def _parameters(self, fit: Estimate, level: float, names: list[str]) -> pd.DataFrame:
        """As of `Method`. A parameter of streams alone may be 0 where their effect is in doubt: its interval holds 0."""
        table = super()._parameters(fit, level, names)
        if streams_in_doubt(fit, level):
            without = fit.axes | {"P": np.ones(fit.loss.size)}
            own, left = (np.abs(fit.law.gradient(**axes)).max(0) for axes in (fit.axes, without))
            of_streams = np.array(fit.law.names())[(own > 0) & (left <= NONE * own)]
            those = table.index.isin(of_streams)
            table.loc[those, "lower"] = np.minimum(table.loc[those, "lower"], 0.0)
            table.loc[those, "upper"] = np.maximum(table.loc[those, "upper"], 0.0)
        return table

    def caveat(self, fit: Estimate) -> str:
        """What measured coverage says against it on the rows of `fit`; empty where nothing does."""
        return ""

    def draws(self, fit: Estimate, count: int = 1000, seed: int = 0) -> Law:
        """A batch of laws, fields (count,), spread as the data leave them uncertain."""
        return draw_cluster_laws(fit, count, seed)


def _by_run(why: Explanations) -> bool:
    """Whether groups were given. Rows of one may then differ by more than an offset."""
    return bool(why.by) and why.by[0].name == "run"


def thresholds(problem: Problem, theta: Array, gradient: Array, level: float, why: Explanations) -> Array:
    """The threshold of each quantity of slopes `gradient` (B, p, K), in standard errors of independent rows.

    (B, K), at optima θ (B, p). Parameters at a bound are let go too, and the longer of both is taken.
    """
    shape, plain = (len(theta), gradient.shape[2]), t_of(problem, level)
    if not np.isfinite(plain) or not (why.by or np.any(why.power)):
        return np.full(shape, plain)
    at = why.tangent(theta)
    out = np.zeros(shape)
    movable = np.broadcast_to(problem.lower < problem.upper, at.free.shape)
    for free in (at.free, movable)[: 1 + int((at.free != movable).any())]:
        h = Influence(at, gradient, free)
        own, more = variances(h, why)
        t = mixed_t(why, more / np.maximum(own, TINY)[..., None], level)
        if _by_run(why):
            t = np.maximum(t, sandwich_t(h, why, own, level))
        out = np.maximum(out, np.where(own > TINY, t, 0.0))
    if problem.objective.robust:  # it does not take offsets out as least squares does
        out = np.maximum(out, plain)
    return np.where(out > 0, out, plain)


class Influence:
    """How estimates follow the rows: a quantity of slopes gradient (B, p, K) moves by h · residuals, h (B, K, n).

    h = along' J w, with J the tangent in columns of unit length: its squares need no array of K times n numbers.
    """

    def __init__(self, at: Tangent, gradient: Array, free: Any) -> None:
        J = at.raw * free[..., None]
        length = np.sqrt((J * J * at.w[:, None]).sum(-1))
        length = np.where(length > 0, length, 1.0)
        self.at, self.J = at, J / length[..., None]  # (B, p, n)
        inverse = np.linalg.pinv(self.square(1.0), rcond=1e-13, hermitian=True)
        self.along = np.matmul(inverse, np.nan_to_num(gradient) * free[..., None] / length[..., None])

    def square(self, spread: Array | float) -> Array:
        """J w spread J', (B, p, p)."""
        return np.asarray(np.matmul(self.J * (self.at.w * spread)[:, None], self.J.swapaxes(1, 2)))

    def norm(self, matrix: Array) -> Array:
        """Along' matrix along of each quantity, (B, K), for a matrix (B, p, p)."""
        return np.asarray((self.along * np.matmul(matrix, self.along)).sum(1))

    def of_groups(self, by: Grouping) -> Array:
        """Squares of the sums of h over groups, added up, (B, K)."""
        sums = self.at.of(by).sums(self.J * self.at.w[:, None])  # (B, p, G)
        return self.norm(np.matmul(sums, sums.swapaxes(1, 2)))


def variances(h: Influence, why: Explanations) -> tuple[Array, Array]:
    """Of each quantity: its variance were rows independent, (B, K), and under each explanation, (B, K, C)."""
    own = h.norm(h.square(1.0))
    shared = np.stack([h.of_groups(one) for one in why.by] or [np.zeros_like(own)], axis=-1)
    rows = np.empty((*own.shape, why.rho.size))
    for power in np.unique(why.power):
        of_rows = h.norm(h.square(h.at.growth(float(power)))) if power else own
        rows[..., why.power == power] = of_rows[..., None]
    more = why.noise2[:, None] * (rows + why.rho * shared[..., why.which])
    return why.alone[:, None] * own, more


def mixed_t(why: Explanations, f: Array, level: float) -> Array:
    """Threshold t (B, K) with sum_c weight_c T(t / sqrt(f_c)) = level, for relative variances f (B, K, C)."""
    likely = (why.weight > LIKELY).any(0)
    weight, root = why.weight[:, None, likely], np.sqrt(np.maximum(f[..., likely], TINY))
    root = np.maximum(root, NONE * root.max(-1, keepdims=True))
    weight = weight / weight.sum(-1, keepdims=True)
    dof = why.dof[:, None, None]
    log_norm = special.gammaln((dof + 1) / 2) - special.gammaln(dof / 2) - np.log(np.pi * dof) / 2
    t = special.stdtrit(why.dof, 0.5 + level / 2)[:, None] * root.min(-1)
    for _ in range(NEWTON):  # from below, where the probability is concave: no step goes too far
        short = level - (weight * (2 * special.stdtr(dof, t[..., None] / root) - 1)).sum(-1)
        density = np.exp(log_norm - (dof + 1) / 2 * np.log1p((t[..., None] / root) ** 2 / dof))
        step = np.maximum(short, 0.0) / (2 * weight * density / root).sum(-1)
        t = t + step
        if (step <= EXACT * t).all():
            break
    return np.asarray(t)


def sandwich_t(h: Influence, why: Explanations, own: Array, level: float) -> Array:
    """The threshold (B, K) by the CR2 sandwich over the widest grouping that matters; `own` as of `variances`."""
    weight = np.stack([(why.weight * (why.which == j)).sum(-1) for j in range(len(why.by))], axis=-1)
    matters = [j for j in range(len(why.by)) if (weight[:, j] > 0.05).any()] or [0]
    by = why.by[min(matters, key=lambda j: why.by[j].count)]
    rho = why.rho[np.argmax(why.weight, axis=-1)]
    out = np.empty(own.shape)
    for b in range(len(out)):
        found, dof = cr2(h, b, by, float(rho[b]))
        ratio = np.sqrt(found / np.maximum(own[b], TINY))
        out[b] = special.stdtrit(np.maximum(dof, 1.0), 0.5 + level / 2) * ratio
    return np.where(own > 0, out, 0.0)


def jackknife_t(fit: Estimate, quantity: Quantity, gradient: Array, level: float, why: Explanations) -> Array:
    """The threshold (1, K) by refits without each group in turn; as `sandwich_t` in its degrees of freedom.

    None (0) where there are more than MOST groups, or a quantity is not finite without one of them.
    """
    by, theta = why.by[0], fit.theta[None]
    if by.count > MOST:
        return np.zeros((1, gradient.shape[2]))
    at = why.tangent(theta)
    values = quantity_values(fit.problem, _left_out(fit, by), quantity)
    found = (by.count - 1) / by.count * ((values - values.mean(0)) ** 2).sum(0)
    _, dof = cr2(Influence(at, gradient, at.free), 0, by, float(why.rho[np.argmax(why.weight[0])]))
    gap = np.sqrt(found) / errors_batch(fit.problem, theta, quantity)[0]
    t = special.stdtrit(np.maximum(dof, 1.0), 0.5 + level / 2) * gap
    return np.where(np.isfinite(t), t, 0.0)[None]


_REFITS: WeakKeyDictionary[Estimate, Array] = WeakKeyDictionary()


def _left_out(fit: Estimate, by: Grouping) -> Array:
    """Optima (G, p) without each group in turn; kept as long as the fit is.

    Of more than MANY rows every second, third, ... of a group represents all. Groups differ by what their rows share.
    """
    if fit not in _REFITS:
        problem, codes = fit.problem, by.codes
        if codes.size > MANY:
            some = np.sort(by.order[:: -(-codes.size // MANY)])
            problem, codes = problem.take(some), codes[some]
        w = np.where(codes == np.arange(by.count)[:, None], 0.0, problem.w)
        start = np.repeat(fit.theta[None], by.count, 0)
        _REFITS[fit] = minimise(replace(problem, w=w), start, tolerance=1e-8).theta
    return _REFITS[fit]


def cr2(h: Influence, b: int, by: Grouping, rho: float) -> tuple[Array, Array]:
    """Variance and degrees of freedom of fit b's quantities, (K,) both, by CR2: quantities in parts, for memory."""
    by = h.at.of(by)
    K = h.along.shape[2]
    step = max(1, LAID_OUT // by.codes.size)
    parts = [_cr2(h, b, slice(k, k + step), by, rho) for k in range(0, K, step)]
    variance, dof = zip(*parts, strict=True)
    return np.concatenate(variance), np.concatenate(dof)


def _cr2(h: Influence, b: int, some: Any, by: Grouping, rho: float) -> tuple[Array, Array]:
    """`cr2` of some quantities.

    (I - H_gg)^-1/2 = I + Q_g W Q_g' by the eigenvectors of Q_g'Q_g, Q (n, p) the tangent's basis; the degrees of
    freedom by the matrix of inner products of the G vectors whose squares add up to the variance, under
    V = I + rho ZZ'. Of more than PAIRS groups its diagonal alone: the rest is as one to their number.
    """
    Q, y, root = h.at.basis[0][b], h.at.basis[1][b], np.sqrt(h.at.w[b])
    rows = np.matmul(h.along[b, :, some].T, h.J[b] * root)  # (K, n)
    inner = np.stack([by.sums(rows * q) for q in Q.T], axis=-1)  # (K, G, p)
    M = np.stack([by.sums(Q.T * q) for q in Q.T], axis=-1).swapaxes(0, 1)  # (G, p, p)
    s2, v = np.linalg.eigh(M)
    s2 = np.clip(s2, 0.0, 1.0)
    more = np.where(1 - s2 > 1e-8, 1 / np.sqrt(np.maximum(1 - s2, 1e-8)), 0.0) - 1
    W = np.matmul(v * (more / np.maximum(s2, TINY) * (s2 > SAME))[:, None], v.swapaxes(1, 2))
    turned = np.matmul(inner.swapaxes(0, 1), W).swapaxes(0, 1)  # (K, G, p)
    score = by.sums(rows * y) + (turned * by.sums(Q.T * y).T).sum(-1)
    c = inner + np.matmul(turned.swapaxes(0, 1), M).swapaxes(0, 1)
    length = by.sums(rows**2) + (turned * (inner + c)).sum(-1)
    total = by.sums(Q.T * root)  # (p, G)
    cross = by.sums(rows * root) + (turned * total.T).sum(-1)
    dof = [_dof(*of_k, total, rho) for of_k in zip(length, c, cross, strict=True)]
    return (score**2).sum(-1), np.array(dof)


def _dof(length: Array, c: Array, cross: Array, total: Array, rho: float) -> float:
    """Bell and McCaffrey's degrees of freedom of one quantity: of groups' lengths (G,), c (G, p) and cross (G,)."""
    if length.size > PAIRS:
        aside = (c * total.T).sum(-1)
        others = ((c @ (total @ total.T)) * c).sum(-1) - aside**2
        diagonal = length - (c**2).sum(-1) + rho * ((cross - aside) ** 2 + others)
        return float(diagonal.sum() ** 2 / max(float((diagonal**2).sum()), TINY))
    M = np.diag(length) - c @ c.T
    Z = np.diag(cross) - c @ total
    M = M + rho * Z @ Z.T
    return float(np.trace(M) ** 2 / max(float((M * M).sum()), TINY))


def spread_of(fit: Estimate, theta: Array, gradient: Array, level: float) -> tuple[Array, Array]:
    """Threshold and standard deviation (K,) of quantities of slopes (1, p, K) at θ (p,).

    Both in standard errors of independent rows.
    """
    why = explanations(fit)
    at = why.tangent(theta[None])
    own, more = variances(Influence(at, gradient, at.free), why)
    variance = (why.weight[:, None] * more).sum(-1)[0] / np.maximum(own[0], TINY)
    return thresholds(fit.problem, theta[None], gradient, level, why)[0], np.sqrt(variance)


def new_run_spread(fit: Estimate, axes: Mapping[str, Array], level: float) -> Array:
    """Half the length of the interval of a new run's own scatter at axes (K,), in the objective's residual."""
    why = explanations(fit)
    robust = fit.noise / np.sqrt(max(float(why.alone[0]), TINY))
    return np.asarray(new_run_spread_batch(why, axes, level)[0] * robust)


def new_run_spread_batch(why: Explanations, axes: Mapping[str, Array], level: float) -> Array:
    """`new_run_spread` of B fits, (B, K): a group's offset and a row's own noise, as each explanation has them."""
    there = np.ones((next(iter(axes.values())).size, why.power.size))
    if np.any(why.power):
        there = np.exp(2 * why.power * (np.log(axes["N"])[:, None] - why.at.middle))
    f = why.noise2[:, None] * (there + why.rho) / why.alone[:, None, None]
    return np.asarray(mixed_t(why, f, level) * np.sqrt(why.alone)[:, None])


def draw_cluster_laws(fit: Estimate, count: int, seed: int) -> Law:
    """`count` laws spread as the explanations of the noise say, from `seed`, kept inside the bounds."""
    rng, problem, theta = np.random.default_rng(seed), fit.problem, fit.theta[None]
    why = explanations(fit)
    at = why.tangent(theta)
    every = np.eye(theta.size)[None]
    h = Influence(at, every, at.free)
    own, more = variances(h, why)
    # What a robust objective and the sandwich add, coordinate by coordinate.
    t = thresholds(problem, theta, every, SPREAD, why) / mixed_t(
        why, more / np.maximum(own, TINY)[..., None], SPREAD
    )
    ratio = np.diag(spread_batch(problem, theta)[0][0]) / np.maximum(own[0], TINY)
    stretch = np.where(own[0] > TINY, t[0] * np.sqrt(ratio), 0.0)
    chosen = rng.choice(why.rho.size, count, p=why.weight[0])
    normal = np.empty((count, theta.size))
    for c in np.unique(chosen):
        rows = np.flatnonzero(chosen == c)
        values, vectors = np.linalg.eigh(_covariance(h, why, int(c)))
        some = rng.standard_normal((rows.size, theta.size))
        normal[rows] = some * np.sqrt(np.maximum(values, 0)) @ vectors.T
    dof = max(fit.degrees_of_freedom, 1)
    drawn = fit.theta + stretch * normal / np.sqrt(rng.chisquare(dof, (count, 1)) / dof)
    return problem.law.from_vector(problem.named(np.clip(drawn, problem.lower, problem.upper)))


def _covariance(h: Influence, why: Explanations, c: int) -> Array:
    """Covariance of the K quantities of one fit, (K, K), under explanation c."""
    inner = h.square(h.at.growth(float(why.power[c])))[0]
    if why.by and why.rho[c] > 0:
        shared = h.at.of(why.by[why.which[c]]).sums(h.J[0] * h.at.w[0])
        inner = inner + why.rho[c] * shared @ shared.T
    return np.asarray(why.noise2[0, c] * h.along[0].T @ inner @ h.along[0])


def with_offsets(
    fit: Estimate, theta: Array, gradient: Array, axes: Mapping[str, Array]
) -> tuple[Array, Array, Array, Array]:
    """What a linear design needs where rows share offsets: θ and the offsets u of G groups, estimated together.

    theta: (p,); gradient: rows of candidates at axes (K,), in the objective's residual, (K, p). Returns the
    covariance (p + G, p + G), rows (K, p + G) with a 1 at the group a candidate is of, and σ² (K,); candidates
    of groups that no run has yet bring offsets of their own, known only by their variance. Last, what the
    offsets seen so far add to the law's prediction there, (K,). Source: mixed model equations (Henderson
    1975), with σ and τ as `explanations` has them.
    """
    why = explanations(fit)
    at = why.tangent(theta[None])
    robust = fit.noise / np.sqrt(max(float(why.alone[0]), TINY))
    sigma, tau = float(why.noise[0]) * robust, float(why.offset[0]) * robust
    of_runs, there = _groups_there(fit, why, at, axes)
    groups = there.shape[1]
    X = (at.raw[0] * at.free[0][:, None]).T
    explicit = of_runs < groups  # the other groups' offsets are integrated out
    own = np.zeros((len(X), groups))
    own[explicit, of_runs[explicit]] = 1.0
    X = np.concatenate([X, own], axis=1) * np.sqrt(at.w[0])[:, None]
    y = -at.r[0] * np.sqrt(at.w[0])  # the residual is prediction minus observation
    X, y = _without_offsets(X, y, np.sqrt(at.w[0]), of_runs, groups, (tau / max(sigma, TINY)) ** 2)
    length = np.sqrt((X * X).sum(0))
    length = np.where(length > 0, length, 1.0)
    information = (X / length).T @ (X / length)
    p = theta.size
    prior = np.concatenate([np.zeros(p), np.full(groups, (sigma / max(tau, 1e-6 * sigma)) ** 2)])
    information += np.diag(prior / length**2)
    moves = np.concatenate([at.free[0], np.ones(groups, bool)])
    cov = np.zeros((p + groups, p + groups))
    cov[np.ix_(moves, moves)] = np.linalg.pinv(information[np.ix_(moves, moves)], rcond=1e-13, hermitian=True)
    cov = cov / length / length[:, None]
    rows = np.concatenate([gradient, there], axis=1)
    shift = rows @ (cov @ (X.T @ y)) if tau > 0 else np.zeros(len(rows))
    return sigma**2 * cov, rows, np.full(len(rows), sigma**2), shift


def _without_offsets(
    X: Array, y: Array, root: Array, code: Any, groups: int, rho: float
) -> tuple[Array, Array]:
    """Weighted rows X (m, q) and y (m,), those of groups `groups` on multiplied by V^-1/2, V = I + rho 11'.

    Inner products are then those of generalised least squares. root: square roots of the weights, or 1.
    """
    rest = np.flatnonzero(code >= groups)
    if not rest.size or rho <= 0:
        return X, y
    by = Grouping("rest", joint(code[rest]))
    n = by.sums(root[rest] ** 2)
    cut = (1 - 1 / np.sqrt(1 + rho * n)) / n
    both = np.concatenate([X[rest], y[rest, None]], axis=1).T
    both = both - root[rest] * (cut * by.sums(both * root[rest]))[:, by.codes]
    X, y = X.copy(), y.copy()
    X[rest], y[rest] = both[:-1].T, both[-1]
    return X, y


def _groups_there(
    fit: Estimate, why: Explanations, at: Tangent, axes: Mapping[str, Array]
) -> tuple[Any, Array]:
    """The group of each row of the tangent, (m,), from G on where no candidate is in it; candidates', (K, G)."""
    codes, by = _joint_codes(fit, why, axes)
    of_fit, used = codes[: fit.loss.size], codes[fit.loss.size :]
    known, of_candidates = np.unique(used, return_inverse=True)
    own = np.zeros(at.w.shape[1], int) if by is None else at.of(Grouping(by.name, of_fit)).codes
    place = np.minimum(np.searchsorted(known, own), known.size - 1)
    of_rows = np.where(known[place] == own, place, known.size + own)
    return of_rows, np.eye(known.size)[of_candidates.ravel()]


def _joint_codes(fit: Estimate, why: Explanations, axes: Mapping[str, Array]) -> tuple[Any, Grouping | None]:
    """Groups of the runs and of candidates, (n + K,), by the likeliest grouping: new runs are of no old run."""
    n, more = fit.loss.size, next(iter(axes.values())).size
    share = [float(why.weight[0, (why.which == j) & (why.rho > 0)].sum()) for j in range(len(why.by))]
    by = why.by[int(np.argmax(share))] if share else None
    if by is None:
        return np.zeros(n + more, int), None
    if by.name == "run":
        return np.concatenate([by.codes, by.count + np.arange(more)]), by
    both = {a: np.concatenate([fit.axes[a], np.asarray(axes[a], dtype=np.float64)]) for a in fit.law.axes}
    return (levels_along("N", both["N"], both) if by.name == "size" else joint(*both.values())), by
