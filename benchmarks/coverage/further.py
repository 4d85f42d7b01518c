"""Coverage of intervals that the other studies leave out: `python -m benchmarks.coverage.further [--trials 200] [--only TEXT]`.

Accuracy by loss (`scaling.accuracy_by_loss`), what a doubling of streams, loops or experts is worth in parameters by
pairs of runs (`analysis.sweep.arm_worth.worth_by_pairs`), how far one arm's log loss is below another's (`contrast`
there), and fits with a standard error for each loss. Tables with known truths are drawn. The share of the 95%
intervals that hold the truth goes to results/tables/coverage_further.csv and docs/coverage.md. With --only the rows of
designs without that text in their name are kept as they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

import scaling
from analysis.sweep.arm_worth import BASE, contrast, worth_by_pairs
from benchmarks import ROOT
from benchmarks.coverage import rows_kept
from scaling.data.atomic_files import write_between

TABLE = ROOT / "results/tables/coverage_further.csv"
MARKS = ("<!-- further coverage -->", "<!-- end of further coverage -->")
CHANCE, SLOPE, MIDDLE = 0.25, 4.0, 2.0
ALPHA, GAIN = 0.15, 0.03
EQ5 = scaling.ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287)
Held = dict[str, bool]


def accuracies(models: int, noise: float, rng: np.random.Generator) -> Held:
    """Models with losses from 1.8 to 2.8 nats and normal noise. The new ones have losses of 2.2 and 3.0."""

    def drawn(nats: np.ndarray) -> np.ndarray:
        mean = CHANCE + (1 - CHANCE) / (1 + np.exp(SLOPE * (nats - MIDDLE)))
        return np.asarray(mean + noise * rng.standard_normal(nats.size))

    nats, new = np.linspace(1.8, 2.8, models), np.array([2.2, 3.0])
    table = pd.DataFrame({"loss": nats, "accuracy": np.clip(drawn(nats), 0, 1)})
    found = scaling.accuracy_by_loss(table, chance=CHANCE)
    asked, own = found.predict(new), found.table
    truth = np.clip(drawn(new), 0, 1)
    inside, above = (asked.lower <= truth) & (truth <= asked.upper)
    names = {"slope": SLOPE, "middle": MIDDLE}
    held = {name: bool(own.lower[name] <= true <= own.upper[name]) for name, true in names.items()}
    return held | {"new model, loss of 2.2": bool(inside), "new model, loss of 3.0": bool(above)}


def shares(models: int, rng: np.random.Generator) -> Held:
    """Models asked 50 to 2,000 questions each, weighted by these. The new one is asked as many as the geometric mean."""
    nats, items = np.linspace(1.8, 2.8, models), rng.permutation(np.geomspace(50, 2000, models).astype(int))
    right = CHANCE + (1 - CHANCE) / (1 + np.exp(SLOPE * (nats - MIDDLE)))
    table = pd.DataFrame({"loss": nats, "accuracy": rng.binomial(items, right) / items, "items": items})
    found = scaling.accuracy_by_loss(table, chance=CHANCE, items="items")
    own, asked = found.table, found.predict([2.2]).iloc[0]
    number = round(float(np.exp(np.log(items).mean())))
    truth = rng.binomial(number, CHANCE + (1 - CHANCE) / (1 + np.exp(SLOPE * (2.2 - MIDDLE)))) / number
    names = {"slope": SLOPE, "middle": MIDDLE}
    held = {name: bool(own.lower[name] <= true <= own.upper[name]) for name, true in names.items()}
    return held | {"new model, loss of 2.2": bool(asked.lower <= truth <= asked.upper)}


def worth(sizes: int, seeds: int, noise: float, scatter: float, rng: np.random.Generator) -> Held:
    """Pairs at sizes from 1e5: noise of each run's log loss, and scatter of the gain from one size to the next."""
    rows = []
    for size in 1e5 * 4.0 ** np.arange(sizes):
        gain = GAIN + scatter * rng.standard_normal()
        for seed in range(seeds):
            plain = -ALPHA * np.log(size) + noise * rng.standard_normal()
            arm = -ALPHA * np.log(size) - gain + noise * rng.standard_normal()
            rows += [(BASE, BASE, size, seed, np.exp(plain)), ("P2", "streams", size, seed, np.exp(arm))]
    runs = pd.DataFrame(rows, columns=["arm", "axis", "N", "seed", "loss"])
    runs = runs.assign(size=runs["N"].map("{:g}".format), doublings=1.0)
    found, below = worth_by_pairs(runs).iloc[0], contrast(runs, "P2", BASE)
    return {
        "worth": bool(found.lower <= np.exp(GAIN / ALPHA) <= found.upper),
        "difference of log losses": bool(below["lower"] <= GAIN <= below["upper"]),
    }


