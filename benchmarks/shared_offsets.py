"""Measured coverage where rows are not independent: `python -m benchmarks.coverage --part groups`.

Losses are drawn around a known law with an offset that the runs of one size, the seeds of one configuration
or the checkpoints of one run share (standard deviation tau of the log loss), and a row's own noise sigma; or
with noise that grows with N. Every trial is fitted, its groups are looked for as `scaling.fit` looks for them,
and the default 95% intervals are held against the truth, beside those that take rows as independent.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import scaling
from scaling.laws.base import Array, Law
from scaling.optimise.problem import Problem
from scaling.optimise.solver import minimise
from scaling.uncertainty.base import Quantity, at_points, slopes, t_of
from scaling.uncertainty.cluster_profile import new_run_spread_batch, thresholds
from scaling.uncertainty.profile import Profile
from scaling.uncertainty.size_effects import DOUBT, Tangent, explain, groupings, growth_test, noticed

LEVEL = 0.95
PARALLEL = scaling.ParallelLaw(E=1.37, A=3.1e5, alpha=0.27, k=0.287)
NOTHING = scaling.ParallelLaw(E=1.37, A=3.1e5, alpha=0.27, k=0.0)
CHINCHILLA = scaling.ChinchillaLaw(E=1.62, A=420.0, B=1300.0, alpha=0.33, beta=0.37)
OBJECTIVES = {"least squares": scaling.LeastSquares(log=True), "Huber 1e-3": scaling.LogHuber(1e-3)}


@dataclass(frozen=True)
class Design:
    """Where runs are taken, what they share, and where losses are predicted: inside, and at N x 10."""

    law: Law
    axes: dict[str, Array]
    sigma: float
    tau: float
    shared: Any  # group of each row, (n,)
    told: bool = False  # whether the groups stand in a column
    growth: float = 0.0  # sigma grows as N to this power
    slope: float = 0.0  # of the log loss along log D, a run's own

    def noise(self, rng: np.random.Generator, trials: int) -> Array:
        """Noise of the log loss, (T, n)."""
        n, groups = self.shared.size, int(self.shared.max()) + 1
        own = rng.standard_normal((trials, n))
        if self.growth:
            own = own * (self.axes["N"] / np.exp(np.log(self.axes["N"]).mean())) ** self.growth
        out = self.sigma * own + self.tau * rng.standard_normal((trials, groups))[:, self.shared]
        if self.slope:
            along = np.log(self.axes["D"]) - np.log(self.axes["D"]).mean()
            out = out + self.slope * rng.standard_normal((trials, groups))[:, self.shared] * along
        return np.asarray(out)

    @property
    def points(self) -> dict[str, Array]:
        """In the middle of the runs, and ten times beyond the largest N at the largest of the rest."""
        return {
            a: np.array([np.exp(np.log(x).mean()), x.max() * (10 if a == "N" else 1)])
            for a, x in self.axes.items()
        }


def _crossed(sizes: Array, streams: tuple[float, ...], seeds: int) -> tuple[dict[str, Array], Any, Any]:
    """N and P of every run, its size and its configuration."""
    rows = itertools.product(range(sizes.size), range(len(streams)), range(seeds))
    i, j, _ = (np.array(v) for v in zip(*rows, strict=True))
    return {"N": sizes[i], "P": np.array(streams)[j]}, i, i * len(streams) + j


def _checkpoints(runs: int, each: int, sizes: int) -> tuple[dict[str, Array], Any]:
    """N and D of every checkpoint, and its run; runs of unlike length."""
    run = np.repeat(np.arange(runs), each)
    N = np.resize(np.geomspace(1e8, 4e9, sizes), runs)[run]
    D = 2e9 * np.tile(np.arange(1.0, each + 1), runs) * np.resize([1.0, 3.0, 1.7, 0.8], runs)[run]
    return {"N": N, "D": D}, run


def designs() -> dict[str, Design]:
    """The designs by name."""
    four, size4, cell4 = _crossed(np.geomspace(1e6, 1e8, 4), (1.0, 2.0, 4.0), 3)
    six, size6, _ = _crossed(np.geomspace(5e6, 5e8, 6), (1.0, 2.0, 4.0, 8.0), 1)
    five, size5, _ = _crossed(np.geomspace(5e6, 5e8, 5), (1.0, 2.0, 4.0), 1)
    nine, size9, _ = _crossed(np.geomspace(5e6, 5e8, 9), (1.0, 2.0), 1)
    out = {}
    for name, axes, group, sigma in (
        ("4 sizes x 3 P x 3 seeds", four, size4, 0.01),
        ("6 sizes x 4 P", six, size6, 0.003),
        ("5 sizes x 3 P", five, size5, 0.003),
        ("9 sizes x 2 P", nine, size9, 0.003),
    ):
        for ratio in (0.0, 1.0, 3.0):
            out[f"{name}, size offsets {ratio:g} sigma"] = Design(PARALLEL, axes, sigma, ratio * sigma, group)
    for ratio in (1.0, 2.0):
        out[f"4 sizes x 3 P x 3 seeds, cell offsets {ratio:g} sigma, k = 0"] = Design(
            NOTHING, four, 0.01, ratio * 0.01, cell4
        )
    for runs, each, sizes in ((10, 8, 10), (6, 12, 6), (22, 10, 8)):
        axes, run = _checkpoints(runs, each, sizes)
        for slope in (0.0, 0.003):
            name = f"{runs} runs x {each} checkpoints{', slopes of their own' if slope else ''}"
            out[name] = Design(CHINCHILLA, axes, 0.002, 0.004, run, True, slope=slope)
    for power in (0.25, 0.5):
        out[f"6 sizes x 4 P, noise as N^{power:g}"] = Design(PARALLEL, six, 0.003, 0.0, size6, growth=power)
    return out


def simulate(design: Design, objective: scaling.Objective, trials: int, seed: int) -> tuple[Problem, Array]:
    """Problems with y (T, n) drawn from the design's truth, and their optima θ (T, p)."""
    truth = np.asarray(design.law.predict(**design.axes))
    y = truth * np.exp(design.noise(np.random.default_rng(seed), trials))
    axes = tuple(design.axes[a] for a in design.law.axes)
    problem = Problem(type(design.law), axes, y, np.ones(truth.size), objective)
    start = np.repeat(problem.internal(design.law)[None], trials, 0)
    return problem, minimise(problem, start, tolerance=1e-12).theta


