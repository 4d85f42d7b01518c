"""Rows that miss a law together: which rows, how sure that is, and how large their common offset is.

Checkpoints of one run, runs of one size and seeds of one configuration may share an offset from the law. A
residual is then τ u + σ e: u is the group's, e the row's own, both standard normal. Groups come from a
column of the table, from the caller, or from an F test of the residuals over the groupings that the axes give.

Shapes as in `scaling.optimise.problem`; C explanations of the noise (a grouping, τ²/σ², how σ grows with N).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from scipy import special

from scaling.laws.base import Array
from scaling.optimise.estimate import Estimate
from scaling.optimise.problem import Problem
from scaling.uncertainty.tangent import Grouping, Tangent, groupings

DOUBT = 0.05  # of all groupings tested together, and of the test of noise along N
FEW = 8  # groups below which their own spread is known too poorly to go unsaid
OFF, GIVEN = "off", "given"
SPIKE = 0.1  # prior share of no common offset, where no test has found one
KEPT = 0.5  # prior share of the other groupings, where a test has found one
USUAL = {"size": 3.0}  # how much likelier a priori than another grouping
SHRINKAGE = np.geomspace(0.97, 1e-4, 24)  # share of a group mean's variance that rows' own noise explains
POWERS = np.linspace(-1.2, 1.2, 13)  # of N that the noise may grow with
EXACT = 1e-9  # residuals below this share of the loss are rounding
WORDS = {
    "size": "residuals are correlated within a model size",
    "cell": "residuals are correlated within a configuration",
}
RARE = 0.05  # an explanation by which group means so small are rarer than this counts for less
SAME = 1e-9  # of a grouping's direction: what the law's tangent leaves of it is rounding


# ---- what the residuals say -----------------------------------------------------------------
def group_test(at: Tangent, by: Grouping, inner: Grouping | None = None) -> Array:
    """P (B,) of the F test that an offset of its own for each group explains nothing beyond the law.

    inner: groups within these groups that have offsets of their own (the runs of a size), which `by` is then
    held against in place of single rows. nan where no degree of freedom is left between groups, or within.
    """
    gained, between = explained_by_groups(at, at.of(by))
    total, used = (at.basis[1] ** 2 + at.aside).sum(-1), at.dof
    if inner is not None:
        total, used = explained_by_groups(at, at.of(inner))
    within, rest = np.round(used - between), np.maximum(total - gained, 1e-300)
    with np.errstate(all="ignore"):
        F = gained / between / (rest / within)
        p = special.fdtrc(np.maximum(between, 1), np.maximum(within, 1), F)
    return np.asarray(np.where((between > 0) & (within > 0), p, np.nan))


def explained_by_groups(at: Tangent, by: Grouping) -> tuple[Array, Array]:
    """Squares that offsets of groups explain beyond the law, (B,), and their degrees of freedom, (B,).

    The law's tangent is projected out of the groups' indicators first (a Lagrange multiplier test).
    """
    Q, y = at.basis
    root = np.sqrt(at.w)
    size = np.sqrt(np.maximum(by.sums(at.w), 1e-300))  # (B, G)
    z = by.sums(y * root) / size
    overlap = by.sums(Q.swapaxes(1, 2) * root[:, None]) / size[:, None]  # (B, p, G)
    _, s, v = np.linalg.svd(overlap, full_matrices=False)
    left = 1 - np.minimum(s**2, 1.0)
    inside = left > SAME
    along = np.matmul(v, z[..., None])[..., 0] ** 2
    gained = (z**2).sum(-1) + (along * np.where(inside, 1 / np.maximum(left, SAME) - 1, -1.0)).sum(-1)
    return gained, by.count - (~inside).sum(-1)


def degrees_between(at: Tangent, by: Grouping) -> Array:
    """Degrees of freedom (B,) that a law leaves between groups: groups minus what of it is the same in each."""
    return explained_by_groups(at, at.of(by))[1]


@dataclass(frozen=True)
class Explanations:
    """C explanations of the noise of B fits, and how probable each is given the residuals.

    An explanation: rows of `by[which]` share an offset of variance rho σ², and σ is proportional to N^power.
    """

    at: Tangent
    by: list[Grouping]
    which: Any  # (C,) of `by`
    rho: Array  # (C,)
    power: Array  # (C,)
    weight: Array  # (B, C), sums to 1
    noise2: Array  # σ² (B, C), in the objective's residual, at N in the middle of the runs
    alone: Array  # (B,): σ² where rows are independent and of one noise
    dof: Array  # (B,)

    def tangent(self, theta: Array) -> Tangent:
        """The tangent at θ (B, p): the one explained, if it is there."""
        return self.at if np.array_equal(theta, self.at.theta) else Tangent(self.at.problem, theta, self.by)

    @property
    def offset(self) -> Any:
        """τ, (B,): a group's own offset, the median of the explanations (their mean is heavy with few groups)."""
        return np.sqrt(_median(self.noise2 * self.rho, self.weight))

    @property
    def noise(self) -> Any:
        """σ, (B,): a row's own noise, the median of the explanations."""
        return np.sqrt(_median(self.noise2, self.weight))


