"""Three speeds of tasks and loops: `python -m benchmarks.tasks [--part corpora evaluation loops] [--tiny]`.

- corpora: megabytes of text a CPU second of the steps that a run reads of each task: items drawn, packed into
  windows, and masked. In addition the same with the trainer's inputs and targets made of each step. First steps are
  timed apart: they draw the table of facts
- evaluation: the share of whole runs of results/grids/worth.py that the trainer spends in its evaluations.
  A run is counted from its first step on, so that starting it makes no share smaller
- loops: a training step at r = 1, 2 and 4: the trainer's own batch, forward and backward pass, clipping and
  optimisers, in turns in one process. Half of the layers are looped, or all but the first, which never is

One thread, float32, each part in a process of its own with a worker's allocator. Writes results/benchmarks/tasks.csv
and the page of it, tasks.md. Other parts keep their measurements. `--tiny` tries everything with small settings and
writes nothing. CPU seconds are given as well as wall time, which a busy machine distorts.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import lightning as L
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from benchmarks import ROOT
from benchmarks.timing import OUT, Row, Work, in_own_process, stamp
from sweeps.config.execution import Execution
from sweeps.config.learning_rate import learning_rate_factor
from sweeps.config.run import RunConfig
from sweeps.corpora import build as corpora
from sweeps.corpora.tasks.alphabet import SIZE
from sweeps.corpora.tasks.task_names import task_of
from sweeps.corpora.tokens import Steps
from sweeps.driver.local import KEEP_FREED
from sweeps.grids.axes import Axes
from sweeps.grids.grids import find
from sweeps.model.chunked_loss import IGNORE
from sweeps.training import train
from sweeps.training.callbacks import Watch
from sweeps.training.evaluate import Evaluation
from sweeps.training.lightning_module import ParScaleModule, build_model, uncomplemented

PAGE = ROOT / OUT / "tasks.md"
SETTINGS = {**KEEP_FREED, "OMP_NUM_THREADS": "1"}
FILLING = ~0  # in a row of a task, what is no text
CORPORA = (
    ("easy", "task:facts#facts=100"),
    ("hard", "task:facts#facts=1000000#value=16"),
    ("easy", "task:hops#hops=1#nodes=5"),
    ("hard", "task:hops#hops=9#nodes=26#steps=8"),
    ("easy", "task:arithmetic#digits=2"),
    ("hard", "task:arithmetic#digits=18#steps=18"),
    ("easy", "task:arithmetic#mod=97#terms=2"),
    ("hard", "task:arithmetic#mod=97#terms=32#steps=31"),
    ("easy", "task:copy#letters=8"),
    ("hard", "task:copy#letters=120"),
)
WINDOWS = (64, 256)  # tokens: of the ci and worth grids, and of the laptop grid
BATCH = 8
RUNS = (  # size, P, corpus
    ("64x2", 1, "task:arithmetic#digits=3"),
    ("64x2", 1, "task:facts#facts=2000"),
    ("64x2", 2, "task:hops#hops=1,2,3,4#nodes=5#steps=3"),
)
TOKENS = 500_000  # of each run: 977 steps
LAYERS, LOOPED = 4, (2, 3)
Seconds = npt.NDArray[np.float64]
OF_ROUNDS: dict[str, Callable[[list[float]], float]] = {"best": max, "median": median}


def worth_run(size: str, P: int, corpus: str, tokens: int = TOKENS) -> RunConfig:
    """A run of results/grids/worth.py, bound to its corpus."""
    axes = Axes(sizes=(size,), streams=(P,), corpora=(corpus,), seeds=(0,), tokens=tokens)
    (run,) = corpora.bind(find(str(ROOT / "results/grids/worth.py"))(axes), lambda line: None)
    return run


def clock() -> Seconds:
    """(2,) seconds by the clock, and CPU seconds of this process."""
    return np.array([time.perf_counter(), time.process_time()])


def measure_corpora(tiny: bool) -> list[Row]:
    """The rate of every task at both difficulties, in the windows that its items fit into."""
    rows: list[Row] = []
    for (level, name), seq_len in itertools.product(CORPORA, WINDOWS):
        task, _ = task_of(name)
        if max(map(task.length, task.difficulties)) > seq_len + 1:
            continue
        windows = corpora.open_corpus(name, SIZE, lambda line: None).windows(seq_len, BATCH, 0)
        first_ms = 1e3 * reading_s(windows, range(1))
        steps = (100_000 if tiny else 700_000) // (BATCH * seq_len)
        rates = reading_rates(windows, steps, 3 if tiny else 5)
        rows.append({"level": level, "corpus": name, "seq_len": seq_len, **rates, "first_ms": first_ms})
    return rows


def reading_s(windows: Steps, which: range, fed: bool = False) -> float:
    """CPU seconds of reading steps, and of making inputs and targets of them as the trainer does."""
    start = time.process_time()
    for step in which:
        ids = windows.step(step)
        if fed:
            tensor = torch.from_numpy(ids)
            uncomplemented(tensor[:, :-1])
            tensor[:, 1:].masked_fill(tensor[:, 1:] < 0, IGNORE)
    return time.process_time() - start


def reading_rates(windows: Steps, steps: int, rounds: int) -> dict[str, float]:
    """Megabytes of text a CPU second, over rounds of so many steps. What fills rows up is not counted."""
    rates: dict[str, list[float]] = {"read": [], "fed": []}
    for number in range(rounds):
        which = range(number * steps, (number + 1) * steps)
        size = sum(np.count_nonzero(windows.step(step) != FILLING) for step in which) / 1e6
        rates["read"].append(size / reading_s(windows, which))
        rates["fed"].append(size / reading_s(windows, which, fed=True))
    return {f"{how}_{name}": of(found) for how, found in rates.items() for name, of in OF_ROUNDS.items()}


class EvaluationClock(Watch):
    """Adds up what evaluations take, by the clock and in CPU seconds, and notes when training begins."""

    start: Seconds
    count = 0
    spent: Seconds = np.zeros(2)

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """The model and the optimiser are there."""
        super().on_train_start(trainer, module)
        self.start = clock()

    def _evaluate(self, trainer: L.Trainer, module: ParScaleModule) -> Evaluation:
        start = clock()
        found = super()._evaluate(trainer, module)
        self.spent, self.count = self.spent + clock() - start, self.count + 1
        return found


def measure_evaluation(tiny: bool) -> list[Row]:
    """The share of evaluations in runs of the real trainer."""
    rows: list[Row] = []
    for size, P, corpus in RUNS:
        run, made = worth_run(size, P, corpus, 20_000 if tiny else TOKENS), list[EvaluationClock]()

        def watch(*given: Any, made: list[EvaluationClock] = made) -> EvaluationClock:
            made.append(EvaluationClock(*given))
            return made[0]

        with tempfile.TemporaryDirectory() as folder, patch.object(train, "Watch", watch):
            train.train(run, Path(folder), execution=Execution(accelerator="cpu", threads=1))
        whole = clock() - made[0].start
        seconds = dict(zip(("wall_s", "cpu_s"), whole.tolist(), strict=True))
        shares = dict(zip(("wall_share", "cpu_share"), (made[0].spent / whole).tolist(), strict=True))
        about = {"size": size, "P": P, "corpus": corpus, "steps": run.steps, "evaluations": made[0].count}
        rows.append({**about, **seconds, **shares})
    return rows


def training_step(run: RunConfig) -> Work:
    """The trainer's step of a run, one after the other: its data, rates, loss, clipping and optimisers."""
    windows = corpora.windows_of(run, corpora.open_for(run))
    module = ParScaleModule(run, build_model(run), windows).train()
    optimizer, numbers = module.configure_optimizers(), itertools.count()

    def step() -> None:
        number = next(numbers)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * learning_rate_factor(run, number)
        loss = module.training_step(torch.from_numpy(windows.step(number)), 0)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        module.configure_gradient_clipping(optimizer)
        optimizer.step()

    return step


