"""What a sweep spends outside training: `python -m benchmarks.sweeps [--part share] [--tiny]`.

- reading: 10,000 rows and 10^7 curve points from a sweep's folder
- workers: the ci grid with --workers auto against one run at a time with every core, and a sweep's time
  outside its runs' own, by the run, imports included
- driver: CPU time for a run among 10,000 planned ones: planned, picked and published by a worker whose trainer
  returns at once, gathered. Also one poll of the driver, and `parscale status`
- share: seconds inside training steps of one run of the laptop grid, over the run's whole time

Writes results/benchmarks/sweeps.md. Other parts keep their measurements. `--tiny` tries everything
with small settings and writes nothing.
"""

from __future__ import annotations

import argparse
import datetime
import io
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pandas as pd
import torch
from rich.console import Console

import scaling
from analysis.costs import machine
from analysis.sweep.sweep_folder import read_curves
from benchmarks import ROOT
from scaling.data import limits, table_files
from sweeps.config.execution import Execution, cores
from sweeps.config.run import RunConfig
from sweeps.corpora import build as corpora
from sweeps.driver import worker
from sweeps.driver.progress import View
from sweeps.grids.axes import Axes
from sweeps.grids.grids import find
from sweeps.store.checksums import write_parquet
from sweeps.store.status import Observer, sweep_status
from sweeps.store.store import Store
from sweeps.training import train
from sweeps.training.callbacks import Watch
from sweeps.training.evaluate import Evaluation

PAGE = ROOT / "results/benchmarks/sweeps.md"
PARTS = ("reading", "workers", "driver", "share")
Line = tuple[str, str, str]  # what, measured, wanted


class TimedWatch(Watch):
    """Adds up the seconds from a micro-batch at hand to its weights updated, and those of evaluation."""

    step_s = evaluation_s = 0.0

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        """The batch has been read."""
        self.began = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Forward, backward and update are done. What follows is not training."""
        TimedWatch.step_s += time.perf_counter() - self.began
        super().on_train_batch_end(trainer, module, outputs, batch, batch_idx)

    def _evaluate(self, *args: Any) -> Evaluation:
        start = time.perf_counter()
        found = super()._evaluate(*args)
        TimedWatch.evaluation_s += time.perf_counter() - start
        return found


def share(size: str, P: int, corpus: str, tokens: int | None, folder: Path) -> Line:
    """Seconds in training steps over seconds in `sweeps.training.train.train`, of a run with one thread."""
    axes = Axes(sizes=(size,), streams=(P,), corpora=(corpus,), seeds=(0,), tokens=tokens)
    (run,) = corpora.bind(find("laptop")(axes))
    train.Watch = TimedWatch  # type: ignore[misc]
    start = time.perf_counter()
    row = train.train(run, folder, execution=Execution(accelerator="cpu", threads=1))
    wall = time.perf_counter() - start
    what = (
        f"training steps of laptop {size} P={P}, {run.D:,} tokens of {corpus}, "
        f"{run.eval_tokens:,} validation tokens, {row['status']}"
    )
    steps, held_out = TimedWatch.step_s / wall, TimedWatch.evaluation_s / wall
    rest = f"evaluation {held_out:.1%}, all else {1 - steps - held_out:.1%}"
    return what, f"{steps:.1%} of {wall:.0f} s; {rest}", ">= 95% over 300 s"


def sweep_s(folder: Path, workers: str, tokens: int) -> float:
    """Seconds of `parscale sweep ci`."""
    command = [sys.executable, "-m", "parscale", "sweep", "ci", "--workers", workers, "--out", str(folder)]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, "--tokens", str(tokens)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - start


def workers(tokens: int, repeats: int, folder: Path) -> Line:
    """The ci grid both ways, in turns, and its overhead per run when runs go one at a time."""
    corpora.bind(find("ci")())  # built before the clock starts
    shared, alone, beside = [], [], []
    for turn in range(repeats):
        shared.append(sweep_s(folder / f"auto-{turn}", "auto", tokens))
        alone.append(sweep_s(folder / f"one-{turn}", "1", tokens))
        runs = Store(folder / f"one-{turn}").table()
        beside.append((alone[-1] - runs["wall_s"].sum()) / len(runs))
    what = f"ci grid, {tokens:,} tokens a run, one run at a time on {cores()} cores / --workers auto"
    times = f"{min(alone) / min(shared):.2f} x ({min(alone):.1f} s / {min(shared):.1f} s)"
    spare = f"one at a time {min(beside):.2f} s per run in addition to training, best of {repeats}"
    return what, f"{times}; {spare}", ">= 1.6 x on 2 cores; < 2 s"


def driver(runs: int, trained: int, folder: Path) -> Line:
    """CPU time of all that is not training, in a folder of so many planned runs, so many of them trained."""
    store, cpu = Store(folder), time.process_time
    store.create("ci", "")
    (first,) = find("ci")(Axes(sizes=("32x1",), streams=(1,)))
    begun = [cpu()]
    planned = store.add(replace(first, seed=seed) for seed in range(runs))
    begun.append(cpu())
    worker._resolve = lambda name: _instant
    worker.work(
        worker.Job(str(folder), list(planned), "session"),
        lambda: sum(1 for _ in (folder / "rows").iterdir()) >= trained,
    )
    begun.append(cpu())
    store.gather(curves=True)
    begun.append(cpu())
    observer = Observer(folder)
    with View(Console(file=io.StringIO())) as view:
        for _ in range(2):  # the first reads what the second knows
            start = cpu()
            view.show(observer.look(planned))
    looked = cpu() - start
    start = cpu()
    sweep_status(folder)
    adding, picking, gathering = (later - sooner for sooner, later in pairwise(begun))
    each = f"planned {1e3 * adding / runs:.1f} ms, picked and published {1e3 * picking / trained:.1f} ms"
    told = f"{each} a run; gathered {gathering:.2f} s, a look {looked:.2f} s, status {cpu() - start:.2f} s"
    return f"CPU time with {runs:,} planned runs, {trained:,} trained", told, "< 50 ms a run; status < 2 s"


def _instant(run: RunConfig, folder: Path, *, progress: Callable[[dict[str, Any]], None], **_: Any) -> Any:
    """A trainer that has nothing to do."""
    progress({"step": 1, "loss": 3.0})
    model = run.model
    shape = {"corpus": run.corpus, "size": run.size, "N": model.N, "P": model.P, "D": run.D, "C": run.C}
    return {**shape, "seed": run.seed, "loss": 3.0, "status": "ok", "config": run.to_json()}


def write_sweep(rows: int, points: int, folder: Path) -> None:
    """Tables of a sweep's folder with so many rows and points."""
    (run,) = find("ci")(Axes(sizes=("64x1",), streams=(4,)))
    rng = np.random.default_rng(0)
    names = [f"{number:016x}" for number in range(rows)]
    shape = {"N": run.model.N, "P": 4, "D": run.D, "C": run.C, "seed": 0, "corpus": "stdlib", "status": "ok"}
    table = pd.DataFrame({"run_id": names, **shape, "loss": 3 + rng.random(rows), "config": run.to_json()})
    write_parquet(folder / "runs.parquet", table)
    each = points // rows
    weights = (f"weight_{i}" for i in range(4))
    columns = ("lr", "train_loss", "val_loss", "grad_norm", "stream_similarity", *weights)
    curve = {"run_id": np.repeat(names, each), "step": np.tile(np.arange(each), rows)}
    curve |= {"tokens": curve["step"] * 512, **{name: rng.random(rows * each) for name in columns}}
    write_parquet(folder / "curves.parquet", pd.DataFrame(curve))


