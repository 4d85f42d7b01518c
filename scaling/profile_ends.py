"""Ends of profile intervals: each checked by a refit with the quantity held, and found by bracketing otherwise.

An end is where the profile curve, the least rise of the objective with the quantity held at a value, reaches the
threshold. Whatever proposes an end, it is accepted here only if such a refit rises by the threshold, or if no
value of the law lies further out; a value without bound is open, infinite. Shapes: R rows, one end each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scaling.held import Held, HeldFit
from scaling.law import Array

FAR = 1e4  # standard errors from the estimate at which an end counts as infinite
CLOSE = 4e-3  # relative difference from the threshold at which a proposed end is accepted
MEETS = 1e-3  # the same of an end found here
NARROW = 1e-5  # of the distance to the estimate: a bracket this narrow holds no more to be found
SEARCHES = 60  # refits of an end at most
GAINS = 1e-3  # of the distance to the estimate: a quantity that can gain less is at its limit


class Ends:
    """The search for R ends, every row with its bracket.

    held: refits of these rows; theta: the optima (R, p); se: what a standard error is about, (R,); side: -1 for a
    lower end, 1 for an upper one; t: standard errors at which an end lies where the law is linear.
    """

    def __init__(self, held: Held, theta: Array, side: Array, se: Array, t: float) -> None:
        self.held, self.side, self.se, self.t = held, side, se, t
        self.theta, self.inner, self.rise = theta.copy(), held.estimate.copy(), np.zeros(se.size)
        self.outer = np.full(se.size, np.inf)  # distances from the estimate, as are all here but `inner`
        self.outer_rise, self.outer_theta = np.full(se.size, np.nan), np.full_like(theta, np.nan)
        self.reach = np.zeros(se.size)  # of the furthest value known to be inside
        self.end = np.full(se.size, np.nan)  # distance of the end, once it is known

    def run(self, proposed: Array, theta: Array) -> Array:
        """The ends (R,), from proposals (R,) with their θ (R, p); nan proposes nothing."""
        rows, target, start = self._propose(proposed, theta)
        close = np.full(self.se.size, CLOSE)
        for _ in range(SEARCHES):
            if not rows.size:
                break
            values = self.held.estimate[rows] + self.side[rows] * target
            found = self.held.refit(start, values, rows)
            self._learn(found, target, rows, close[rows])
            close[rows] = MEETS
            rows = rows[np.isnan(self.end[rows])]
            self._limits(rows)
            rows = rows[np.isnan(self.end[rows])]
            target, start = self._next(rows)
        known = np.isfinite(self.end) & np.isfinite(self.held.estimate)
        return np.where(known, self.held.estimate + self.side * self.end, self.side * np.inf)

    def _propose(self, proposed: Array, theta: Array) -> tuple[Any, Array, Array]:
        """Rows to search, the distances to try first and the θ to start from."""
        out = self.side * (proposed - self.held.estimate)
        f = self.held.problem.value(theta)
        rise = (f - self.held.lowest) / self.held.allowed
        inside = (out > 0) & (rise <= 1 + CLOSE)
        self.end[inside & ((out > FAR * self.se) | np.isinf(out))] = np.inf
        first = np.where(inside & np.isfinite(out), out, self.t * self.se)
        start = np.where(inside[:, None], theta, self.theta)
        rows = np.flatnonzero(np.isnan(self.end) & np.isfinite(self.held.estimate))
        return rows, first[rows], start[rows]

    def _learn(self, found: HeldFit, target: Array, rows: Any, close: Array) -> None:
        """Move the brackets by what refits at distances `target` found."""
        good = found.met & found.arrived & np.isfinite(found.rise)
        at = good & (np.abs(found.rise - 1) <= close)
        self.end[rows[at]] = target[at]
        reached = self.side[rows] * (found.value - self.held.estimate[rows])
        inside = (found.rise < 1) & (reached > self.reach[rows]) & (reached < self.outer[rows]) & ~at
        i = rows[inside]
        self.reach[i], self.rise[i], self.theta[i] = reached[inside], found.rise[inside], found.theta[inside]
        outside = ~at & ~(found.met & (found.rise < 1)) & (target < self.outer[rows])
        i = rows[outside]
        self.outer[i] = target[outside]
        self.outer_rise[i] = np.where(good, found.rise, np.nan)[outside]
        self.outer_theta[i] = found.theta[outside]

    def _limits(self, rows: Any) -> None:
        """End what is too far out, what the law lets go no further, and brackets that hold nothing more."""
        self.end[rows[self.reach[rows] > FAR * self.se[rows]]] = np.inf
        outer = self.outer[rows]
        narrow = np.isfinite(outer) & (outer - self.reach[rows] <= NARROW * outer)
        met = narrow & (np.abs(self.rise[rows] - 1) <= 0.02)
        self.end[rows[met]] = self.reach[rows[met]]
        room = 1 - self.rise[rows]
        gain = self.held.gain(self.theta[rows], self.side[rows], room, rows)
        limit = (self.reach[rows] > 0) & (gain <= GAINS * self.reach[rows]) & ~met
        limit |= (self.reach[rows] == 0) & (gain <= 1e-9 * self.se[rows])
        self.end[rows[limit]] = self.reach[rows[limit]]
        stuck = narrow & np.isnan(self.end[rows])
        self.end[rows[stuck]] = np.inf

    def _next(self, rows: Any) -> tuple[Array, Array]:
        """The next distances (r,) and where to start from, (r, p)."""
        reach, outer, inner = self.reach[rows], self.outer[rows], np.sqrt(self.rise[rows])
        with np.errstate(all="ignore"):
            straight = reach / inner  # where the root of the rise, a straight line, is 1
            first = self.t * self.se[rows]
            ahead = np.where(reach > 0, np.clip(straight, 1.2 * reach, 3 * reach), first)
            high = np.sqrt(self.outer_rise[rows])
            cut = (1 - inner) / (high - inner)
            share = np.where(np.isfinite(cut), np.clip(cut, 0.1, 0.9), 0.5)
        bracketed = np.isfinite(outer)
        target = np.where(bracketed, reach + share * (outer - reach), ahead)
        start = self.theta[rows].copy()
        known = bracketed & np.isfinite(self.outer_rise[rows])
        between = share[known, None] * (self.outer_theta[rows[known]] - start[known])
        start[known] += between
        return target, start
