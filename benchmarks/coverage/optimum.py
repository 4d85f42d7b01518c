"""Measured coverage of compute optima: `python -m benchmarks.coverage.optimum [--trials 400]`.

Losses are drawn around a law of N and D whose optimum is known. The 95% intervals of the isoFLOP minima, of
the law through them, of the envelope and of the fitted law (which `scaling.allocate` and `scaling.optimum`
give) are checked against it. Designs vary the number of budgets, the sizes per budget, their offset from the optimum,
the noise, and a scatter of each budget. The second study is of k in the joint law of N, P and D when D takes two
values. Results go to results/tables/optimum_coverage.csv a design at a time.
`--report` writes docs/coverage.md's table from it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling
from benchmarks import ROOT
from scaling.allocation.frontier import frontier
from scaling.allocation.isoflop import isoflop, lengthened
from scaling.allocation.optimal_size import OptimalSize
from scaling.allocation.power_law import PowerLaw
from scaling.data.atomic_files import write_between
from scaling.laws.base import Array, Law
from scaling.optimise.problem import Problem
from scaling.optimise.solver import minimise

TABLE = ROOT / "results/tables/optimum_coverage.csv"
MARKS = ("<!-- optimum coverage -->", "<!-- end of optimum coverage -->")
LEVEL = 0.95
LOSSES = ", one more run"  # of the designs whose loss intervals are checked
HOFFMANN = scaling.ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
STEEP_DATA = scaling.ChinchillaLaw(E=1.95, A=134.0, B=3.8e5, alpha=0.26, beta=0.59)
STEEP_SIZE = scaling.ChinchillaLaw(E=1.5, A=2000.0, B=300.0, alpha=0.45, beta=0.25)
INTERACTING = scaling.InteractionLaw(E=1.7, A=2.2e8, B=3.1e9, alpha=0.42, beta=0.36, gamma=0.7)
JOINT = scaling.ParallelDataLaw(E=1.43, A=2.9e7, B=37.0, alpha=0.317, k=0.35, beta=0.277)


@dataclass(frozen=True)
class Design:
    """Runs about a truth: isoFLOP budgets, or sizes trained for several lengths (`ratios`, tokens a parameter)."""

    law: Law = HOFFMANN
    budgets: int = 6
    sizes: int = 7
    factor: float = 5.0  # sizes reach so many times to each side of their centre
    centre: float = 1.0  # of a budget's sizes, in optima
    drift: float = 0.0  # power of the budget by which the centre wanders
    noise: float = 0.002  # standard deviation of the log loss
    scatter: float = 0.0  # of a budget's own log N*
    wide: float = 0.0  # scatter of log C within a budget
    growing: bool = False  # noise three times as large at the smallest budget as at the largest
    ratios: tuple[float, ...] = field(default=())

    def runs(self, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        """N, D and the loss of one trial."""
        if self.ratios:
            sizes = np.geomspace(5e7, 5e9, self.sizes)
            N = np.repeat(sizes, len(self.ratios))
            D = N * np.tile(self.ratios, self.sizes)
            noise = np.full(N.size, self.noise)
            return N, D, self.losses(N, D) * np.exp(noise * rng.standard_normal(N.size))
        C = np.geomspace(1e18, 1e18 * 4.0 ** max(self.budgets - 1, 3), self.budgets)
        of = np.repeat(np.arange(self.budgets), self.sizes)
        grid = np.tile(np.geomspace(1 / self.factor, self.factor, self.sizes), self.budgets)
        N = self.best(C)[of] * grid * self.centre * (C / C[0])[of] ** self.drift
        D = C[of] * np.exp(self.wide * rng.standard_normal(N.size)) / 6 / N
        own = np.exp(self.scatter * rng.standard_normal(self.budgets))[of]
        noise = self.noise * (3 ** (1 - of / (self.budgets - 1)) if self.growing else np.ones(N.size))
        return N, D, self.losses(N / own, D * own) * np.exp(noise * rng.standard_normal(N.size))

    def losses(self, N: Array, D: Array) -> Array:
        """The truth."""
        return np.asarray(self.law.predict(N=N, D=D))

    def best(self, C: Array) -> Array:
        """The true N* at budgets."""
        return np.array([_best(self.law, float(c)) for c in C])

    def exponent(self, C: float) -> float:
        """The true d log N* / d log C."""
        return float(OptimalSize(C, 1.0, float(np.sqrt(C / 120))).with_exponent(self.law)[0, 1])


@cache
def _best(law: Law, C: float) -> float:
    return float(np.exp(OptimalSize(C, 1.0, float(np.sqrt(C / 120))).of(law)[0, 0]))


DESIGNS = {
    "3 budgets x 7": Design(budgets=3),
    "3 budgets x 6, off centre": Design(STEEP_DATA, 3, 6, 6, 0.5),
    "3 budgets x 6, scatter 0.15": Design(budgets=3, sizes=6, factor=4, scatter=0.15),
    "4 budgets x 5": Design(budgets=4, sizes=5, factor=3),
    "4 budgets x 6, scatter 0.15": Design(budgets=4, sizes=6, factor=4, scatter=0.15),
    "5 budgets x 9, wide, off centre": Design(budgets=5, sizes=9, factor=10, centre=3, noise=5e-4),
    "6 budgets x 7": Design(noise=0.003),
    "6 budgets x 7, off centre": Design(STEEP_DATA, factor=6, centre=1.7),
    "6 budgets x 7, wandering centre": Design(factor=6, centre=0.6, drift=0.1),
    "6 budgets x 7, noise at small C": Design(growing=True),
    "6 budgets x 5, narrow": Design(sizes=5, factor=2, noise=0.002),
    "6 budgets x 7, C within 5%": Design(wide=0.05),
    "6 budgets x 7, interaction law": Design(INTERACTING, factor=6, centre=1.4),
    "9 budgets x 9, noise 0.005": Design(budgets=9, sizes=9, factor=8, noise=0.005),
    "9 budgets x 6, scatter 0.1": Design(STEEP_SIZE, 9, 6, 8, 2, scatter=0.1),
    "8 sizes x 6 lengths": Design(sizes=8, ratios=(5.0, 10.0, 20.0, 40.0, 80.0, 160.0)),
    "10 sizes x 20 lengths": Design(sizes=10, ratios=tuple(np.geomspace(4, 150, 20))),
    "ladder, D = 10, 20, 40 N": Design(sizes=6, ratios=(10.0, 20.0, 40.0)),
    "3 sizes x 4 lengths": Design(sizes=3, ratios=(5.0, 20.0, 80.0, 200.0)),
}  # fmt: skip


def cell(name: str, trials: int, seed: int = 30) -> pd.DataFrame:
    """Coverage at one design, one row an estimate and quantity."""
    design, rng = DESIGNS[name], np.random.default_rng(seed)
    drawn = [design.runs(rng) for _ in range(trials)]
    C = 6 * drawn[0][0] * drawn[0][1]
    asked = [float(np.exp(np.log(C).mean())), float(C.max() * 10)]
    truth = {"a": design.exponent(asked[0]), "N inside": float(design.best(asked[:1])[0]),
             "N at 10 C": float(design.best(asked[1:])[0])}  # fmt: skip
    found: list[tuple[str, str, float, float, float]] = []
    for N, D, loss in drawn:
        found += _of_one(design, N, D, loss, asked, truth)
    found += _of_fits(design, drawn, asked, truth)
    columns = ["estimate", "quantity", "truth", "lower", "upper"]
    return _rates(pd.DataFrame(found, columns=columns), trials).assign(design=name, trials=trials)


def _of_one(
    design: Design, N: Array, D: Array, loss: Array, asked: list[float], truth: dict[str, float]
) -> Iterator[tuple[str, str, float, float, float]]:
    """Intervals of the minima and of the laws through them and through the envelope, in one trial."""
    C = 6 * N * D
    for estimate, shape in (("parabolas", False), ("isoFLOP minima", True)):
        curves = isoflop(N, D, C, loss, LEVEL, shape) if not design.ratios else None
        if curves is not None:
            if not design.scatter:
                used = curves.used
                ends = zip(
                    design.best(used["C"].map("{:.9g}".format).astype(float)),
                    used["lower"],
                    used["upper"],
                    strict=True,
                )
                yield from ((estimate, "minima", *three) for three in ends)
            yield from _of_law(estimate, curves.law(), asked, truth)
    yield from _of_law("envelope", frontier(N, D, C, loss).log_N, asked, truth)


def _of_law(
    estimate: str, law: PowerLaw | None, asked: list[float], truth: dict[str, float]
) -> Iterator[tuple[str, str, float, float, float]]:
    if law is not None:
        ends = [law.exponent_ends(LEVEL), law.at(asked[0], LEVEL)[1:], law.at(asked[1], LEVEL)[1:]]
        yield from ((estimate, name, truth[name], *end) for name, end in zip(truth, ends, strict=True))


def _of_fits(
    design: Design, drawn: list[tuple[Array, Array, Array]], asked: list[float], truth: dict[str, float]
) -> Iterator[tuple[str, str, float, float, float]]:
    """Profile intervals of the fitted law's optimum: all trials as one batch, from the truth."""
    if type(design.law) is not scaling.ChinchillaLaw or design.wide:
        return
    N, D, _ = drawn[0]
    y = np.stack([loss for _, _, loss in drawn])
    problem = Problem(scaling.ChinchillaLaw, (N, D), y, np.ones(N.size), scaling.LogHuber(1e-3))
    start = np.repeat(problem.internal(design.law)[None], len(drawn), 0)
    theta = minimise(problem, start, tolerance=1e-12).theta
    sizes = [OptimalSize(c, 1.0, float(np.sqrt(c / 120))) for c in asked]

    def quantity(law: Law) -> Array:
        return np.concatenate([sizes[0].with_exponent(law), sizes[1].of(law)], axis=1)

    _, ends = scaling.Profile().batch(problem, theta, quantity, LEVEL)
    told = quantity(problem.law.from_vector(problem.named(theta)))
    for (low, high), at, (N, D, loss) in zip(ends, told, drawn, strict=True):
        curves = None if design.ratios else isoflop(N, D, 6 * N * D, loss, LEVEL)
        halves = [(0.0, 0.0)] * 2 if curves is None else [curves.scatter(c, LEVEL) for c in asked]
        for name, i, half in (
            ("a", 1, halves[0][1]),
            ("N inside", 0, halves[0][0]),
            ("N at 10 C", 2, halves[1][0]),
        ):
            three = lengthened(at[i], low[i], high[i], half)
            yield "parametric fit", name, truth[name], *(three if name == "a" else np.exp(three))