def reading(rows: int, points: int, folder: Path) -> Line:
    """Read a folder's tables of so many rows and points back, as a fit and a figure do, checksums and all.

    Imports are not timed. Then the same again with each point joined to its run, as figures draw it.
    """
    write_sweep(rows, points, folder)
    scaling.read_runs(ROOT / "results/sweeps/laptop")  # imports what checks a table, once a process
    start = time.perf_counter()
    runs = scaling.read_runs(folder)
    after_rows = time.perf_counter() - start
    curves = table_files.load_table(folder / "curves.parquet", limits.CURVES, repeated=["run_id"])
    total = time.perf_counter() - start
    assert len(runs) == rows
    assert len(curves) == points
    what = f"{len(runs):,} rows and {len(curves):,} curve points of {curves.shape[1]} columns"
    del curves
    start = time.perf_counter()
    joined = read_curves(folder, runs)
    beside = time.perf_counter() - start
    assert joined is not None
    assert len(joined) == points
    told = f"{total:.2f} s, the rows {after_rows:.2f} s; with each point joined to its run, {beside:.2f} s"
    return what, told, "< 3 s"


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", nargs="*", default=list(PARTS), choices=PARTS, help="default all")
    parser.add_argument("--size", default="64x3", help="of the run whose share is measured (default 64x3)")
    parser.add_argument("--P", type=int, default=1, help="its streams (default 1)")
    parser.add_argument("--corpus", default="code", help="its corpus (default code)")
    parser.add_argument("--tokens", type=int, help="its tokens (default the laptop grid's)")
    parser.add_argument("--tiny", action="store_true", help="try everything, write nothing")
    return parser.parse_args()


def main() -> None:
    """Measure, print and write the table."""
    args = options()
    few = args.tiny
    known = PAGE.read_text().splitlines() if PAGE.exists() and not few else []
    rows = {
        line.split(" | ")[0][2:]: line for line in known if line.startswith(tuple(f"| {p} |" for p in PARTS))
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        works = {
            "reading": lambda: reading(*((100, 10_000) if few else (10_000, 10**7)), folder),
            "workers": lambda: workers(*((5_000, 1) if few else (50_000, 3)), folder),
            "driver": lambda: driver(*((40, 10) if few else (10_000, 1_000)), folder / "planned"),
            "share": lambda: share(
                args.size, args.P, args.corpus, 100_000 if few else args.tokens, folder / "run"
            ),
        }
        for part in args.part:
            rows[part] = f"| {part} | {' | '.join(works[part]())} | {where()} |"
    text = page(rows)
    print(text)
    if not few:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(text)


def where() -> str:
    """When and where a line was measured."""
    versions = f"torch {torch.__version__}, lightning {L.__version__}, pandas {pd.__version__}"
    on = f"{os.cpu_count()} cores of {machine.processor_name()}, load {os.getloadavg()[0]:.1f} at the end"
    return f"{datetime.date.today()}, {on}; Python {platform.python_version()}, {versions}"


def page(rows: dict[str, str]) -> str:
    """The page: a line a part, measured now or before."""
    head = "| part | what | measured | wanted | where |\n" + "| --- " * 5 + "|"
    lines = [rows[part] for part in PARTS if part in rows]
    return "\n".join(
        ("# Sweeps: what is spent outside training\n\n`python -m benchmarks.sweeps`\n", head, *lines, "")
    )


if __name__ == "__main__":
    main()
