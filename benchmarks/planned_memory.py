"""Planned against measured memory of six configurations, trained for two steps on this machine's CPU.

    python -m benchmarks.planned_memory

Writes results/benchmarks/planned_memory.md. Measured is the rise of resident memory above that of the process
before the model was built. Each run has a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from sweeps.config.execution import Execution
from sweeps.config.run import RunConfig
from sweeps.driver.memory_plan import step_memory
from sweeps.grids.grids import Axes, find

OUT = Path("results/benchmarks/planned_memory.md")
WORDS = "the words of a text that is long enough to be read for two steps of sixteen sequences each\n"
CASES = (  # P, precision, checkpointing, layers, batch
    (1, "float32", False, 4, 16),
    (4, "float32", False, 4, 4),
    (1, "bf16", False, 4, 16),
    (4, "bf16", False, 4, 4),
    (2, "float32", True, 12, 16),
    (4, "bf16", True, 12, 8),
)


def planned(case: tuple[int, str, bool, int, int], corpus: str) -> tuple[RunConfig, Execution]:
    """The run of a case, of width 256 and 512 tokens a sequence."""
    P, precision, checkpointing, layers, batch = case
    (run,) = find("ci")(Axes(sizes=(f"256x{layers}",), streams=(P,), corpora=(corpus,), tokens=50_000))
    run = replace(run, steps=2, batch=batch, seq_len=512, precision=precision, eval_tokens=600, eval_batch=1)
    return run, Execution(accelerator="cpu", threads=1, gradient_checkpointing=checkpointing)


def measure(text: str, corpus: str) -> None:
    """Train one case, and print the bytes that it took."""
    import torch

    from sweeps.corpora import build
    from sweeps.training.peak_memory import memory_in_use_bytes
    from sweeps.training.train import train

    run, execution = planned(json.loads(text), corpus)
    (run,) = build.bind([run])
    with tempfile.TemporaryDirectory() as folder:
        before = memory_in_use_bytes(torch.device("cpu"))
        row = train(run, Path(folder), execution=execution)
    print(row["peak_memory_bytes"] - before)


def main() -> None:
    """Measure every case and write the table."""
    lines = [
        "Made by `python -m benchmarks.planned_memory` on a CPU: width 256, sequences of 512 tokens, two steps.",
        "",
        "| P | precision | checkpointing | layers | batch | planned MiB | measured MiB | planned / measured |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    with tempfile.TemporaryDirectory() as folder:
        settings = {**os.environ, "PARSCALE_CACHE": f"{folder}/cache", "MALLOC_MMAP_THRESHOLD_": "65536"}
        for number in range(40):
            (Path(folder) / f"{number}.txt").write_text(WORDS * 200 + f"{number}\n" * 50)
        corpus = f"files:{folder}/*.txt"
        for case in CASES:
            command = [sys.executable, "-m", "benchmarks.planned_memory", json.dumps(case), corpus]
            said = subprocess.run(command, env=settings, capture_output=True, text=True, check=True).stdout
            run, execution = planned(case, corpus)
            plan, found = step_memory(run, execution).of(run.batch) / 2**20, float(said.split()[-1]) / 2**20
            cells = [*case, f"{plan:.0f}", f"{found:.0f}", f"{plan / found:.2f}"]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
            print(lines[-1], flush=True)
    OUT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    measure(*sys.argv[1:]) if sys.argv[1:] else main()