def _median(values: Array, weight: Array) -> Array:
    """The weighted median of each row of values (B, C), (B,)."""
    order = np.argsort(values, axis=-1)
    ahead = np.cumsum(np.take_along_axis(weight, order, -1), axis=-1)
    at = np.minimum((ahead < 0.5).sum(-1, keepdims=True), values.shape[-1] - 1)
    return np.asarray(np.take_along_axis(np.take_along_axis(values, order, -1), at, -1)[:, 0])


def shares(found: Any, names: list[str]) -> tuple[Array, Array]:
    """Prior shares of no common offset, (B,), and of each grouping, (B, m); found as of `explain`."""
    usual = np.array([USUAL.get(name, 1.0) for name in names])
    some, all_found = found.any(-1), found.all(-1)
    among = found / np.maximum(found.sum(-1), 1)[:, None]
    others = ~found * usual / np.maximum((~found * usual).sum(-1), 1e-300)[:, None]
    both = np.where(all_found[:, None], among, (1 - KEPT) * among + KEPT * others)
    free = (1 - SPIKE) * usual / max(usual.sum(), 1e-300)
    return np.where(some, 0.0, SPIKE if names else 1.0), np.where(some[:, None], both, free)


def explain(at: Tangent, by: list[Grouping], found: Any, grows: Any) -> Explanations:
    """The explanations of the noise at the optima of a tangent, and their probabilities.

    found: whether each grouping is known to matter, (B, m) bool; grows: whether the noise changes with N, (B,).
    Restricted likelihood (Patterson and Thompson 1971) of the linearised law. Prior of s = 1 / (1 + n_g rho):
    ds / s for a grouping that is known to matter (Box and Tiao 1973, section 5.2); else half-Cauchy in τ / σ
    (Gelman 2006), with share SPIKE of no offset. An explanation that the group means at the fit rule out counts
    for less (`_plausible`): far parameters may explain rows within groups, and the likelihood is then flat in rho.
    """
    none, share = shares(found, [one.name for one in by])
    parts, prior = [(0, np.zeros(1), np.zeros(1))], [none[:, None]]
    for j, one in enumerate(by):
        rho = (1 / SHRINKAGE - 1) / (at.w.sum(-1).mean() / one.count)
        flat, cauchy = np.full(rho.size, 1 / rho.size), rho**-0.5 / (1 + rho) / SHRINKAGE
        chosen = np.where(found[:, j, None], flat, cauchy / cauchy.sum())
        parts.append((j, rho, np.zeros(rho.size)))
        prior.append(share[:, j, None] * chosen)
    which = np.concatenate([np.full(r.size, j) for j, r, _ in parts])
    rho, priors = np.concatenate([r for _, r, _ in parts]), np.concatenate(prior, axis=-1)
    powers = POWERS if grows.any() else np.zeros(1)
    fits = [_restricted(at, by, which, rho, g) for g in powers]
    like, noise2 = (np.concatenate([f[i] for f in fits], axis=-1) for i in (0, 1))
    power = np.repeat(powers, rho.size)
    allowed = np.where(grows[:, None], True, power == 0)
    log = np.where(allowed, like, -np.inf) + np.log(np.maximum(np.tile(priors, powers.size), 1e-300))
    weight = np.exp(log - log.max(-1, keepdims=True))
    weight = weight * _plausible(at, by, np.tile(which, powers.size), np.tile(rho, powers.size), noise2)
    alone = noise2[:, int(np.flatnonzero(power == 0)[0])]
    which, rho = np.tile(which, powers.size), np.tile(rho, powers.size)
    weight = weight / weight.sum(-1, keepdims=True)
    return Explanations(at, by, which, rho, power, weight, noise2, alone, at.dof)