def _rates(found: pd.DataFrame, trials: int) -> pd.DataFrame:
    """Coverage, its error, the median width and how often an interval was given."""
    found["held"] = (found["lower"] <= found["truth"]) & (found["truth"] <= found["upper"])
    ratio = np.log(found["upper"] / np.maximum(found["lower"], 1e-300))
    found["width"] = np.where(found["quantity"] == "a", found["upper"] - found["lower"], ratio)
    rows = found.groupby(["estimate", "quantity"], sort=False)
    table = rows.agg(
        coverage=("held", "mean"), width=("width", "median"), given=("held", "size")
    ).reset_index()
    rate = table["coverage"]
    table["standard_error"] = np.sqrt(rate * (1 - rate) / table["given"])
    table["told"] = np.where(table["quantity"] == "minima", np.nan, table["given"] / trials)
    return table


def allocations(name: str, trials: int, seed: int = 32) -> pd.DataFrame:
    """How often the loss interval of `scaling.allocate`, ten times beyond the largest budget, holds one more run."""
    design, rng, rows = DESIGNS[name.removesuffix(LOSSES)], np.random.default_rng(seed), []
    for _ in range(trials):
        N, D, loss = design.runs(rng)
        one = scaling.fit("chinchilla", {"N": N, "D": D, "loss": loss}, "log-least-squares", start=8)
        best = scaling.allocate(one, float((6 * N * D).max() * 10), draws=100)
        more = float(design.law.predict(N=best.N, D=best.D)) * np.exp(design.noise * rng.standard_normal())
        rows.append(("allocate", "loss at 10 C", more, *best.table.loc["loss", ["lower", "upper"]]))
    found = pd.DataFrame(rows, columns=["estimate", "quantity", "truth", "lower", "upper"])
    return _rates(found, trials).assign(design=name, trials=trials)


