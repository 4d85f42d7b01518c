"""What one GPU would still decide, most information a minute first, within a time limit of its own.

    python -m results.grids.one_card --dry-run
    python -m results.grids.one_card --minutes 14 --workers 4 --out results/sweeps/card

The runs of results/grids/gpu.py that results/sweeps/gpu lacks, and its prefix controls, of which results/sweeps/gpu-prefix-alone
has the smallest. Controls come first, the cheapest of them first: they say whether the gain is the streams' or the prefix's. Then
the runs that narrow the interval of k most a minute (`scaling.design.suggest`, minutes for FLOPs), then runs whose curves were
lost. Minutes are estimated from the folder's runs: FLOPs over the rate of the nearest run of as many streams. `--workers` runs
are trained at a time. No run starts that would not end within the limit, and a run that the limit stops keeps its checkpoint.
The same command continues.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

import scaling
from results.grids.gpu import SIZES, muon_double, prefix_alone
from sweeps.config.execution import Execution
from sweeps.config.run import RunConfig
from sweeps.driver.run_sweep import run_sweep
from sweeps.grids.axes import Axes
from sweeps.store.store import Store

HAVE = Path("results/sweeps/gpu")
CONTROLS = Path("results/sweeps/gpu-prefix-alone")
TOKENS = 32_000_000
Place = tuple[str, int, int, bool]  # size, P, seed, whether P = 1 has a prefix


def place_of(run: RunConfig) -> Place:
    """What a run is in these grids."""
    return run.size, run.model.P, run.seed, run.model.prefix_at_one


def minutes_of(run: RunConfig, have: pd.DataFrame) -> float:
    """What a run will take: at the FLOP/s of the nearest run of as many streams, but no less than fewer of its size."""
    rows = have[have["P"] == run.model.P] if (have["P"] == run.model.P).any() else have
    nearest = rows.iloc[int(np.abs(np.log(rows["C"] / run.C)).argmin())]
    fewer = have.loc[(have["size"] == run.size) & (have["P"] <= run.model.P), "wall_s"]
    return float(max(run.C / (nearest["C"] / nearest["wall_s"]), fewer.max() if len(fewer) else 0)) / 60


def planned(have: pd.DataFrame, curves: pd.DataFrame) -> list[tuple[RunConfig, float, str]]:
    """Runs in the order of what they tell a minute, with their minutes and why they are asked for."""
    axes = Axes(sizes=SIZES, seeds=(0, 1), tokens=TOKENS)
    controlled = {*scaling.read_runs(CONTROLS / "runs.parquet")["size"]}
    lacking = tuple(size for size in SIZES if size not in controlled)
    controls = prefix_alone(Axes(sizes=lacking, streams=(1,), seeds=(0,), tokens=TOKENS))
    known = {(row.size, int(row.P), int(row.seed)) for row in have.itertuples()}
    missing = [run for run in muon_double(axes) if place_of(run)[:3] not in known]
    lost = set(have["run_id"]) - set(curves["run_id"])
    again = [run for run in muon_double(axes) if _row_of(run, have) in lost]
    ordered = [
        *((run, "streams or prefix") for run in sorted(controls, key=lambda run: minutes_of(run, have))),
        *((run, "narrows k") for run in by_information(missing, have)),
        *((run, "its curve was lost") for run in sorted(again, key=lambda run: minutes_of(run, have))),
    ]
    return [(run, minutes_of(run, have), why) for run, why in ordered]


def _row_of(run: RunConfig, have: pd.DataFrame) -> str:
    """run_id of the row at a run's place; empty where there is none."""
    size, P, seed, _ = place_of(run)
    at = have[(have["size"] == size) & (have["P"] == P) & (have["seed"] == seed)]
    return str(at["run_id"].iloc[0]) if len(at) else ""


def by_information(missing: Sequence[RunConfig], have: pd.DataFrame) -> list[RunConfig]:
    """The missing runs by what each, with those before it, takes off the interval of k a minute."""
    left: dict[tuple[float, float], list[RunConfig]] = {}
    for run in missing:
        left.setdefault((float(run.model.N), float(run.model.P)), []).append(run)
    candidates = pd.DataFrame(
        {"N": run.model.N, "P": run.model.P, "C": minutes_of(run, have)} for run in missing
    )
    fit = scaling.fit(scaling.ParallelLaw, have[have["status"] == "ok"])
    chosen = scaling.suggest(fit, candidates, target="k", count=len(missing)).table
    return [left[row.N, row.P].pop(0) for row in chosen.itertuples()]


def next_runs(
    plan: Sequence[tuple[RunConfig, float, str]], done: set[Place], minutes: float, workers: int
) -> list[RunConfig]:
    """The first runs of the plan that are not done and would end in the minutes left, at most `workers`."""
    fitting = [run for run, takes, _ in plan if place_of(run) not in done and takes <= minutes]
    return fitting[:workers]


def train(plan: Sequence[tuple[RunConfig, float, str]], out: Path, minutes: float, workers: int) -> None:
    """Train until the minutes are over."""
    end = time.monotonic() + 60 * minutes
    limit = threading.Timer(60 * minutes, os.kill, (os.getpid(), signal.SIGINT))  # the driver stops in order
    limit.daemon = True
    limit.start()
    while runs := next_runs(plan, _done(out), (end - time.monotonic()) / 60, workers):
        execution = Execution(accelerator="auto")
        result = run_sweep(runs, out, name="one-card", rule="", workers=workers, execution=execution)
        print(result.summary, flush=True)
        if result.interrupted or result.failed:
            break
    limit.cancel()


def _done(out: Path) -> set[Place]:
    store = Store(out)
    return {place_of(store.configs()[run_id]) for run_id in store.finished()} if out.exists() else set()


def main() -> None:
    """Print the plan, or train it."""
    parser = argparse.ArgumentParser(
        "python -m results.grids.one_card", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--minutes", type=float, default=14, help="of the whole command (default 14)")
    parser.add_argument("--workers", type=int, default=4, help="runs at a time (default 4)")
    parser.add_argument(
        "--out", type=Path, default=Path("results/sweeps/card"), help="folder (default results/sweeps/card)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the order, train nothing")
    args = parser.parse_args()
    have = scaling.read_runs(HAVE / "runs.parquet")
    plan = planned(have, pd.read_parquet(HAVE / "curves.parquet"))
    if not args.dry_run:
        train(plan, args.out, args.minutes, args.workers)
        return
    total = 0.0
    for run, takes, why in plan:
        total += takes
        kind = "prefix" if run.model.prefix_at_one else ""
        print(
            f"{run.size:>6} P={run.model.P} seed {run.seed} {kind:6} {takes:5.1f} min, {total:6.1f} in all: {why}"
        )


if __name__ == "__main__":
    main()