def _plausible(at: Tangent, by: list[Grouping], which: Any, rho: Array, noise2: Array) -> Array:
    """How far explanations agree with the group means of the residuals at the fit, (B, C), 1 but for the rare.

    With n_g the weight of a group, the sum of n_g times its squared mean residual is a quadratic form of
    covariance sigma^2 (H + rho H n H), H what the tangent leaves of the groups. The probability of such a sum or
    a smaller one is by Satterthwaite (1946); below RARE it is the weight, in units of RARE.
    """
    out = np.ones_like(noise2)
    for j, one in enumerate(map(at.of, by)):
        Q = at.basis[0]
        root = np.sqrt(at.w)
        size = np.sqrt(np.maximum(one.sums(at.w), 1e-300))  # (B, G)
        Z = one.sums(Q.swapaxes(1, 2) * root[:, None]) / size[:, None]  # (B, p, G)
        H = np.eye(one.count) - np.matmul(Z.swapaxes(1, 2), Z)
        K = np.matmul(H * size[:, None] ** 2, H)
        seen = ((one.sums(at.w * at.r) / size) ** 2).sum(-1)[:, None]
        at_j = (which == j) & (rho > 0)
        x = rho[at_j]
        mean = np.trace(H, axis1=1, axis2=2)[:, None] + x * np.trace(K, axis1=1, axis2=2)[:, None]
        HH, HK, KK = ((a * b).sum((1, 2))[:, None] for a, b in ((H, H), (H, K), (K, K)))
        df = mean**2 / np.maximum(HH + 2 * x * HK + x**2 * KK, 1e-300)
        p = special.chdtr(df, df * seen / np.maximum(noise2[:, at_j] * mean, 1e-300))
        out[:, at_j] = np.minimum(p / RARE, 1.0)
    return out


def _restricted(
    at: Tangent, by: list[Grouping], which: Any, rho: Array, power: float, full: bool = False
) -> tuple[Array, Array]:
    """Log restricted likelihood and σ², (B, C) both, of C offsets rho of groupings `which`.

    power: of N that the noise grows with. full: the likelihood itself, its σ² over n.
    """
    spread = at.growth(power)
    w = at.w / spread
    J = at.basis[0].swapaxes(1, 2) / np.sqrt(at.w)[:, None]  # the tangent, none of its directions twice
    A = np.matmul(J * w[:, None], J.swapaxes(1, 2)) + np.eye(J.shape[1]) * (J == 0).all(-1)[:, None]
    b, rr = (J * (w * at.r)[:, None]).sum(-1), (w * at.r**2 + at.aside / spread).sum(-1)
    sums = [(g.sums(J * w[:, None]), g.sums(w * at.r), g.sums(w)) for g in map(at.of, by)]
    like, noise2 = np.empty((len(w), rho.size)), np.empty((len(w), rho.size))
    for c, x in enumerate(rho):
        M, v, rss, size = A, b, rr, 0.0
        if x > 0:
            SJ, Sr, n = sums[which[c]]
            cut = x / (1 + x * n)
            M = A - np.matmul(SJ * cut[:, None], SJ.swapaxes(1, 2))
            v, rss = b - np.matmul(SJ, (cut * Sr)[..., None])[..., 0], rr - (cut * Sr**2).sum(-1)
            size = np.log1p(x * n).sum(-1)
        rss = np.maximum(rss - (v * np.linalg.solve(M, v[..., None])[..., 0]).sum(-1), 1e-300)
        dof = at.w.sum(-1) if full else at.dof
        noise2[:, c] = rss / dof
        like[:, c] = -0.5 * (size + (0.0 if full else np.linalg.slogdet(M)[1]) + dof * np.log(noise2[:, c]))
    log_w = at.log_w - (at.rows_each * np.log(spread)).sum()
    return like + 0.5 * log_w[:, None], noise2