def measure_loops(tiny: bool) -> list[Row]:
    """Median steps of every P, number of looped layers and r, in turns, and their ratios to r = 1."""
    works, growth, cells = {}, {}, list(itertools.product((1, 2), LOOPED, (1, 2, 4)))
    for P, looped, r in cells:
        run = worth_run(f"64x{LAYERS}", P, RUNS[0][2])
        model = replace(run.model, loops=r, loop_layers=looped)
        works[P, looped, r] = training_step(replace(run, model=model))
        growth[P, looped, r] = model.forward_flops(run.seq_len) / run.model.forward_flops(run.seq_len)
    times: dict[tuple[int, int, int], list[Seconds]] = {cell: [] for cell in cells}
    for number in range(5 if tiny else 30):
        for cell, work in works.items():
            start = clock()
            work()
            if number > 1:  # the first two do not count
                times[cell].append(clock() - start)
    medians = {cell: np.median(found, axis=0) for cell, found in times.items()}
    rows: list[Row] = []
    for P, looped, r in cells:
        wall, cpu = medians[P, looped, r].tolist()
        wall_ratio, cpu_ratio = (medians[P, looped, r] / medians[P, looped, 1]).tolist()
        ratios = {"wall_ratio": wall_ratio, "cpu_ratio": cpu_ratio, "flops_ratio": growth[P, looped, r]}
        rows.append({"P": P, "looped": looped, "r": r, "wall_ms": 1e3 * wall, "cpu_ms": 1e3 * cpu, **ratios})
    return rows


