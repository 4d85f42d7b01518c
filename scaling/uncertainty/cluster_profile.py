"""Intervals where rows miss a law together: the profile likelihood with a threshold that allows for it.

The fit stays as it is. How far its quantities scatter follows from how much each group of rows decides of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from scipy import special

from scaling.data.levels import levels_along
from scaling.laws.base import Array, Law
from scaling.optimise.estimate import Estimate
from scaling.optimise.problem import TINY, Problem
from scaling.optimise.solver import minimise
from scaling.uncertainty.base import Quantity, errors_batch, evaluate, slopes, spread_batch, t_of
from scaling.uncertainty.profile import Profile
from scaling.uncertainty.size_effects import Explanations, Grouping, Tangent, explanations, growth

SPREAD = 0.95  # level at which draws are as wide as intervals
MOST = 60  # groups that a robust fit is repeated without
LIKELY = 1e-6  # of the probability: explanations below it decide no end


@dataclass(frozen=True)
class ClusterProfile(Profile):
    """Profile likelihood for rows that share offsets, or whose noise grows with N.

    A quantity's threshold is its own: t² with  sum_c weight_c T(t / sqrt(f_c)) = level,  T Student's with
    n - p degrees of freedom and f_c the quantity's variance under explanation c of the noise, relative to that
    of independent rows (`scaling.uncertainty.size_effects.explain`). The profile is moved vertically as by
    Chandler and Bate 2007. Where groups were told (a run's checkpoints) and rows of one may differ by more than
    an offset, the threshold is at least that of the CR2 sandwich with the degrees of freedom of Bell and
    McCaffrey 2002 (Imbens and Kolesar 2016, working model of a common offset); of a robust objective, which
    follows whichever groups lie in its middle, at least that of the jackknife over groups.
    """

    def interval(self, fit: Estimate, quantity: Quantity, level: float) -> tuple[Array, Array, Array]:
        """As `Method.interval`; an end is ±inf where the objective never rises to the threshold."""
        theta = fit.theta[None]
        gradient = slopes(fit.problem, theta, quantity)
        why = explanations(fit)
        t = thresholds(fit.problem, theta, gradient, level, why)
        if fit.problem.objective.robust and why.by and why.by[0].name == "run":
            t = np.maximum(t, jackknife_t(fit, quantity, gradient, level, why))
        estimate, ends = self.batch(fit.problem, theta, quantity, level, t)
        return estimate[0], ends[0, 0], ends[0, 1]

    def caveat(self, fit: Estimate) -> str:
        """What measured coverage says against it on the rows of `fit`; empty where nothing does."""
        return ""

    def draws(self, fit: Estimate, count: int = 1000, seed: int = 0) -> Law:
        """A batch of laws, fields (count,), spread as the data leave them uncertain."""
        return draw_laws(fit, count, seed)


def thresholds(problem: Problem, theta: Array, gradient: Array, level: float, why: Explanations) -> Array:
    """The threshold of each quantity of slopes `gradient` (B, p, K), in standard errors of independent rows.

    (B, K), at optima θ (B, p). Parameters at a bound are let go too, and the longer of both is taken.
    """
    shape, plain = (len(theta), gradient.shape[2]), t_of(problem, level)
    if not np.isfinite(plain) or not (why.by or np.any(why.power)):
        return np.full(shape, plain)
    at = Tangent(problem, theta)
    out = np.zeros(shape)
    movable = np.broadcast_to(problem.lower < problem.upper, at.free.shape)
    for free in (at.free, movable)[: 1 + int((at.free != movable).any())]:
        h = influence(at, gradient, free)
        own, more = variances(problem, at, h, why)
        t = mixed_t(why, more / np.maximum(own, TINY)[..., None], level)
        if why.by and why.by[0].name == "run":
            t = np.maximum(t, sandwich_t(at, h, why, own, level))
        out = np.maximum(out, np.where(own > TINY, t, 0.0))
    if problem.objective.robust:  # it does not take offsets out as least squares does
        out = np.maximum(out, plain)
    return np.where(out > 0, out, plain)


def influence(at: Tangent, gradient: Array, free: Any) -> Array:
    """Influence h (B, K, n): an estimate moves by h · residuals; gradient (B, p, K) of its quantity, free (B, p)."""
    J = at.raw * free[..., None]
    length = np.sqrt((J * J * at.w[:, None]).sum(-1))
    length = np.where(length > 0, length, 1.0)
    J = J / length[..., None]
    inverse = np.linalg.pinv(np.matmul(J * at.w[:, None], J.swapaxes(1, 2)), rcond=1e-13, hermitian=True)
    along = np.matmul(inverse, np.nan_to_num(gradient) * free[..., None] / length[..., None])  # (B, p, K)
    return np.asarray(np.matmul(along.swapaxes(1, 2), J * at.w[:, None]))


def variances(problem: Problem, at: Tangent, h: Array, why: Explanations) -> tuple[Array, Array]:
    """Of each quantity: its variance were rows independent, (B, K), and under each explanation, (B, K, C)."""
    w = at.w[:, None]
    own = (h * h / np.where(w > 0, w, 1.0)).sum(-1)
    shared = np.stack([(one.sums(h) ** 2).sum(-1) for one in why.by] or [np.zeros_like(own)], axis=-1)
    rows = np.empty((*own.shape, why.rho.size))
    for power in np.unique(why.power):
        spread = growth(problem, float(power))
        rows[..., why.power == power] = (h * h / np.where(w > 0, w, 1.0) * spread).sum(-1)[..., None]
    more = why.noise2[:, None] * (rows + why.rho * shared[..., why.which])
    return why.alone[:, None] * own, more


def mixed_t(why: Explanations, f: Array, level: float) -> Array:
    """Threshold t (B, K) with sum_c weight_c T(t / sqrt(f_c)) = level, for relative variances f (B, K, C)."""
    likely = (why.weight > LIKELY).any(0)
    weight, root = why.weight[:, None, likely], np.sqrt(np.maximum(f[..., likely], TINY))
    weight = weight / weight.sum(-1, keepdims=True)
    dof = why.dof[:, None, None]
    low, high = np.zeros(f.shape[:2]), special.stdtrit(why.dof, 0.5 + level / 2)[:, None] * root.max(-1)
    for _ in range(32):
        t = (low + high) / 2
        short = (weight * (2 * special.stdtr(dof, t[..., None] / root) - 1)).sum(-1) < level
        low, high = np.where(short, t, low), np.where(short, high, t)
    return np.asarray(high)


def sandwich_t(at: Tangent, h: Array, why: Explanations, own: Array, level: float) -> Array:
    """The threshold (B, K) by the CR2 sandwich over the widest grouping that matters; `own` as of `variances`."""
    weight = np.stack([(why.weight * (why.which == j)).sum(-1) for j in range(len(why.by))], axis=-1)
    matters = [j for j in range(len(why.by)) if (weight[:, j] > 0.05).any()] or [0]
    by = why.by[min(matters, key=lambda j: why.by[j].count)]
    Q, y = at.basis
    rho = why.rho[np.argmax(why.weight, axis=-1)]
    out = np.empty(own.shape)
    for b in range(len(y)):
        found, dof = _cr2(Q[b], y[b], h[b] / np.sqrt(at.w[b]), np.sqrt(at.w[b]), by, float(rho[b]))
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
    at = Tangent(fit.problem, theta)
    h = influence(at, gradient, at.free)
    values = evaluate(fit.problem, _left_out(fit, by), quantity)
    found = (by.count - 1) / by.count * ((values - values.mean(0)) ** 2).sum(0)
    Q, y, root = at.basis[0][0], at.basis[1][0], np.sqrt(at.w[0])
    _, dof = _cr2(Q, y, h[0] / root, root, by, float(why.rho[np.argmax(why.weight[0])]))
    gap = np.sqrt(found) / errors_batch(fit.problem, theta, quantity)[0]
    t = special.stdtrit(np.maximum(dof, 1.0), 0.5 + level / 2) * gap
    return np.where(np.isfinite(t), t, 0.0)[None]


_REFITS: WeakKeyDictionary[Estimate, Array] = WeakKeyDictionary()


def _left_out(fit: Estimate, by: Grouping) -> Array:
    """Optima (G, p) without each group in turn; kept as long as the fit is."""
    if fit not in _REFITS:
        w = np.where(by.codes == np.arange(by.count)[:, None], 0.0, fit.problem.w)
        start = np.repeat(fit.theta[None], by.count, 0)
        _REFITS[fit] = minimise(replace(fit.problem, w=w), start, tolerance=1e-8).theta
    return _REFITS[fit]


def _cr2(Q: Array, y: Array, h: Array, root: Array, by: Grouping, rho: float) -> tuple[Array, Array]:
    """Variance and degrees of freedom, (K,) both, of h (K, n) by CR2; Q (n, p), y and root weights (n,).

    (I - H_gg)^-1/2 by the singular values of Q's rows of a group; the degrees of freedom by the matrix of
    inner products of the G vectors whose squares add up to the variance, under V = I + rho ZZ'.
    """
    scores, length, inner, cross = [], [], [], []
    for rows in by.members():
        u, s, _ = np.linalg.svd(Q[rows], full_matrices=False)
        s2 = np.minimum(s**2, 1.0)
        more = np.where(1 - s2 > 1e-8, 1 / np.sqrt(np.maximum(1 - s2, 1e-8)), 0.0) - 1
        part = h[:, rows] + ((h[:, rows] @ u) * more) @ u.T  # (K, n_g)
        scores.append(part @ y[rows])
        length.append((part**2).sum(-1))
        inner.append(part @ Q[rows])
        cross.append(part @ root[rows])
    score, c = np.array(scores), np.array(inner)  # (G, K), (G, K, p)
    total = by.sums(Q.T * root)  # (p, G)
    variance, dof = (score**2).sum(0), np.empty(score.shape[1])
    for k in range(dof.size):
        M = np.diag(np.array(length)[:, k]) - c[:, k] @ c[:, k].T
        Z = np.diag(np.array(cross)[:, k]) - c[:, k] @ total
        M = M + rho * Z @ Z.T
        dof[k] = np.trace(M) ** 2 / max(float((M * M).sum()), TINY)
    return variance, dof


def spread_of(fit: Estimate, theta: Array, gradient: Array, level: float) -> tuple[Array, Array]:
    """Threshold and standard deviation (K,) of quantities of slopes (1, p, K) at θ (p,).

    Both in standard errors of independent rows.
    """
    why, at = explanations(fit), Tangent(fit.problem, theta[None])
    own, more = variances(fit.problem, at, influence(at, gradient, at.free), why)
    variance = (why.weight[:, None] * more).sum(-1)[0] / np.maximum(own[0], TINY)
    return thresholds(fit.problem, theta[None], gradient, level, why)[0], np.sqrt(variance)


def new_run_spread(fit: Estimate, axes: Mapping[str, Array], level: float) -> Array:
    """Half the length of the interval of a new run's own scatter at axes (K,), in the objective's residual."""
    why = explanations(fit)
    robust = fit.noise / np.sqrt(max(float(why.alone[0]), TINY))
    return np.asarray(new_run_spread_batch(fit.problem, why, axes, level)[0] * robust)


def new_run_spread_batch(
    problem: Problem, why: Explanations, axes: Mapping[str, Array], level: float
) -> Array:
    """`new_run_spread` of B fits, (B, K): a group's offset and a row's own noise, as each explanation has them."""
    there = np.ones((next(iter(axes.values())).size, why.power.size))
    if np.any(why.power):
        middle = np.log(problem.x[problem.law.axes.index("N")]).mean()
        there = np.exp(2 * why.power * (np.log(axes["N"])[:, None] - middle))
    f = why.noise2[:, None] * (there + why.rho) / why.alone[:, None, None]
    return np.asarray(mixed_t(why, f, level) * np.sqrt(why.alone)[:, None])


def draw_laws(fit: Estimate, count: int, seed: int) -> Law:
    """`count` laws spread as the explanations of the noise say, from `seed`, kept inside the bounds."""
    rng, problem, theta = np.random.default_rng(seed), fit.problem, fit.theta[None]
    why, at = explanations(fit), Tangent(fit.problem, fit.theta[None])
    every = np.eye(theta.size)[None]
    h = influence(at, every, at.free)
    own, more = variances(problem, at, h, why)
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
        values, vectors = np.linalg.eigh(_covariance(problem, at, h[0], why, int(c)))
        some = rng.standard_normal((rows.size, theta.size))
        normal[rows] = some * np.sqrt(np.maximum(values, 0)) @ vectors.T
    dof = max(fit.degrees_of_freedom, 1)
    drawn = fit.theta + stretch * normal / np.sqrt(rng.chisquare(dof, (count, 1)) / dof)
    return problem.law.from_vector(problem.named(np.clip(drawn, problem.lower, problem.upper)))


def _covariance(problem: Problem, at: Tangent, h: Array, why: Explanations, c: int) -> Array:
    """Covariance of θ, (p, p), under explanation c; h (p, n)."""
    scaled = h * np.sqrt(growth(problem, float(why.power[c])) / np.where(at.w[0] > 0, at.w[0], 1.0))
    cov = scaled @ scaled.T
    if why.by and why.rho[c] > 0:
        shared = why.by[why.which[c]].sums(h)
        cov = cov + why.rho[c] * shared @ shared.T
    return np.asarray(why.noise2[0, c] * cov)


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
    problem, why = fit.problem, explanations(fit)
    at, p = Tangent(problem, theta[None]), theta.size
    robust = fit.noise / np.sqrt(max(float(why.alone[0]), TINY))
    sigma, tau = float(why.noise[0]) * robust, float(why.offset[0]) * robust
    codes = _joint_codes(fit, why, axes)
    groups = int(codes.max()) + 1
    one = np.eye(groups)
    own, there = one[codes[: fit.loss.size]], one[codes[fit.loss.size :]]
    X = np.concatenate([(at.raw[0] * at.free[0][:, None]).T, own], axis=1) * np.sqrt(at.w[0])[:, None]
    length = np.sqrt((X * X).sum(0))
    length = np.where(length > 0, length, 1.0)
    information = (X / length).T @ (X / length)
    prior = np.concatenate([np.zeros(p), np.full(groups, (sigma / max(tau, 1e-6 * sigma)) ** 2)])
    information += np.diag(prior / length**2)
    moves = np.concatenate([at.free[0], np.ones(groups, bool)])
    cov = np.zeros((p + groups, p + groups))
    cov[np.ix_(moves, moves)] = np.linalg.pinv(information[np.ix_(moves, moves)], rcond=1e-13, hermitian=True)
    cov = cov / length / length[:, None]
    rows = np.concatenate([gradient, there], axis=1)
    seen = cov @ (X.T @ (-at.r[0] * np.sqrt(at.w[0])))  # the residual is prediction minus observation
    shift = rows @ seen if tau > 0 else np.zeros(len(rows))
    return sigma**2 * cov, rows, np.full(len(rows), sigma**2), shift


def _joint_codes(fit: Estimate, why: Explanations, axes: Mapping[str, Array]) -> Any:
    """Groups of the runs and of candidates, (n + K,), by the likeliest grouping: new runs are of no old run."""
    n, more = fit.loss.size, next(iter(axes.values())).size
    share = [float(why.weight[0, (why.which == j) & (why.rho > 0)].sum()) for j in range(len(why.by))]
    by = why.by[int(np.argmax(share))] if share else None
    if by is None:
        return np.zeros(n + more, int)
    if by.name == "run":
        return np.concatenate([by.codes, by.count + np.arange(more)])
    both = {a: np.concatenate([fit.axes[a], np.asarray(axes[a], dtype=np.float64)]) for a in fit.law.axes}
    if by.name == "size":
        return levels_along("N", both["N"], both)
    return np.unique(np.stack(list(both.values())), axis=1, return_inverse=True)[1].ravel()
