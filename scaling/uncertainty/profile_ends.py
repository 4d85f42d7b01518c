"""Ends of profile intervals: each checked by a refit with the quantity held, or found by bracketing.

An end is where the profile curve, the least rise of the objective with the quantity held at a value,
reaches the threshold. Whatever proposes an end, it is accepted here only if such a refit rises by the
threshold, or if no value of the law lies further out; a value without bound is open, infinite. Shapes: R
rows, one end each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scaling.laws.base import Array, Law
from scaling.uncertainty.held_quantity import Held, HeldFit
from scaling.uncertainty.interval_methods import Quantity, quantity_values
from scaling.uncertainty.own_quantity import own_of

FAR = 1e4  # standard errors from the estimate at which an end counts as infinite
CLOSE = 4e-3  # relative difference from the threshold at which a step to it ends a search
MEETS = 1e-3  # the same after the first refit
NARROW = 1e-5  # of the distance to the estimate: a bracket this narrow holds no more to be found
BETWEEN = (
    5e-4  # the same of a bracket whose rises both lie within NEAR of the threshold: its end is between them
)
ROUGH = 0.01  # the same where refits between the two fail: its end is the outer
NEAR = 0.02
OPENED, FAILED = 4, 8  # times that a bracket is opened again, and refits that may fail
SEARCHES = 45  # refits of an end at most
WILD = 2.0  # root of the rise: an outside this high may be a fold, and its bracket is halved
FEW = 16  # quantities that are quicker computed all at once than sorted by row
AGAIN = 3  # times that ends are held against what other rows found
WITNESSES = 64  # points of other rows that an end is held against
FURTHER = 1e-3  # relative: such a point this much further out than an end shows that the end is none
STARTS, NEIGHBOURS = (
    6,
    4,
)  # places about the optimum, and other rows' ends, that an end at a kink is refitted from
KINKED = 6  # rows up to which kinks of the objective can hide a better refit from all but one of these places
ROUNDS = 8  # times that such an end may turn out to lie further out before it is given as open
GAINS = 1e-3  # of the distance to the estimate: a quantity that can gain less is at its limit
NEARER = (0.3, 0.1, 0.03)  # of the first distance: where a lost search starts again


class WithExponents:
    """A quantity (K of them) with the law's free nonlinear parameters after it.

    The ends of these lie at either end of the valley between E and the exponents. A quantity that is no
    monotone function along it has two branches there, of which a search from the estimate follows one.
    """

    def __init__(self, quantity: Quantity, law: Any, K: int) -> None:
        self.quantity, self.K = quantity, K
        self.finite = getattr(quantity, "finite", False)
        self.names = tuple(name for name in law.nonlinear if name not in law.fixed)

    def __call__(self, law: Law) -> Array:
        """The values, (B, K + the parameters)."""
        values = np.asarray(self.quantity(law), dtype=np.float64)
        out = np.empty((len(values), self.K + len(self.names)))
        out[:, : self.K] = values.reshape(len(values), -1)
        for i, name in enumerate(self.names):
            out[:, self.K + i] = getattr(law, name)
        return out

    def own(self, law: Law, k: Any) -> Array:
        """Of each law (B,) the value k (B,) alone, (B,)."""
        asked, out = k < self.K, np.empty(k.size)
        if self.K <= FEW:
            return np.asarray(self(law)[np.arange(k.size), k])
        if asked.all():
            return own_of(self.quantity, law, k)
        if asked.any():
            laws, mine = law.kind.from_vector(law.vector[asked]), k[asked]
            out[asked] = own_of(self.quantity, laws, mine)
        for i, name in enumerate(self.names):
            at = k == self.K + i
            out[at] = np.broadcast_to(getattr(law, name), k.shape)[at]
        return out


class Ends:
    """The search for ends: B optima, K quantities and those of `WithExponents`, two ends each: R rows.

    held: refits of these rows; theta: the optima (R, p); se: what a standard error is about, (R,); side: -1
    for a lower end, 1 for an upper one; t: standard errors at which an end lies where the law is linear, (R,);
    shape: (B, K); valleys: other local optima of one fit, (V, p).
    """

    def __init__(
        self,
        held: Held,
        theta: Array,
        side: Any,
        se: Array,
        t: Array,
        shape: tuple[int, int],
        valleys: Array,
    ) -> None:
        self.valleys = valleys
        self.held, self.side, self.se, self.t, self.shape = held, side, se, t, shape
        self.optimum, self.theta, self.rise = theta, theta.copy(), np.zeros(se.size)
        self.reach = np.zeros(se.size)  # the largest known to be inside
        self.outer = np.full(se.size, np.inf)  # the smallest known to be outside
        self.outer_rise = np.full(se.size, np.nan)
        self.stop = np.full(se.size, np.inf)  # where the last refit that missed its distance got to
        self.slope, self.outer_slope = (np.full(se.size, np.nan) for _ in range(2))  # of the rise, at both
        self.stride = np.ones(
            se.size
        )  # share of the way to the next distance planned: less where refits fail
        self.opened = np.zeros(se.size, int)  # brackets whose outside was found to be none
        self.failed = np.zeros(se.size, int)  # refits that did not arrive
        self.end = np.full(se.size, np.nan)  # distance of the end, once it is known
        self.lost = np.zeros(se.size, bool)  # searches that found none: their ends are given as open

    def run(self, proposed: Array, theta: Array) -> Array:
        """The ends (B, 2, K), from proposals (R,) with their θ (R, p); nan proposes nothing."""
        self._search(*self._propose(proposed, theta), rounds=1)
        for _ in range(AGAIN):
            self._further(theta)
            rows = np.flatnonzero(np.isnan(self.end) & np.isfinite(self.held.estimate))
            if not rows.size:
                break
            target, start = self._next(rows)
            self._search(rows, np.where(self.rise[rows] > 1 - CLOSE, self.reach[rows], target), start)
        self._restart()
        self._confirm()
        return self._asked(self._ends())

    @property
    def few(self) -> bool:
        """Whether rows are so few that kinks of the objective hide much."""
        return int(self.held.problem.y.shape[-1]) <= KINKED

    @property
    def unconfirmed(self) -> Array:
        """Which ends are open because no refit confirmed one, (B, 2, K) bool."""
        return self._asked(self.lost & np.isfinite(self.held.estimate))

    def _asked(self, values: Any) -> Array:
        """What the quantities were asked for, (B, 2, K), of values (R,)."""
        return np.asarray(values.reshape(self.shape[0], 2, -1)[:, :, : self.shape[1]])

    def _search(
        self, rows: Any, target: Array, start: Array, rounds: int = SEARCHES, skipped: int = 0
    ) -> None:
        """Refit and bracket until every one of `rows` (r,) has its end, first at distances target (r,).

        skipped: as of `Held.refit`.
        """
        close = CLOSE
        for _ in range(rounds):
            if not rows.size:
                break
            values = self.held.estimate[rows] + self.side[rows] * target
            self._learn(self.held.refit(start, values, rows, skipped), target, rows, close)
            rows, close = rows[np.isnan(self.end[rows])], MEETS
            if rows.size:
                self._limits(rows)
                rows = rows[np.isnan(self.end[rows])]
                target, start = self._next(rows)
        if rounds == SEARCHES:
            self.end[rows], self.lost[rows] = np.inf, True

    def _further(self, theta: Array) -> None:
        """Move rows whose quantity goes further at a point that another row found inside, or another valley, there."""
        B, K = self.shape
        of_fit = self.held.k.reshape(B, -1)[0]
        some = np.unique(np.linspace(0, of_fit.size - 1, WITNESSES).astype(int))
        some = np.unique(np.concatenate([some, np.flatnonzero(of_fit >= K)]))
        of = np.arange(self.se.size).reshape(B, -1)
        rows = np.concatenate(
            [of[:, some], of[:, some], of[:, np.zeros(len(self.valleys), int)]], axis=1
        ).ravel()
        seen = np.stack(
            [found.reshape(B, -1, theta.shape[1])[:, some] for found in (theta, self.theta)], axis=1
        )
        seen = seen.reshape(B, -1, theta.shape[1])
        points = np.concatenate([seen, np.broadcast_to(self.valleys, (B, *self.valleys.shape))], axis=1)
        points, each = points.reshape(-1, theta.shape[1]), points.shape[1]
        rise = self.held.risen(points, rows)
        values = quantity_values(self.held.problem, points, self.held.quantity).reshape(B, each, -1)
        inside = rise.reshape(B, -1, 1) <= (1 + CLOSE) * self.held.allowed.reshape(B, 1, -1)
        told = np.isfinite(values) | self._meant(points).reshape(B, -1, 1)
        values = np.where(inside & told[:, :, of_fit], values[:, :, of_fit], np.nan)
        out = self.side.reshape(B, 1, -1) * (values - self.held.estimate.reshape(B, 1, -1))
        out = np.where(np.isnan(out), -np.inf, out)
        out = out / np.sqrt(np.maximum(rise / self.held.allowed[rows], 1.0)).reshape(B, -1, 1)
        best = out.argmax(1)  # (B, rows of a fit)
        reach = np.take_along_axis(out, best[:, None], 1)[:, 0].ravel()
        known = np.where(np.isnan(self.end), self.reach, self.end)
        asked = np.isfinite(known) & np.isfinite(self.held.estimate) & ~self.held.exact()
        found = np.flatnonzero(asked & (reach > known * (1 + FURTHER)))
        at = (np.arange(B)[:, None] * each + best).ravel()[found]
        self._move(found, points[at], reach[found], rise[at] / self.held.allowed[found])

    def _restart(self) -> None:
        """Search lost ends again from their optimum, in shorter steps: another path may lead there."""
        for share in NEARER:
            rows = np.flatnonzero(self.lost & np.isfinite(self.held.estimate))
            if not rows.size:
                return
            self.lost[rows], self.outer[rows], self.outer_rise[rows] = False, np.inf, np.nan
            self._move(rows, self.optimum[rows], np.zeros(rows.size), np.zeros(rows.size))
            self._search(rows, share * self.t[rows] * self.se[rows], self.optimum[rows])

    def _move(self, rows: Any, theta: Array, reach: Array, rise: Array) -> None:
        """Take the points theta (r, p) as inside for `rows` (r,), and search these again."""
        self.theta[rows], self.reach[rows], self.rise[rows], self.slope[rows] = theta, reach, rise, np.nan
        stale = rows[(self.outer[rows] <= reach) | np.isfinite(self.end[rows])]
        self.outer[stale], self.outer_rise[stale], self.stop[rows] = np.inf, np.nan, np.inf
        self.end[rows], self.opened[rows], self.failed[rows], self.stride[rows] = np.nan, 0, 0, 1.0

    def _confirm(self) -> None:
        """Where the objective has kinks, refit each end from other places; open what none settles.

        A refit that follows kinks may end in a fold, far above the least rise. Of many rows the folds are shallow: there
        absolute deviations alone are refitted, from the optimum.
        """
        folded = self.held.absolute or (bool(self.held.wider) and self.few)
        rows = np.flatnonzero(np.isfinite(self.end) & ~self.held.exact()) if folded else np.zeros(0, int)
        for _ in range(ROUNDS):
            rows = self._easier(rows)
            if not rows.size:
                return
            self._search(rows, *self._next(rows), skipped=1)
            rows = rows[np.isfinite(self.end[rows])]
        rows = self._easier(rows)
        self.end[rows], self.lost[rows] = np.inf, True

    def _easier(self, rows: Any) -> Any:
        """Those of `rows` (r,) that a refit from another place takes past their end; moved there."""
        if not rows.size:
            return rows
        of_fit = self.se.size // self.shape[0]
        first = rows // of_fit * of_fit
        rng, optimum = np.random.default_rng(0), self.optimum[rows]
        starts = [optimum]
        if self.few:
            starts += [self.theta[first + (rows - first + j) % of_fit] for j in range(1, NEIGHBOURS + 1)]
            wide = 0.5 * np.maximum(np.abs(optimum), 0.05)
            starts += [optimum + wide * rng.standard_normal(optimum.shape) for _ in range(STARTS)]
        lower, upper = self.held.problem.lower, self.held.problem.upper
        all_rows = np.tile(rows, len(starts))
        least = FURTHER * self.t * self.se  # of an end at the estimate itself
        target = np.maximum(self.end * (1 + FURTHER), least)[all_rows]
        values = self.held.estimate[all_rows] + self.side[all_rows] * target
        found = self.held.refit(np.clip(np.concatenate(starts), lower, upper), values, all_rows, skipped=1)
        rise = np.where(found.met, found.rise, np.inf).reshape(len(starts), -1)
        best = rise.argmin(0)
        at = best * rows.size + np.arange(rows.size)
        past = rise.min(0) < 1 - CLOSE
        moved, at = rows[past], at[past]
        self._move(moved, found.theta[at], target[at], found.rise[at])
        return moved

    def _ends(self) -> Any:
        """The ends (R,) as values of the quantities."""
        known = np.isfinite(self.end) & np.isfinite(self.held.estimate)
        return np.asarray(np.where(known, self.held.estimate + self.side * self.end, self.side * np.inf))

    def _propose(self, proposed: Array, theta: Array) -> tuple[Any, Array, Array]:
        """Rows to search, the distances to try first and the θ to start from."""
        out = self.side * (proposed - self.held.estimate)
        rise = self.held.risen(theta, np.arange(self.se.size)) / self.held.allowed
        inside = (out > 0) & (rise <= 1 + CLOSE) & (np.isfinite(out) | self._meant(theta))
        exact = self.held.exact()
        self.end[exact] = np.where(np.isnan(out), np.inf, np.maximum(out, 0.0))[exact]
        self.end[inside & ((out > FAR * self.se) | np.isinf(out))] = np.inf
        first = np.where(inside & np.isfinite(out), out, self.t * self.se)
        start = np.where(inside[:, None], theta, self.theta)
        rows = np.flatnonzero(np.isnan(self.end) & np.isfinite(self.held.estimate))
        return rows, first[rows], start[rows]

    def _meant(self, theta: Array) -> Any:
        """Where an infinite quantity is meant, (r,): A, a power of 1 / alpha, may overflow, and a predicted loss with it."""
        meant = not getattr(self.held.quantity, "finite", False)
        return meant | np.isfinite(self.held.problem.named(theta)).all(-1)

    def _learn(self, found: HeldFit, target: Array, rows: Any, close: float) -> None:
        """Move the brackets by what refits at distances `target` found."""
        good = found.met & found.arrived & np.isfinite(found.rise)
        reached = self.side[rows] * (found.value - self.held.estimate[rows])
        slope = np.where(good, self.side[rows] * found.slope, np.nan)
        left = np.nan_to_num(_along_root(found.rise, slope), posinf=0.0, neginf=0.0)
        at = good & (np.abs(found.rise - 1) <= close)
        at &= (np.abs(left) <= close * reached) | self.held.absolute
        i = rows[at]
        self.end[i] = reached[at] + np.clip(left, -close * reached, close * reached)[at]
        self.theta[i] = found.theta[at]
        self.stop[rows] = np.where(~found.met & (reached > self.reach[rows]), reached, np.inf)
        ahead = (reached > self.reach[rows]) | (found.rise < self.rise[rows]) & found.met
        inside = (found.rise < 1) & ahead & (reached < self.outer[rows]) & ~at
        i = rows[inside]
        self.reach[i], self.rise[i], self.theta[i] = reached[inside], found.rise[inside], found.theta[inside]
        self.slope[i] = slope[inside]
        outside = good & (found.rise >= 1) & ~at & (target < self.outer[rows])
        i = rows[outside]
        self.outer[i], self.outer_rise[i], self.outer_slope[i] = (
            target[outside],
            found.rise[outside],
            slope[outside],
        )
        failed = ~(found.met & (found.rise < 1) | good)
        self.failed[rows] += failed
        self.stride[rows] = np.where(failed, self.stride[rows] / 4, np.minimum(1.0, 2 * self.stride[rows]))

    def _limits(self, rows: Any) -> None:
        """End what is too far out and what the law lets go no further; widen brackets that closed on nothing.

        A bracket closes on nothing where the refit outside had ended in another valley: from inside a shorter
        step gets further.
        """
        self.end[rows[self.reach[rows] > FAR * self.se[rows]]] = np.inf
        outer = self.outer[rows]
        narrow = np.isfinite(outer) & (outer - self.reach[rows] <= NARROW * outer)
        met = narrow & (np.abs(self.rise[rows] - 1) <= NEAR)
        met |= (outer - self.reach[rows] <= BETWEEN * outer) & (
            np.maximum(1 - self.rise[rows], self.outer_rise[rows] - 1) <= NEAR
        )
        self.end[rows[met]] = self.reach[rows[met]]
        room = np.maximum(1 - self.rise[rows], MEETS)
        gain = self.held.gain(self.theta[rows], self.side[rows], room, rows)
        limit = (self.reach[rows] > 0) & (gain <= GAINS * self.reach[rows]) & ~met
        limit |= (self.reach[rows] == 0) & (gain <= 1e-9 * self.se[rows])
        self.end[rows[limit]] = self.reach[rows[limit]]
        closed = rows[narrow & np.isnan(self.end[rows])]
        self.outer[closed], self.outer_rise[closed], self.stride[closed] = np.inf, np.nan, 0.02
        self.opened[closed] += 1
        tired = (self.stride[rows] < NARROW) | (self.opened[rows] > OPENED) | (self.failed[rows] > FAILED)
        near = np.maximum(1 - self.rise[rows], self.outer_rise[rows] - 1) <= NEAR
        rough = np.isnan(self.end[rows]) & tired & near & (outer - self.reach[rows] <= ROUGH * outer)
        self.end[rows[rough]] = outer[rough]
        stuck = np.isnan(self.end[rows]) & tired
        self.end[rows[stuck]], self.lost[rows[stuck]] = np.inf, True

    def _next(self, rows: Any) -> tuple[Array, Array]:
        """The next distances (r,) and where to start from, (r, p).

        The root of the rise is nearly a straight line. It is followed along its slope from whichever end of the
        bracket is nearer to the threshold, else along the chord.
        """
        reach, outer, inner = self.reach[rows], self.outer[rows], np.sqrt(self.rise[rows])
        with np.errstate(all="ignore"):
            first = self.t[rows] * self.se[rows]
            own = reach + _along_root(self.rise[rows], self.slope[rows])
            straight = np.where(np.isfinite(own) & (own > reach), own, reach / inner)
            ahead = np.where(reach > 0, np.clip(straight, (1 + MEETS) * reach, 3 * reach), first)
            high = np.sqrt(self.outer_rise[rows])
            cut = (1 - inner) / (high - inner)
            share = np.where(np.isfinite(cut) & (high < WILD), np.clip(cut, 0.1, 0.9), 0.5)
            chord = reach + share * (outer - reach)
            other = outer + _along_root(self.outer_rise[rows], self.outer_slope[rows])
            near = np.where(high - 1 < 1 - inner, other, own)
            target = np.where((near > reach) & (near < outer), near, chord)
        target = reach + self.stride[rows] * (np.where(np.isfinite(outer), target, ahead) - reach)
        target = np.where(self.stop[rows] > reach, np.minimum(target, self.stop[rows]), target)
        return target, self.theta[rows]


def _along_root(rise: Array, slope: Array) -> Array:
    """How far the threshold is from where the profile has `rise` and `slope`, (r,): its root is nearly straight."""
    root = np.sqrt(rise)
    return np.asarray(2 * root * (1 - root) / slope)