def two_budgets_of_D(trials: int, noise: float, seed: int = 31) -> pd.DataFrame:
    """Coverage of k by the joint law's profile if D takes two values: E, B and beta are withheld, k is not."""
    sizes, streams, D = np.meshgrid(
        np.geomspace(2e8, 4e9, 4), [1.0, 2.0, 4.0, 8.0], [2e10, 4e10], indexing="ij"
    )
    N, P, D = (x.ravel() for x in (sizes, streams, D))
    rng, truth = np.random.default_rng(seed), np.asarray(JOINT.predict(N=N, P=P, D=D))
    rows = []
    for _ in range(trials):
        runs = {"N": N, "P": P, "D": D, "loss": truth * np.exp(noise * rng.standard_normal(N.size))}
        one = scaling.fit(scaling.ParallelDataLaw, runs, scaling.LeastSquares(log=True), start=8)
        ends = one.intervals()
        for name in ("k", "alpha", "beta"):
            low, high = ends.loc[name, ["lower", "upper"]]
            if np.isfinite([low, high]).any():
                rows.append(("joint law", name, getattr(JOINT, name), low, high))
    found = pd.DataFrame(rows, columns=["estimate", "quantity", "truth", "lower", "upper"])
    return _rates(found, trials).assign(design=f"two budgets of D, noise {noise:g}", trials=trials)


