"""Snapshots taken under each strategy, and gone on from under each other.

    python -m benchmarks.model.crossing

Writes results/benchmarks/crossing.md. A run of 24 steps is stopped after its 9th under one strategy, and its
folder finished under another, on this machine's CPU (gloo). Its losses, step by step, are held against those of
a run on one device that nothing broke.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from sweeps.config.execution import Execution
from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.corpora import build
from sweeps.training.interrupt import Interrupted
from sweeps.training.train import train

OUT = Path("results/benchmarks/crossing.md")
WAYS = {"one device": (1, "ddp"), "ddp, 2": (2, "ddp"), "ddp, 4": (4, "ddp"), "fsdp2, 2": (2, "fsdp2"),
        "fsdp2, 4": (4, "fsdp2")}  # fmt: skip
STEPS, BROKEN = 24, 9


def run_of(corpus: str, optimizer: str) -> RunConfig:
    """Two layers of width 32 at P = 2, with every step's loss in the curve."""
    model = ModelConfig(vocab=300, width=32, ffn=96, layers=2, heads=2, kv_heads=1, P=2, prefix_tokens=4)
    run = RunConfig(model, "crossing", "32x2", seed=3, corpus=corpus, steps=STEPS, batch=8, seq_len=32,
                    lr=5e-3, optimizer=optimizer, eval_tokens=4000, log_points=STEPS)  # fmt: skip
    (bound,) = build.bind([run])
    return bound


def execution_of(way: str) -> Execution:
    """One thread a rank."""
    ranks, strategy = WAYS[way]
    return Execution(accelerator="cpu", threads=ranks, devices=ranks, strategy=strategy, report_seconds=0.0)


def broken(run: RunConfig, folder: Path, way: str) -> None:
    """Train until the state after some steps is written."""
    seen: list[dict[str, Any]] = []
    try:
        train(run, folder, execution=execution_of(way), progress=seen.append,
              stop=lambda: bool(seen) and seen[-1]["step"] >= BROKEN)  # fmt: skip
    except Interrupted:
        return
    raise AssertionError("the run was not broken off")


def losses(folder: Path, row: dict[str, Any]) -> pd.Series:
    """The training loss of every step, and the validation loss."""
    curve = pd.read_parquet(folder / "curve.parquet")
    return pd.concat([curve["train_loss"], pd.Series([row["loss"]])], ignore_index=True)


def crossings(corpus: str, optimizer: str, root: Path) -> Iterator[list[str]]:
    """A row for each strategy that a run was begun under: the largest difference, under each it ended under."""
    run = run_of(corpus, optimizer)
    unbroken = {}
    for way in WAYS:
        row = train(run, root / way, execution=execution_of(way))
        unbroken[way] = losses(root / way, row)
    apart = [(unbroken[way] - unbroken["one device"]).abs().max() for way in WAYS]
    yield [optimizer, "nothing broke", *(f"{one:.1e}" for one in apart)]
    for begun in WAYS:
        broken(run, root / f"{begun} broken", begun)
        cells = []
        for ended in WAYS:
            folder = root / f"{begun} {ended}"
            shutil.copytree(root / f"{begun} broken", folder)
            row = train(run, folder, execution=execution_of(ended))
            apart = (losses(folder, row) - unbroken["one device"]).abs().max()
            same = begun == ended and losses(folder, row).equals(unbroken[ended])
            cells.append("to the bit" if same else f"{apart:.1e}")
        yield [optimizer, begun, *cells]


def main() -> None:
    """Cross every strategy with every other and write the table."""
    lines = [
        "Made by `python -m benchmarks.model.crossing` on a CPU (gloo). A run of 24 steps was stopped after 9 to 12 under",
        "the strategy of its row (with so many ranks) and finished under that of the column. A cell is the largest",
        "difference, in nats, of any step's loss and of the validation loss from an uninterrupted run on one device.",
        "\"to the bit\" means equal to the uninterrupted run under the same strategy.",
        "",
        "| optimiser | begun under | " + " | ".join(WAYS) + " |",
        "| --- " * (len(WAYS) + 2) + "|",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PARSCALE_CACHE"] = f"{folder}/cache"
        for number in range(60):
            text = "\n".join(
                f"line {number * i % 97} of verse {i % 7} rhymes with {number}" for i in range(150)
            )
            (Path(folder) / f"{number}.txt").write_text(text)
        for optimizer in ("adamw", "muon"):
            root = Path(folder) / optimizer
            root.mkdir()
            for cells in crossings(f"files:{folder}/*.txt", optimizer, root):
                lines.append("| " + " | ".join(cells) + " |")
                print(lines[-1], flush=True)
    OUT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
