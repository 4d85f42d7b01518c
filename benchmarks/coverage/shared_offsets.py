"""Measured coverage where rows are not independent: `python -m benchmarks.coverage --part groups`.

Losses are drawn around a known law. The runs of one size, the seeds of one configuration or the checkpoints of one
run share an offset (standard deviation tau of the log loss), and each row has noise sigma. Or the noise grows with N.
Every trial is fitted and its groups are detected as `scaling.fit` does. The default 95% intervals are compared with
the truth, and so are those that assume independent rows.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling
from benchmarks import ROOT
from scaling.laws.base import Array, Law
from scaling.optimise.problem import Problem
from scaling.optimise.robust_scale import location_scale
from scaling.optimise.solver import minimise
from scaling.uncertainty.adequacy import streams_in_doubt_batch
from scaling.uncertainty.cluster_profile import new_run_spread_batch, thresholds
from scaling.uncertainty.interval_methods import Quantity, at_points, slopes, t_of
from scaling.uncertainty.profile import Profile
from scaling.uncertainty.size_effects import DOUBT, explain, growth_test, noticed
from scaling.uncertainty.tangent import Tangent, groupings

LEVEL = 0.95
PARALLEL = scaling.ParallelLaw(E=1.37, A=3.1e5, alpha=0.27, k=0.287)
NOTHING = scaling.ParallelLaw(E=1.37, A=3.1e5, alpha=0.27, k=0.0)
CHINCHILLA = scaling.ChinchillaLaw(E=1.62, A=420.0, B=1300.0, alpha=0.33, beta=0.37)
OBJECTIVES = {"least squares": scaling.LeastSquares(log=True), "Huber 1e-3": scaling.LogHuber(1e-3)}


TABLE = ROOT / "results/tables/coverage_shared_offsets.csv"
WRONGED = "4 sizes x 3 P x 3 seeds, cell offsets 3 sigma"  # and k = 0.287
MARKS = ("<!-- shared offsets -->", "<!-- end of shared offsets -->")
ROBUST = (
    "6 sizes x 4 P, size offsets 0 sigma",
    "6 sizes x 4 P, size offsets 1 sigma",
    "10 runs x 8 checkpoints",
)


@dataclass(frozen=True)
class Design:
    """The runs' points, what they share, and the points to predict: inside, and at N x 10."""

    law: Law
    axes: dict[str, Array]
    sigma: float
    tau: float
    shared: Any  # group of each row, (n,)
    told: bool = False  # whether a column names the groups
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
    """N and D of every checkpoint, and its run. Runs differ in length."""
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
    out[WRONGED] = Design(PARALLEL, four, 0.01, 0.03, cell4)
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
    """Thresholds (T, K) of the default intervals, (T,) whether groups were noticed, (T, 2) of new runs.

    Last, whether the effect of streams is in doubt, (T,).
    """
    by = groupings(problem, design.shared if design.told else None)
    at = Tangent(problem, theta, by)
    found = np.zeros((len(theta), len(by)), bool)
    if design.told:
        found[:, 0] = True
    else:
        found = noticed(at, by)
    why = explain(at, by, found, growth_test(at, by) < DOUBT)
    t = thresholds(problem, theta, slopes(problem, theta, wanted), LEVEL, why)
    by_P = "P" in design.axes and not design.told
    sized = found[:, [one.name == "size" for one in by]].any(-1)
    doubt = streams_in_doubt_batch(at, by, sized, LEVEL) if by_P else np.zeros(len(theta), bool)
    return t, found.any(-1), new_run_spread_batch(why, design.points, LEVEL), doubt