PARTS: dict[str, Callable[[bool], list[Row]]] = {
    "corpora": measure_corpora,
    "evaluation": measure_evaluation,
    "loops": measure_loops,
}


def corpora_lines(table: pd.DataFrame) -> list[str]:
    """What is said of the rates, and their table."""
    words = (
        f"MB of text a CPU second, in steps of {BATCH} windows: drawn, packed and masked, and fed to the model as "
        f"inputs and targets in addition. Best and median of the rounds. Wanted: at least 5. The lowest medians are "
        f"{table.read_median.min():.1f} and {table.fed_median.min():.1f}."
    )
    columns = "task | difficulty | window | best | median | fed, best | fed, median | first step, CPU ms"
    lines = [
        f"| `{row.corpus}` | {row.level} | {row.seq_len:.0f} | {row.read_best:.1f} | {row.read_median:.1f} "
        f"| {row.fed_best:.1f} | {row.fed_median:.1f} | {row.first_ms:.1f} |"
        for row in table.itertuples()
    ]
    head = f"| {columns} |\n" + "|---" * 8 + "|"
    return [words, "\n".join((head, *lines))]


def evaluation_lines(table: pd.DataFrame) -> list[str]:
    """What is said of the shares, and their table."""
    worst = table[["wall_share", "cpu_share"]].max().max()
    words = (
        "Share of evaluations by exact match in a run, counted from its first step on. "
        f"Wanted: at most 5%. The highest is {worst:.1%}."
    )
    head = (
        "| run | steps | evaluations | run, s | run, CPU s | share | share of CPU time |\n" + "|---" * 7 + "|"
    )
    lines = [
        f"| {row.size} P={row.P:.0f} `{row.corpus}` | {row.steps:.0f} | {row.evaluations:.0f} | {row.wall_s:.1f} "
        f"| {row.cpu_s:.1f} | {row.wall_share:.1%} | {row.cpu_share:.1%} |"
        for row in table.itertuples()
    ]
    return [words, "\n".join((head, *lines))]


def loops_lines(table: pd.DataFrame) -> list[str]:
    """What is said of the steps, and their table."""
    worst = table[table.r == 4][["wall_ratio", "cpu_ratio"]].max().max()
    words = (
        f"A training step of a run of 64x{LAYERS} on `{RUNS[0][2]}`: medians in turns, and the ratio to r = 1. "
        f"Wanted at r = 4: at most 4.2. The highest is {worst:.2f}."
    )
    head = "| P | looped layers | r | ms | CPU ms | ratio | of CPU time | of FLOPs |\n" + "|---" * 8 + "|"
    lines = [
        f"| {row.P:.0f} | {row.looped:.0f} of {LAYERS} | {row.r:.0f} | {row.wall_ms:.1f} | {row.cpu_ms:.1f} "
        f"| {row.wall_ratio:.2f} | {row.cpu_ratio:.2f} | {row.flops_ratio:.2f} |"
        for row in table.itertuples()
    ]
    return [words, "\n".join((head, *lines))]


def page(table: pd.DataFrame) -> str:
    """The rows as a page of Markdown."""
    lines = {"corpora": corpora_lines, "evaluation": evaluation_lines, "loops": loops_lines}
    parts = ["# Tasks and loops", "`python -m benchmarks.tasks`"]
    for name, lines_of in lines.items():
        rows = table[table.part == name]
        if len(rows):
            at = rows.iloc[-1]
            where = (
                f"{at.machine}, {at.threads:.0f} thread, load {at.load_average:.1f} at the end, torch {at.torch}, "
                f"Python {at.python}, {at.date}."
            )
            parts += [f"## {name.capitalize()}", *lines_of(rows), where]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", nargs="*", default=list(PARTS), choices=list(PARTS), help="default all")
    parser.add_argument("--tiny", action="store_true", help="try everything, write nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    path = PAGE.with_suffix(".csv")
    table = pd.read_csv(path) if path.exists() and not args.tiny else pd.DataFrame({"part": []})
    for part in args.part:
        with tempfile.TemporaryDirectory() as cache:
            os.environ["PARSCALE_CACHE"] = cache
            found = in_own_process(PARTS[part], args.tiny, settings=SETTINGS)
        new = stamp([{"part": part, **row} for row in found])
        table = pd.concat([table[table.part != part], new], ignore_index=True)
        if not args.tiny:
            table.to_csv(path, index=False)
            PAGE.write_text(page(table))
    print(page(table))


if __name__ == "__main__":
    main()
