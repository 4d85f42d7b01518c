"""Measure what an answer costs with each arm of results/grids/worth.py: latency and memory, with untrained weights.

    python -m results.grids.worth_latency

For every task, size and arm: the median seconds to answer 1 and 8 questions at once, greedily, with one thread, and the bytes of
weights and caches at 1. Trained weights take as long. Writes results/sweeps/worth/latency.csv, which
`python -m results.grids.worth_table` reads. Run it on a quiet machine: all arms are timed in turns, and the median of --rounds is
taken, but other work still lengthens them.
"""

from __future__ import annotations

import argparse
import platform
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import torch

from results.grids import worth
from results.grids.worth_table import named_arms
from sweeps.config.run import RunConfig
from sweeps.corpora import build as corpora
from sweeps.grids.axes import Axes
from sweeps.inspect.inference_scaling import time_answering
from sweeps.model.parscale import ParScaleLM


def measured(rounds: int) -> pd.DataFrame:
    """One row a task, size and arm: latency_s, latency_s_8, memory_bytes."""
    sizes = tuple(f"{size}{arm}" for size in (*worth.SIZES, *worth.BETWEEN) for arm in worth.ARMS)
    runs = worth.grid(Axes(seeds=(0,), sizes=sizes))
    asked = {
        corpus: _question(next(run for run in runs if run.corpus == corpus)) for corpus in worth.Plan.corpora
    }
    rows = [_about(run) for run in runs]
    table = named_arms(pd.DataFrame(rows))[["task", "size", "arm", "corpus", "run_id"]]
    models = {run.run_id: ParScaleLM(run.model).eval() for run in runs}
    times: dict[Any, list[list[float]]] = {index: [[], []] for index in table.index}
    held = {}
    for _ in range(rounds):
        for row in table.itertuples():
            for batch, kept in zip((1, 8), times[row.Index], strict=True):
                seconds, memory = time_answering(models[str(row.run_id)], batch, *asked[str(row.corpus)], 1)
                kept.append(seconds)
                held[row.Index, batch] = memory
    return table.drop(columns=["corpus", "run_id"]).assign(
        latency_s=[median(times[index][0]) for index in table.index],
        latency_s_8=[median(times[index][1]) for index in table.index],
        memory_bytes=[held[index, 1] for index in table.index],
    )


def _about(run: RunConfig) -> dict[str, Any]:
    """What `named_arms` reads of a run."""
    model = run.model
    return {"run_id": run.run_id, "status": "ok", "corpus": run.corpus, "size": run.size, "seed": run.seed, "P": model.P} | {
        "N": model.N, "N_recurrent": 0, "C": run.C, "D": run.D,
    }  # fmt: skip


def _question(run: RunConfig) -> tuple[int, int]:
    """Tokens of a task's prompt and of its answer."""
    items = next(iter(corpora.open_for(run).questions().values()))
    return int(items.prompt[0]), int(items.lengths[0] - items.prompt[0])


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        "python -m results.grids.worth_latency", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "--rounds", type=int, default=9, help="timings of each, of which the median is taken (default 9)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("results/sweeps/worth/latency.csv"), help="the table"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    table = measured(args.rounds).assign(
        threads=1, machine=platform.machine(), torch=torch.__version__, date=date.today().isoformat()
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(args.out, index=False, lineterminator="\n")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
