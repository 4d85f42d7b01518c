"""A whole training step of the trainer and of a plain loop in PyTorch, in CPU time: for a machine that is not quiet.

    python -m benchmarks.model.training_loop [--only 64x3,bf16 ...] [--rounds 2] [--steps 22]

Writes results/benchmarks/training_loop.md. The loop is the model written straightforwardly (`benchmarks.model.plain`), AdamW,
clipping, a schedule, the same batches of 8 x 256 tokens. It runs as `python loop.py` would, the trainer as a worker of a
sweep does, which keeps freed memory. They take turns, each run in a process of its own. Of a run the median step counts, of the
rounds the shortest. CPU time does not see who else is on the machine but for its caches.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import pandas as pd
import torch

from benchmarks.model import plain
from benchmarks.timing import OUT, in_own_process, stamp
from sweeps.config.execution import Execution
from sweeps.config.learning_rate import learning_rate_factor
from sweeps.config.run import RunConfig
from sweeps.corpora import build as corpora
from sweeps.driver.local import KEEP_FREED
from sweeps.grids.axes import Axes
from sweeps.grids.grids import LAPTOP
from sweeps.training.lightning_module import build_model
from sweeps.training.train import train

SKIP = 3  # steps at the beginning that are not counted
HEAD = "| run | N | plain loop, tokens a CPU second | trainer, AdamW | x | trainer, Muon | x |\n" + (
    "| --- " * 7 + "|"
)


@dataclass(frozen=True)
class Shape:
    """What is trained, and how."""

    size: str
    precision: str = "float32"
    compiled: bool = False
    threads: int = 1

    @property
    def label(self) -> str:
        """The name of its row: 64x3,bf16."""
        more = [self.precision] * (self.precision != "float32") + ["compiled"] * self.compiled
        return ",".join([self.size, *more, *[f"{self.threads} threads"] * (self.threads > 1)])


SHAPES = [
    Shape("32x2"),
    Shape("64x3"),
    Shape("64x3", precision="bf16"),
    Shape("64x3", compiled=True),
    Shape("64x3", threads=2),
]


def run_of(shape: Shape, optimizer: str, steps: int) -> RunConfig:
    """The first steps of a run of the laptop grid, bound to its corpus. It logs as often as the whole run does."""
    torch.set_num_threads(shape.threads)
    run = LAPTOP.run("loop", shape.size, 1, "stdlib", 0, Axes(tokens=4_000_000))
    run = replace(run, precision=shape.precision, compile=shape.compiled, optimizer=optimizer)
    points = max(1, run.log_points * steps // run.steps)
    return corpora.bind([replace(run, steps=steps, log_points=points, eval_tokens=4_000, repeat=True)])[0]


def step_s(times: list[float]) -> float:
    """The median step of the CPU times after each."""
    return median(later - earlier for earlier, later in pairwise(times[SKIP:]))


def plain_step(shape: dict[str, object], steps: int) -> float:
    """CPU seconds of the loop's median step."""
    run = run_of(Shape(**shape), "adamw", steps)  # type: ignore[arg-type]
    windows = corpora.windows_of(run, corpora.open_for(run))
    model = build_model(replace(run, compile=False)).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), run.lr, (run.beta1, run.beta2), weight_decay=run.weight_decay
    )
    loss_of: Callable[..., torch.Tensor] = torch.compile(plain.loss) if run.compile else plain.loss
    half = torch.autocast("cpu", torch.bfloat16) if run.precision == "bf16" else nullcontext()
    times = [time.process_time()]
    for step in range(run.steps):
        ids = torch.from_numpy(windows.step(step)).long()
        for group in optimizer.param_groups:
            group["lr"] = run.lr * learning_rate_factor(run, step)
        optimizer.zero_grad()
        with half:
            loss = loss_of(model, ids[:, :-1], ids[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), run.clip)
        optimizer.step()
        float(loss.detach())
        times.append(time.process_time())
    return step_s(times)


def trainer_step(shape: dict[str, object], steps: int, optimizer: str) -> float:
    """CPU seconds of the trainer's median step."""
    asked = Shape(**shape)  # type: ignore[arg-type]
    times: list[float] = []

    def stop() -> bool:
        """Note the time: the trainer asks after every step but the last, which evaluates."""
        times.append(time.process_time())
        return False

    run, how = run_of(asked, optimizer, steps), Execution(accelerator="cpu", threads=asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        train(run, Path(folder), execution=how, stop=stop, progress=lambda now: None)
    return step_s(times)


def measure(shape: Shape, rounds: int, steps: int) -> dict[str, object]:
    """Tokens a CPU second of loop and trainer, P = 1."""
    threads, about = {"OMP_NUM_THREADS": str(shape.threads)}, asdict(shape)
    works = {
        "plain": lambda: in_own_process(plain_step, about, steps, settings=threads),
        **{
            name: lambda name=name: in_own_process(  # type: ignore[misc]
                trainer_step, about, steps, name, settings={**threads, **KEEP_FREED}
            )
            for name in ("adamw", "muon")
        },
    }
    found = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        found = {name: min(found[name], work()) for name, work in works.items()}
    run = run_of(shape, "adamw", steps)
    return {
        "label": shape.label,
        "N": run.model.N,
        **{name: run.batch_tokens / seconds for name, seconds in found.items()},
    }


def page(table: pd.DataFrame) -> str:
    """The table as a page of Markdown."""
    about = table.iloc[-1]
    lines = [
        f"| {row.label} | {row.N:,} | {row.plain:,.0f} | {row.adamw:,.0f} | {row.adamw / row.plain:.2f} "
        f"| {row.muon:,.0f} | {row.muon / row.plain:.2f} |"
        for row in table.itertuples()
    ]
    where = f"{about.machine}, load {about.load_average:.1f}; torch {about.torch}, {about.date}."
    told = (
        "`python -m benchmarks.model.training_loop`. P = 1, batch 8 x 256, float32, eager, one thread unless named. "
        "x: relative to the plain loop, which is eager, in bf16 or compiled as the trainer is."
    )
    return "\n\n".join(("# The trainer and a plain loop", told, where, "\n".join((HEAD, *lines)))) + "\n"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    labels = {shape.label: shape for shape in SHAPES}
    parser.add_argument("--only", nargs="*", default=[*labels], choices=[*labels])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=22)
    asked = parser.parse_args()
    table = stamp([measure(labels[name], asked.rounds, asked.steps) for name in asked.only])
    text = page(table)
    (OUT / "training_loop.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