def growth_test(at: Tangent, by: list[Grouping]) -> Array:
    """P (B,) of the likelihood ratio test that the noise does not grow with N; nan without three sizes.

    Restricted likelihoods at their largest over offsets and powers of N, against chi squared of one degree.
    """
    if np.unique(at.log_N).size < 3:
        return np.full(len(at.r), np.nan)
    rho = np.concatenate([[0.0], *((1 / SHRINKAGE[::4] - 1) * one.count / at.w[0].sum() for one in by)])
    which = np.concatenate([[0], *(np.full(SHRINKAGE[::4].size, j) for j, _ in enumerate(by))]).astype(int)
    best = np.stack([_restricted(at, by, which, rho, g)[0].max(-1) for g in (0.0, *POWERS)])
    return np.asarray(special.chdtrc(1, np.maximum(2 * (best.max(0) - best[0]), 0)))


def deviances(at: Tangent, by: list[Grouping]) -> tuple[Array, Array]:
    """-2 log likelihood (B,), without constants, and variance components (B,) of the best by AIC.

    One component: rows are independent. Two: the likeliest offset of one of the groupings, the law's
    coefficients re-solved by generalised least squares in its tangent.
    """
    best = -2 * _restricted(at, by, np.zeros(1, int), np.zeros(1), 0.0, True)[0][:, 0]
    parts = np.ones(len(at.r))
    for one in by:
        rho = (1 / SHRINKAGE - 1) * one.count / at.w.sum(-1).mean()
        two = -2 * _restricted(at, [one], np.zeros(rho.size, int), rho, 0.0, True)[0].max(-1)
        better = two + 2 < best + 2 * (parts - 1)
        best, parts = np.where(better, two, best), np.where(better, 2.0, parts)
    return best, parts


# ---- of one fit -----------------------------------------------------------------------------
def grouped(fit: Estimate, how: str) -> Estimate:
    """The estimate with the groups its rows miss the law by, and how they were found.

    how: OFF where the caller wants rows taken as independent, the source of `fit.groups` where it has some,
    else empty: sizes and cells are then tested, at DOUBT for both together, and the likelier one kept.
    """
    if how == OFF or fit.groups is not None or not _noisy(fit):
        return replace(fit, grouping=how)
    by, at = _at_optimum(fit)
    chosen = np.flatnonzero(noticed(at, by)[0])
    if not chosen.size:
        return replace(fit, grouping=how)
    one = by[chosen[0]]
    return replace(fit, groups=one.codes, grouping=one.name)


def noticed(at: Tangent, by: list[Grouping]) -> Any:
    """Which grouping is found to matter, (B, m) bool: at most one a row, at DOUBT for all m tests together.

    Of several that pass their test the likeliest: one that holds another passes for it too.
    """
    if not by:
        return np.zeros((len(at.r), 0), bool)
    passed = np.stack([group_test(at, one) for one in by], axis=-1) * len(by) < DOUBT
    if passed.sum(-1).max() < 2:
        return passed
    like = np.full(passed.shape, -np.inf)
    for j, one in enumerate(by):
        rho = (1 / SHRINKAGE - 1) * one.count / at.w.sum(-1).mean()
        like[:, j] = _restricted(at, [one], np.zeros(rho.size, int), rho, 0.0)[0].max(-1)
    best = np.argmax(np.where(passed, like, -np.inf), axis=-1)
    return passed & (np.arange(len(by)) == best[:, None])


