"""Coverage of the laws of the best learning rate and batch size: simulated grids whose optimum is known.

    python -m benchmarks.coverage.tuned [--trials 300]

Writes results/tables/coverage_tuned.csv: a row a design and quantity, with the share of 95% intervals that hold the
truth. The truth follows Step Law's exponents. Surfaces are quadratic, or steeper where the learning rate is too
high, as published ones are. Searches have one size each point, the five values about the best at their end, and skews
that differ from point to point (mean 0.25, standard deviation 0.3).
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from scaling.allocation.tuned_optimum import tuned_optimum

OUT = Path("results/tables/coverage_tuned.csv")
TRUTH = {"lr": (1.79, -0.713, 0.307), "batch_size": (2.9e-4, 0.0, 0.571)}  # G, exponents of N and D
FAR = {"N": 5e9, "D": 5e11}


@dataclass(frozen=True)
class Design:
    """A grid: cells of sizes x tokens, settings in factors of `step` about the optimum, shifted a little."""

    sizes: int
    tokens: int
    noise: float  # of the loss, nats
    skew: float  # of the surface along the learning rate
    scatter: float = 0.0  # of a cell's optimum about the law, in the logarithm
    step: float = 2.0


@dataclass(frozen=True)
class Searched:
    """Searches of the learning rate at sizes, as `parscale sweep --search` leaves them: values a factor of 1.93 apart."""

    sizes: int
    scatter: float = 0.0
    seeds: int = 1
    noise: float = 0.002


SEARCHES = {
    "search, 4 sizes": Searched(4),
    "search, 5 sizes": Searched(5),
    "search, 5 sizes, optima scatter by 10%": Searched(5, 0.1),
    "search, 8 sizes": Searched(8),
    "search, 8 sizes, optima scatter by 10%, 2 seeds": Searched(8, 0.1, 2),
}
LAW, SEARCHED_FAR = (2.0, -0.3), 1e9  # of searches: lr* = 2 N^-0.3; the N of the forecast
DESIGNS = {
    "6 x 5 cells, quadratic": Design(6, 5, 0.002, 0.0),
    "6 x 5 cells, steeper above": Design(6, 5, 0.002, 0.15),
    "6 x 5 cells, steeper above, optima scatter by 10%": Design(6, 5, 0.002, 0.15, 0.1),
    "3 x 3 cells, steeper above": Design(3, 3, 0.002, 0.15),
    "6 x 5 cells, steps of 1.41": Design(6, 5, 0.004, 0.15, 0.0, 2**0.5),
}


def best(name: str, N: float, D: float) -> float:
    """A setting's optimum in truth."""
    G, n, d = TRUTH[name]
    return float(G * N**n * D**d)


def simulated(design: Design, rng: np.random.Generator) -> pd.DataFrame:
    """The runs of a design."""
    rows = []
    for N, D in itertools.product(
        np.geomspace(6e7, 1e9, design.sizes), np.geomspace(2e9, 1e11, design.tokens)
    ):
        lr, batch = (best(name, N, D) * np.exp(design.scatter * rng.standard_normal()) for name in TRUTH)
        steps = np.log(design.step) * np.arange(-3, 4)
        x, y = (
            v.ravel() for v in np.meshgrid(steps + rng.uniform(-0.3, 0.3), steps + rng.uniform(-0.3, 0.3))
        )
        rise = 0.015 * x**2 * np.exp(design.skew * x) + 0.014 * y**2 - 0.012 * x * y
        loss = 2.4 + rise + design.noise * rng.standard_normal(x.size)
        rows.append(
            pd.DataFrame(
                {"N": N, "D": D, "lr": lr * np.exp(x), "batch_size": batch * np.exp(y), "loss": loss}
            )
        )
    return pd.concat(rows, ignore_index=True)


def searched(design: Searched, rng: np.random.Generator) -> pd.DataFrame:
    """The runs of a search."""
    step, rows = np.log(1.93), []
    for N in np.geomspace(1e6, 1e8, design.sizes):
        best = np.log(LAW[0] * N ** LAW[1]) + design.scatter * rng.standard_normal()
        log_lr = step * (round(best / step) + rng.uniform(-0.5, 0.5) + np.arange(-4, 5))
        curve = 3 + 0.03 * (log_lr - best) ** 2 * np.exp(rng.normal(0.25, 0.3) * (log_lr - best))
        loss = curve + design.noise * rng.standard_normal((design.seeds, 9))
        ended = np.abs(np.arange(9) - loss.mean(0).argmin()) <= 2
        rows += [
            {"size": f"N{N:.0f}", "N": N, "D": 2e7, "P": 1, "seed": seed, "lr": np.exp(x),
             "loss": y if to_end else np.nan, "status": "ok" if to_end else "stopped", "searched": "lr"}
            for seed, of_seed in enumerate(loss) for x, y, to_end in zip(log_lr, of_seed, ended, strict=True)
        ]  # fmt: skip
    return pd.DataFrame(rows)


def search_hits(design: Searched, trial: int) -> dict[str, float]:
    """Which intervals of one simulated search hold the truth."""
    made = tuned_optimum(searched(design, np.random.default_rng([7, trial])))
    row, far = made.table.loc[("lr", "N")], made.at(N=SEARCHED_FAR).loc["lr"]
    truth = LAW[0] * SEARCHED_FAR ** LAW[1]
    return {
        "lr: exponent of N": float(row.lower <= LAW[1] <= row.upper),
        "lr at N = 1e9": float(far.lower <= truth <= far.upper),
    }


def hits(design: Design, trial: int) -> dict[str, float]:
    """Which intervals of one simulated table hold the truth. nan if there is no law."""
    made = tuned_optimum(simulated(design, np.random.default_rng([11, trial])))
    found: dict[str, float] = {}
    for name, (_, n, d) in TRUTH.items():
        for axis, truth in (("N", n), ("D", d)):
            row = made.table.loc[(name, axis)]
            found[f"{name}: exponent of {axis}"] = float(row.lower <= truth <= row.upper)
        far = made.at(**FAR).loc[name]
        found[f"{name} at N = 5e9, D = 5e11"] = float(far.lower <= best(name, **FAR) <= far.upper)
    return found


def main() -> None:
    """Every design, the table written at the end."""
    parser = argparse.ArgumentParser("python -m benchmarks.coverage.tuned", description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    trials = parser.parse_args().trials
    works = {name: partial(hits, design) for name, design in DESIGNS.items()}
    works |= {name: partial(search_hits, design) for name, design in SEARCHES.items()}
    rows = []
    for name, work in works.items():
        share = pd.DataFrame([work(trial) for trial in range(trials)]).mean()
        rows += [
            {"design": name, "quantity": q, "coverage": round(v, 4), "trials": trials}
            for q, v in share.items()
        ]
        print(pd.DataFrame(rows[-len(share) :]).to_string(index=False), flush=True)
    pd.DataFrame(rows).to_csv(OUT, index=False)


if __name__ == "__main__":
    main()