def study(names: Iterable[str], trials: int, table: Path, again: bool) -> pd.DataFrame:
    """Measure what the table lacks, or `again` all that is asked for, and write it after each design."""
    done = pd.read_csv(table) if table.exists() else pd.DataFrame(columns=["design", "trials"])
    for name in names:
        same = done["design"] == name
        if same.any() and done["trials"][same].min() >= trials and not again:
            continue
        if name.endswith(LOSSES):
            fresh = allocations(name, trials)
        else:
            fresh = (
                cell(name, trials) if name in DESIGNS else two_budgets_of_D(trials, float(name.split()[-1]))
            )
        done = pd.concat([done[~same], fresh], ignore_index=True) if len(done) else fresh
        table.parent.mkdir(parents=True, exist_ok=True)
        done.to_csv(table, index=False, float_format="%.4g")
        print(fresh.to_string(), flush=True)
    return done


def markdown(table: pd.DataFrame) -> str:
    """Coverage in per cent, one row a design and estimate."""
    wide = table.pivot_table(index=["design", "estimate"], columns="quantity", values="coverage", sort=False)
    told = (
        table[table["quantity"] != "beta"].groupby(["design", "estimate"])["told"].min()
    )  # beta is withheld
    quantities = [
        q for q in ("minima", "a", "N inside", "N at 10 C", "loss at 10 C", "k", "alpha") if q in wide
    ]
    trials = table.groupby("design")["trials"].min()
    head = ["design", "estimate", "trials", *quantities, "told"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for (design, estimate), row in wide.iterrows():
        cells = ["" if np.isnan(row[q]) else f"{100 * row[q]:.1f}" for q in quantities]
        first = [design, estimate, str(trials[design])]
        lines.append(f"| {' | '.join([*first, *cells])} | {100 * told[design, estimate]:.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Run the study and write its table."""
    losses = [f"{name}{LOSSES}" for name in ("6 budgets x 7", "8 sizes x 6 lengths")]
    joint = [f"two budgets of D, noise {noise}" for noise in (0.001, 0.004)]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--designs", nargs="+", default=[*DESIGNS, *joint, *losses], metavar="NAME")
    parser.add_argument("--again", action="store_true", help="measure even what the table has")
    parser.add_argument("--report", action="store_true", help="only write docs/coverage.md from the table")
    parser.add_argument("--table", type=Path, default=TABLE)
    args: Any = parser.parse_args()
    table = (
        pd.read_csv(args.table) if args.report else study(args.designs, args.trials, args.table, args.again)
    )
    if (ROOT / "docs/coverage.md").exists() and args.table == TABLE:
        write_between(ROOT / "docs/coverage.md", MARKS, markdown(table))
    print(markdown(table))


if __name__ == "__main__":
    main()
