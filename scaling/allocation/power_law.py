"""A power law of compute through points that have errors and scatter of their own: N* = G C^a."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from scaling.laws.base import Array

FEW = 5  # points from which scatter and errors are combined: fewer determine the scatter too poorly
LARGEST = 60.0  # of log N: where an end is open


@dataclass(frozen=True)
class PowerLaw:
    """log y = log G + a (log C - middle), with the covariance of (log G, a) that two sources leave.

    `known` comes from the points' own errors, with `dof` degrees of freedom. `scatter` comes from their further
    residuals, with points - 2. Thresholds are Student's t. The two variances are combined by Satterthwaite's
    formula (1946).
    """

    log_G: float
    exponent: float
    middle: float  # log C about which log_G is taken
    known: Array  # (2, 2)
    scatter: Array  # (2, 2)
    dof: float
    points: int

    @classmethod
    def through(
        cls, log_C: Array, log_y: Array, errors: Array | None = None, dof: float = np.inf
    ) -> PowerLaw:
        """The law through points (n,), whose errors have the covariance `errors` (n, n), None if unknown.

        The scatter about the law that the errors do not explain is their variance by Paule and Mandel (1982).
        Below FEW points the residuals alone set the width where they are larger, with n - 2 degrees of
        freedom (Hartung and Knapp 2001). Raises ValueError for fewer than 3 points.
        """
        n = log_C.size
        if n < 3 or np.ptp(log_C) == 0:
            raise ValueError(f"{n} points make no power law with an error: give three or more")
        middle, nothing = float(log_C.mean()), np.zeros((2, 2))
        X = np.stack([np.ones(n), log_C - middle], axis=1)

        def law(theta: Array, known: Array, scatter: Array, dof: float) -> PowerLaw:
            return cls(float(theta[0]), float(theta[1]), middle, known, scatter, dof, n)

        if errors is None:
            theta, inverse, left = generalised_fit(X, log_y, np.eye(n))
            return law(theta, nothing, inverse * (left @ left) / (n - 2), np.inf)
        theta, inverse, left = generalised_fit(X, log_y, errors)
        excess = float(left @ np.linalg.solve(errors, left)) / (n - 2)
        if n < FEW:
            return law(theta, nothing, inverse * max(excess, 1.0), np.inf)
        more = spare_variance(X, log_y, errors) if excess > 1 else 0.0
        theta, inverse, _ = generalised_fit(X, log_y, errors + more * np.eye(n))
        gain = inverse @ np.linalg.solve(errors + more * np.eye(n), X).T
        return law(theta, gain @ errors @ gain.T, more * gain @ gain.T, dof)

    @staticmethod
    def excess_p(errors: Array, log_C: Array, log_y: Array, dof: float) -> float:
        """P of the F test that points miss a power law by no more than their errors (n, n), known with dof."""
        n = log_C.size
        left = generalised_fit(np.stack([np.ones(n), log_C - log_C.mean()], axis=1), log_y, errors)[2]
        return float(special.fdtrc(n - 2, dof, left @ np.linalg.solve(errors, left) / (n - 2)))

    def with_level_error(self, variance: float) -> PowerLaw:
        """The law with a further error of log G that all points share."""
        return replace(self, known=self.known + np.diag([variance, 0.0]))

    def inverse(self) -> PowerLaw:
        """The law C of y as y of C, by the delta method: for points whose y is exact and whose C is not."""
        a, centre = 1 / self.exponent, self.log_G
        turn = np.array([[-a, 0.0], [0.0, -a * a]])
        known, scatter = (turn @ part @ turn.T for part in (self.known, self.scatter))
        return PowerLaw(self.middle, a, centre, known, scatter, self.dof, self.points)

    def complement(self, log_ratio: float) -> PowerLaw:
        """The law of D = C / (ratio y): what a budget leaves."""
        return replace(self, log_G=self.middle - log_ratio - self.log_G, exponent=1 - self.exponent)

    def at(self, C: float, level: float) -> tuple[float, float, float]:
        """The y at a budget, with its interval."""
        along = np.array([1.0, np.log(C) - self.middle])
        log_y = self.log_G + self.exponent * along[1]
        half = self._half(along, level)
        ends = np.exp(np.clip([log_y - half, log_y + half], -LARGEST, LARGEST))
        low = 0.0 if log_y - half < -LARGEST else float(ends[0])
        return float(np.exp(log_y)), low, float("inf") if log_y + half > LARGEST else float(ends[1])

    def exponent_ends(self, level: float) -> tuple[float, float]:
        """The interval of the exponent."""
        half = self._half(np.array([0.0, 1.0]), level)
        return self.exponent - half, self.exponent + half

    @property
    def standard_error(self) -> float:
        """Of the exponent."""
        return float(np.sqrt(self.known[1, 1] + self.scatter[1, 1]))

    @property
    def factor(self) -> float:
        """G, y at C = 1 of the table's unit."""
        return float(np.exp(self.log_G - self.exponent * self.middle))

    def _half(self, along: Array, level: float) -> float:
        """Half the interval of a combination of (log G, a)."""
        known, scatter = (float(along @ part @ along) for part in (self.known, self.scatter))
        total = known + scatter
        if total == 0:
            return 0.0
        spread = (known / total) ** 2 / self.dof + (scatter / total) ** 2 / (self.points - 2)
        t = special.stdtrit(max(1 / max(spread, 1e-6), 1.0), 0.5 + level / 2)
        return float(t * np.sqrt(total))


def generalised_fit(X: Array, y: Array, errors: Array) -> tuple[Array, Array, Array]:
    """Generalised least squares of y (n,) on X (n, p): θ, its covariance given that of the errors, residuals."""
    weighted = np.linalg.solve(errors, X)
    inverse = np.linalg.inv(X.T @ weighted)
    theta = inverse @ (weighted.T @ y)
    return theta, inverse, y - X @ theta


def spare_variance(X: Array, y: Array, errors: Array) -> float:
    """The variance to add to the errors for the weighted squared residuals to sum to n - p."""
    n = y.size
    dof = int(n - X.shape[1])

    def excess(more: float) -> float:
        both = errors + more * np.eye(n)
        left = generalised_fit(X, y, both)[2]
        return float(left @ np.linalg.solve(both, left)) - dof

    low, high = 0.0, float(np.diag(errors).sum()) / n
    while excess(high) > 0:
        high *= 4
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return high
