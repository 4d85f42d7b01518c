"""What `parscale sweep --search ... --stop-losers` saves, and how often it ends the best run.

    python -m benchmarks.stop_losers

Every search of results/sweeps is played again from its curves. At a share of their steps runs are ended by a rule, and
the best of those left is held against the best of all, by validation loss. A point is the runs that differ only in
what was searched. Nothing is trained farther to bracket the best, as a real search does. Writes
results/tables/stop_losers.csv with one row per point, rule and rungs. About 30 s of CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from sweeps.config.run import RunConfig
from sweeps.grids.forecast_losers import forecast_losers
from sweeps.grids.search import KEEP, Curve, worse_half
from sweeps.store.store import Store

OUT = Path("results/tables/stop_losers.csv")
SWEEPS = Path("results/sweeps")
SEARCHED: dict[
    str, dict[str, Any]
] = {  # fields that a sweep searched, with one value that all runs of a point share
    "rates": {"lr": 1.0},
    "recipe": {"lr": 1.0, "muon_lr": 1.0, "extras_lr": 1.0},
    "gpu-recipe": {"lr": 1.0, "muon_lr": 1.0},
    "extras": {"extras_lr": 1.0, "schedule": "linear", "warmup": 0.0},
    "worth-rates": {"lr": 1.0, "muon_lr": 1.0},
}
RUNGS = ((0.25,), (0.5,), (0.75,), (0.25, 0.5), (0.25, 0.5, 0.75))
FEWEST = 3  # runs of a point
Curves, Runs = Mapping[float, Curve], Mapping[float, RunConfig]


def halving(curves: Curves, runs: Runs) -> set[float]:
    """What a search pauses without forecasts: the worse half by training loss, but never the last three."""
    return worse_half(curves, 0) if len(curves) - len(curves) // 2 >= KEEP else set()


RULES: dict[str, Callable[[Curves, Runs], Collection[float]]] = {
    "halving": halving,
    "forecast": forecast_losers,
    "both": lambda curves, runs: {*halving(curves, runs), *forecast_losers(curves, runs)},
}


@dataclass(frozen=True)
class Point:
    """The finished runs of one point, numbered: their curves, whole runs and final validation losses."""

    name: str
    curves: Curves
    runs: Runs
    finals: Mapping[float, float]

    def played(self, rule: str, rungs: tuple[float, ...]) -> dict[str, Any]:
        """What a rule at these rungs spends, in units of all steps, and by how much it misses the best."""
        left, before, spent = {*self.curves}, 0.0, 0.0
        for rung in rungs:
            spent, before = spent + len(left) * (rung - before), rung
            cut = {one: [p for p in self.curves[one] if p[0] <= rung * self.runs[one].steps] for one in left}
            left -= {*RULES[rule](cut, self.runs)}
        spent += len(left) * (1 - before)
        best = min(self.finals, key=lambda one: self.finals[one])
        told = {"runs": len(self.curves), "left": len(left), "spent": spent / len(self.curves)}
        lost = min(self.finals[one] for one in left) - self.finals[best]
        return {
            "rule": rule,
            "rungs": " ".join(f"{r:.0%}" for r in rungs),
            **told,
            "best_ended": best not in left,
            "lost": lost,
        }


def points(sweep: str) -> Iterator[Point]:
    """The points of a sweep that have three finished runs or more."""
    store = Store(SWEEPS / sweep)
    configs, table = store.configs(), store.table().set_index("run_id")
    curves = pd.read_parquet(store.folder / "curves.parquet").dropna(subset=["train_loss"])
    known = {
        str(run): [*zip(rows["step"], rows["train_loss"], strict=True)]
        for run, rows in curves.groupby("run_id")
    }
    groups: dict[RunConfig, list[str]] = {}
    for run in table.index[table["status"] == "ok"]:
        at = replace(configs[run].identity, sweep="", **SEARCHED[sweep])
        groups.setdefault(at, []).append(run)
    for at, ids in groups.items():
        if len(ids) >= FEWEST:
            name = f"{at.size} P={at.model.P} {at.corpus} seed {at.seed}"
            numbered = {float(i): run for i, run in enumerate(ids)}
            yield Point(
                name,
                {i: known[run] for i, run in numbered.items()},
                {i: configs[run] for i, run in numbered.items()},
                {i: float(table.loc[run, "loss"]) for i, run in numbered.items()},
            )


def played() -> pd.DataFrame:
    """Every point of every sweep under every rule."""
    rows = [
        {"sweep": sweep, "point": point.name, **point.played(rule, rungs)}
        for sweep in SEARCHED
        for point in points(sweep)
        for rungs in RUNGS
        for rule in RULES
    ]
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """By kind of data, rungs and rule: points, share of steps spent, points whose best was ended, nats lost by that."""
    of = table["sweep"].where(table["sweep"] == "worth-rates", "code, text").replace("worth-rates", "tasks")
    grouped = table.groupby([of.rename("data"), "rungs", "rule"], sort=False)
    return grouped.agg(
        points=("spent", "size"), spent=("spent", "mean"), best_ended=("best_ended", "sum"),
        lost_mean=("lost", "mean"), lost_most=("lost", "max"),
    )  # fmt: skip


def main() -> None:
    """Write the table, print its summary."""
    table = played()
    table.to_csv(OUT, index=False, float_format="%.6g")
    print(summary(table).round(4).to_string())


if __name__ == "__main__":
    main()
