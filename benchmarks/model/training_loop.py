"""CPU time of a training step of the trainer and of a plain loop in PyTorch. It needs no quiet machine.

    OMP_NUM_THREADS=1 python -m benchmarks.model.training_loop [--sizes 32x2 64x3 96x4] [--rounds 3] [--steps 25]

Writes results/benchmarks/training_loop.md. The loop is the model written straightforwardly (`benchmarks.model.plain`), AdamW,
clipping, a schedule, the same batches of 8 x 256 tokens. Loop and trainer take turns, each as a run
of its own. The figure is the shortest over rounds of the median step. Other processes affect the CPU time of one thread only
through its caches.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import pandas as pd
import torch

from sweeps.config.execution import Execution
from sweeps.config.learning_rate import learning_rate_factor
from sweeps.config.run import RunConfig
from sweeps.corpora import build as corpora
from sweeps.grids.axes import Axes
from sweeps.grids.grids import LAPTOP
from sweeps.training.lightning_module import build_model
from sweeps.training.train import train

from ..timing import OUT, stamp
from . import plain

SKIP = 3  # steps at the beginning that are not counted
HEAD = "| size | N | plain loop, tokens a CPU second | trainer, AdamW | x | trainer, Muon | x |\n" + (
    "| --- " * 7 + "|"
)


def plain_step(run: RunConfig) -> float:
    """CPU seconds of the loop's median step."""
    windows = corpora.windows_of(run, corpora.open_for(run))
    model = build_model(run).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), run.lr, (run.beta1, run.beta2), weight_decay=run.weight_decay
    )
    times = [time.process_time()]
    for step in range(run.steps):
        ids = torch.from_numpy(windows.step(step)).long()
        for group in optimizer.param_groups:
            group["lr"] = run.lr * learning_rate_factor(run, step)
        optimizer.zero_grad()
        loss = plain.loss(model, ids[:, :-1], ids[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), run.clip)
        optimizer.step()
        float(loss.detach())
        times.append(time.process_time())
    return median(later - earlier for earlier, later in pairwise(times[SKIP:]))


def trainer_step(run: RunConfig) -> float:
    """CPU seconds of the trainer's median step, its record of the run included."""
    times: list[float] = []
    how = Execution(accelerator="cpu", threads=1, report_seconds=0.0)
    with tempfile.TemporaryDirectory() as folder:
        train(run, Path(folder), execution=how, progress=lambda now: times.append(time.process_time()))
    return median(later - earlier for earlier, later in pairwise(times[SKIP:-1]))  # the last one evaluates


def measure(size: str, rounds: int, steps: int) -> dict[str, object]:
    """Tokens a CPU second of loop and trainer at one size, P = 1."""
    run = LAPTOP.run("loop", size, 1, "stdlib", 0, Axes(tokens=4_000_000))
    (run,) = corpora.bind(
        [replace(run, steps=steps, compile=False, eval_tokens=4_000, optimizer="adamw", repeat=True)]
    )
    works = {
        "plain": lambda: plain_step(run),
        "adamw": lambda: trainer_step(run),
        "muon": lambda: trainer_step(replace(run, optimizer="muon")),
    }
    found = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        found = {name: min(found[name], work()) for name, work in works.items()}
    return {
        "size": size,
        "N": run.model.N,
        **{name: run.batch_tokens / seconds for name, seconds in found.items()},
    }


def page(table: pd.DataFrame) -> str:
    """The table as a page of Markdown."""
    about = table.iloc[-1]
    lines = [
        f"| {row.size_} | {row.N:,} | {row.plain:,.0f} | {row.adamw:,.0f} | {row.adamw / row.plain:.2f} "
        f"| {row.muon:,.0f} | {row.muon / row.plain:.2f} |"
        for row in table.rename(columns={"size": "size_"}).itertuples()
    ]
    where = f"{about.machine}, {about.threads} threads, load {about.load_average:.1f}; torch {about.torch}, {about.date}."
    told = "`python -m benchmarks.model.training_loop`. P = 1, batch 8 x 256, float32, eager. x: relative to the plain loop."
    return "\n\n".join(("# The trainer and a plain loop", told, where, "\n".join((HEAD, *lines)))) + "\n"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="*", default=["32x2", "64x3", "96x4"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=25)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    table = stamp([measure(size, asked.rounds, asked.steps) for size in asked.sizes])
    text = page(table)
    (OUT / "training_loop.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