def quantity(law: type[Law], points: dict[str, Array]) -> Quantity:
    """Parameters (prefactors on the logarithm) and the predictions at points, (B, K)."""
    there = at_points(points, law.axes)

    def values(one: Law) -> Array:
        own = [np.asarray(getattr(one, n)) for n in one.names()]
        logs = [
            np.log(np.maximum(v, 1e-300)) if n in "AB" else v for n, v in zip(one.names(), own, strict=True)
        ]
        return np.concatenate([np.stack(logs, -1), there(one)], axis=-1)

    return values


def default_thresholds(design: Design, problem: Problem, theta: Array, wanted: Quantity) -> Any:
    """Thresholds (T, K) of the default intervals, (T,) whether groups were noticed, (T, 2) of new runs."""
    by = groupings(problem, design.shared if design.told else None)
    found = np.zeros((len(theta), len(by)), bool)
    if design.told:
        found[:, 0] = True
    else:
        found = noticed(Tangent(problem, theta), by)
    why = explain(problem, theta, by, found, growth_test(problem, theta, by) < DOUBT)
    t = thresholds(problem, theta, slopes(problem, theta, wanted), LEVEL, why)
    return t, found.any(-1), new_run_spread_batch(problem, why, design.points, LEVEL)


def cell(name: str, objective: str, trials: int, seed: int = 30) -> pd.DataFrame:
    """Coverage of the default intervals and of those of independent rows at one design, one row a quantity."""
    design = designs()[name]
    problem, theta = simulate(design, OBJECTIVES[objective], trials, seed)
    wanted = quantity(type(design.law), design.points)
    truth = wanted(type(design.law).from_vector(design.law.vector[None]))[0]
    t, seen, new = default_thresholds(design, problem, theta, wanted)
    rng = np.random.default_rng(seed + 1)
    fresh = _new_runs(design, rng, trials)
    plain = np.full(t.shape, t_of(problem, LEVEL))
    rows = []
    for method, threshold in (("independent", plain), ("default", t)):
        estimate, ends = Profile().batch(problem, theta, wanted, LEVEL, threshold)
        names = [*design.law.names(), "inside", "N x 10"]
        held, above = (ends[:, 0] <= truth) & (truth <= ends[:, 1]), ends[:, 0] > truth
        width = np.median(ends[:, 1] - ends[:, 0], axis=0)
        alone = plain[:, :2] * np.sqrt(_alone(problem, theta))[:, None]
        half = estimate[:, -2:] * (alone if method == "independent" else new)
        low = estimate[:, -2:] - np.hypot(estimate[:, -2:] - ends[:, 0, -2:], half)
        high = estimate[:, -2:] + np.hypot(ends[:, 1, -2:] - estimate[:, -2:], half)
        held = np.concatenate([held, (low <= fresh) & (fresh <= high)], axis=1)
        above = np.concatenate([above, low > fresh], axis=1)
        width = np.concatenate([width, np.median(high - low, axis=0)])
        rows.append(pd.DataFrame({
            "design": name, "objective": objective, "intervals": method,
            "quantity": [*names, "new run inside", "new run N x 10"], "coverage": held.mean(0),
            "above": above.mean(0), "median_length": width, "noticed": seen.mean(), "trials": trials}))  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def _alone(problem: Problem, theta: Array) -> Array:
    """Variance of a row about the law, rows independent, (T,)."""
    from scaling.optimise.robust_scale import location_scale

    r = problem.residual(problem.predict(theta))
    free = ((theta > problem.lower) & (theta < problem.upper)).sum(-1)
    return location_scale(problem, r, np.broadcast_to(problem.w, r.shape), free)[1] ** 2


def _new_runs(design: Design, rng: np.random.Generator, trials: int) -> Array:
    """Losses of one new run at each of the points, with an offset of its own, (T, 2)."""
    truth = np.asarray(design.law.predict(**design.points))
    growth = (design.points["N"] / np.exp(np.log(design.axes["N"]).mean())) ** design.growth
    noise = design.sigma * growth * rng.standard_normal((trials, 2))
    return np.asarray(truth * np.exp(noise + design.tau * rng.standard_normal((trials, 2))))