def unequal(sizes: int, rng: np.random.Generator) -> Held:
    """Eq 5 at P = 1, 2, 4 and noise that grows as the square root of N, whose standard errors are given."""
    N, P = (v.ravel() for v in np.meshgrid(np.geomspace(1e8, 4e9, sizes), [1.0, 2.0, 4.0]))
    se, new = 0.002 * np.sqrt(N / 1e9), np.array([1.6e10])
    runs = pd.DataFrame({"N": N, "P": P, "loss": EQ5.predict(N=N, P=P) + se * rng.standard_normal(N.size)})
    found = scaling.fit("parallel", runs, scaling.LeastSquares(), se=se, groups=False)
    ends, asked = found.intervals(), found.predict(N=new, P=4.0).iloc[0]
    held = {n: bool(ends.lower[n] <= getattr(EQ5, n) <= ends.upper[n]) for n in EQ5.names()}
    return held | {"N x 4": bool(asked.lower <= EQ5.predict(N=new, P=4.0)[0] <= asked.upper)}


DESIGNS: dict[str, Callable[[np.random.Generator], Held]] = {
    "accuracy, 8 models, noise 0.01": partial(accuracies, 8, 0.01),
    "accuracy, 20 models, noise 0.01": partial(accuracies, 20, 0.01),
    "accuracy, 20 models, noise 0.03": partial(accuracies, 20, 0.03),
    "accuracy, 20 models, weighted by items": partial(shares, 20),
    "standard errors given, 5 sizes x 3 P": partial(unequal, 5),
    "worth by pairs, 3 sizes x 1 seed": partial(worth, 3, 1, 0.01, 0.0),
    "worth by pairs, 3 sizes x 3 seeds": partial(worth, 3, 3, 0.01, 0.0),
    "worth by pairs, 3 sizes x 3 seeds, gain scatters by 0.01": partial(worth, 3, 3, 0.01, 0.01),
    "worth by pairs, 3 sizes x 3 seeds, gain scatters by 0.03": partial(worth, 3, 3, 0.01, 0.03),
    "worth by pairs, 4 sizes x 3 seeds": partial(worth, 4, 3, 0.01, 0.0),
    "worth by pairs, 4 sizes x 3 seeds, gain scatters by 0.01": partial(worth, 4, 3, 0.01, 0.01),
    "worth by pairs, 5 sizes x 3 seeds, gain scatters by 0.01": partial(worth, 5, 3, 0.01, 0.01),
    "worth by pairs, 6 sizes x 3 seeds": partial(worth, 6, 3, 0.01, 0.0),
    "worth by pairs, 6 sizes x 3 seeds, gain scatters by 0.01": partial(worth, 6, 3, 0.01, 0.01),
    "worth by pairs, 6 sizes x 3 seeds, gain scatters by 0.03": partial(worth, 6, 3, 0.01, 0.03),
}


def covered(design: str, trials: int) -> list[dict[str, object]]:
    """How often each interval of a design holds its truth, and in how many trials there was one."""
    found = []
    for trial in range(trials):
        try:
            found.append(DESIGNS[design](np.random.default_rng([11, trial])))
        except scaling.FitError:
            continue
    held = pd.DataFrame(found).mean()
    return [
        {"design": design, "quantity": name, "coverage": share, "trials": len(found)}
        for name, share in held.items()
    ]


def markdown(table: pd.DataFrame) -> str:
    """One line a design and quantity."""
    lines = ["| design | interval of | coverage | trials |", "|---|---|---|---|"]
    lines += [f"| {r.design} | {r.quantity} | {r.coverage:.1%} | {r.trials} |" for r in table.itertuples()]
    return "\n".join(lines)


def main() -> None:
    """Every design, one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--only", metavar="TEXT", default="", help="designs with this in their name")
    args = parser.parse_args()
    kept = rows_kept(TABLE, args.only)
    rows: list[dict[str, object]] = []
    for design in DESIGNS:
        rows += covered(design, args.trials) if args.only in design else kept.get(design, [])
    table = pd.DataFrame(rows)
    table.to_csv(TABLE, index=False, float_format="%.5g")
    write_between(ROOT / "docs/coverage.md", MARKS, markdown(table))
    print(markdown(table))


if __name__ == "__main__":
    main()