def cell(name: str, objective: str, trials: int, seed: int = 30) -> pd.DataFrame:
    """Coverage of the default intervals and of those of independent rows at one design, one row a quantity."""
    design = designs()[name]
    problem, theta = simulate(design, OBJECTIVES[objective], trials, seed)
    wanted = quantity(type(design.law), design.points)
    t, seen, new, doubt = default_thresholds(design, problem, theta, wanted)
    plain = np.full(t.shape, t_of(problem, LEVEL))
    alone = plain[:, :2] * np.sqrt(_alone(problem, theta))[:, None]
    truth = np.tile(wanted(type(design.law).from_vector(design.law.vector[None])), (trials, 1))
    truth = np.concatenate([truth, _new_runs(design, np.random.default_rng(seed + 1), trials)], axis=1)
    names = [*design.law.names(), "inside", "N x 10", "new run inside", "new run N x 10"]
    parts = []
    for method, threshold, scatter in (("independent", plain, alone), ("default", t, new)):
        low, high = _ends(problem, theta, wanted, threshold, scatter)
        if method == "default" and "k" in names:
            low[doubt, names.index("k")] = 0.0
        facts = {"design": name, "objective": objective, "intervals": method, "quantity": names}
        facts |= {"coverage": ((low <= truth) & (truth <= high)).mean(0), "above": (low > truth).mean(0)}
        facts |= {"median_length": np.median(high - low, 0), "noticed": seen.mean(), "trials": trials}
        parts.append(pd.DataFrame(facts))
    return pd.concat(parts, ignore_index=True)


def _ends(problem: Problem, theta: Array, wanted: Quantity, t: Array, scatter: Array) -> tuple[Array, Array]:
    """Ends (T, K + 2) of K quantities and of a new run at the last two of them."""
    estimate, ends = Profile().batch(problem, theta, wanted, LEVEL, t)
    low, high, at = ends[:, 0], ends[:, 1], estimate[:, -2:]
    new_low, new_high = (
        at - np.hypot(at - low[:, -2:], at * scatter),
        at + np.hypot(high[:, -2:] - at, at * scatter),
    )
    return np.concatenate([low, new_low], axis=1), np.concatenate([high, new_high], axis=1)


def _alone(problem: Problem, theta: Array) -> Array:
    """Variance of a row about the law, rows independent, (T,)."""
    r = problem.residual(problem.predict(theta))
    free = ((theta > problem.lower) & (theta < problem.upper)).sum(-1)
    return location_scale(problem, r, np.broadcast_to(problem.w, r.shape), free)[1] ** 2


def _new_runs(design: Design, rng: np.random.Generator, trials: int) -> Array:
    """Losses of one new run at each of the points, with an offset of its own, (T, 2)."""
    truth = np.asarray(design.law.predict(**design.points))
    growth = (design.points["N"] / np.exp(np.log(design.axes["N"]).mean())) ** design.growth
    noise = design.sigma * growth * rng.standard_normal((trials, 2))
    return np.asarray(truth * np.exp(noise + design.tau * rng.standard_normal((trials, 2))))


def study(trials: int, table: Path, only: str = "", again: bool = False) -> pd.DataFrame:
    """Measure what the table lacks, design by design, and write it after each. `only`: part of the names to measure."""
    done = pd.read_csv(table) if table.exists() else pd.DataFrame(columns=["design", "objective", "trials"])
    for name, objective in itertools.product(designs(), OBJECTIVES):
        if only not in name or (objective != "least squares" and name not in ROBUST):
            continue
        same = (done.design == name) & (done.objective == objective)
        if same.any() and done.trials[same].min() >= trials and not again:
            continue
        fresh = cell(name, objective, trials)
        done = pd.concat([done[~same], fresh], ignore_index=True) if len(done) else fresh
        done.to_csv(table, index=False, float_format="%.6g")
    return done


def markdown(table: pd.DataFrame) -> str:
    """Coverage in per cent, one row a design, objective and way to form intervals."""
    columns = ["E", "A", "alpha", "k", "beta", "inside", "N x 10", "new run inside", "new run N x 10"]
    lines = [
        f"| design | objective | intervals | trials | noticed | {' | '.join(columns)} |",
        "|---" * 14 + "|",
    ]
    order = {name: i for i, name in enumerate(designs())}
    parts = dict(tuple(table.groupby(["design", "objective", "intervals"], sort=False)))
    for keys in sorted(parts, key=lambda k: order[k[0]]):
        part = parts[keys].set_index("quantity")
        cells = [f"{100 * part.coverage[c]:.1f}" if c in part.index else "" for c in columns]
        seen = f"{100 * part.noticed.iloc[0]:.0f}%"
        lines.append(f"| {' | '.join(keys)} | {part.trials.min()} | {seen} | {' | '.join(cells)} |")
    return "\n".join(lines)