_EXPLAINED: WeakKeyDictionary[Estimate, Explanations] = WeakKeyDictionary()


def explanations(fit: Estimate) -> Explanations:
    """What may lie behind the residuals of one fit: `explain`, B = 1; kept as long as the fit is."""
    if fit not in _EXPLAINED:
        _EXPLAINED[fit] = _explain_one(fit)
    return _EXPLAINED[fit]


_AT_OPTIMUM: WeakKeyDictionary[Problem, tuple[list[Grouping], Tangent]] = WeakKeyDictionary()


def _at_optimum(fit: Estimate) -> tuple[list[Grouping], Tangent]:
    """The groupings that follow from the axes and the tangent at the optimum; kept as long as the fit's problem is."""
    if fit.problem not in _AT_OPTIMUM:
        by = groupings(fit.problem)
        _AT_OPTIMUM[fit.problem] = by, Tangent(fit.problem, fit.theta[None], by)
    return _AT_OPTIMUM[fit.problem]


def _explain_one(fit: Estimate) -> Explanations:
    by = candidates(fit)
    if by and _told(fit) is None:
        by, at = _at_optimum(fit)
    else:
        at = Tangent(fit.problem, fit.theta[None], by)
    if _told(fit) is None:
        found = np.array([[one.name == fit.grouping for one in by]], dtype=bool).reshape(1, len(by))
    else:
        above = [group_test(at, one, by[0])[0] * (len(by) - 1) < DOUBT for one in by[1:]]
        found = np.array([[bool(by), *above][: len(by)]], dtype=bool)
    tested = fit.grouping != OFF and _noisy(fit)
    grows = growth_test(at, by) < DOUBT if tested else np.zeros(1, bool)
    return explain(at, by, found, grows)


def _noisy(fit: Estimate) -> bool:
    """Whether residuals are more than rounding, in rows that determine the law."""
    return fit.determined and fit.rmse > EXACT * float(fit.loss.mean())


def grouping_note(fit: Estimate) -> str:
    """Which rows miss the law together and how intervals allow for it; empty where none were found to."""
    if fit.grouping in ("", OFF) or not fit.clustered or not fit.determined:
        return ""
    count = pd.factorize(np.asarray(fit.groups))[0].max() + 1
    why, words = (
        explanations(fit),
        WORDS.get(fit.grouping, f"rows of one group ({fit.grouping}) are correlated"),
    )
    tau, sigma = float(why.offset[0]), float(why.noise[0])
    few = f"; {count} groups are few, so intervals are long" if count < FEW else ""
    return (
        f"{words}: {count} groups, standard deviation {tau:.1e} between and {sigma:.1e} within them; "
        f"intervals allow for it{few}"
    )


def growth_note(fit: Estimate) -> str:
    """That the noise grows, or falls, with N, and how fast; empty where no test finds it."""
    why = explanations(fit) if fit.determined and fit.grouping != OFF else None
    if why is None or not np.any(why.power):
        return ""
    power = float((why.weight * why.power).sum(-1)[0])
    return f"the noise changes with N, as N^{power:.2g}: prediction intervals of a new run follow it"


def candidates(fit: Estimate) -> list[Grouping]:
    """The groupings that rows of a fit may miss its law by; none where rows are to be taken as independent."""
    if not _noisy(fit) or fit.grouping == OFF:
        return []
    return _at_optimum(fit)[0] if _told(fit) is None else groupings(fit.problem, _told(fit))


def _told(fit: Estimate) -> Any:
    """The groups of a fit that a column or the caller gave, or None."""
    return None if fit.grouping in ("size", "cell") else fit.groups
