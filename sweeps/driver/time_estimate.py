"""Hours that planned runs will take: as finished runs of their shape took, or as steps timed here do.

What is timed is one process's step among as many as will run at once, so that they share the memory's
bandwidth as the runs will. A grid that this machine cannot try within seconds is not guessed at.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from importlib.util import find_spec
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from sweeps.config.run import RunConfig
from sweeps.store.store import Store

TRIAL_ROWS = 2048  # tokens times streams of a timed batch: with fewer it is Python that is timed
TRIAL_FLOPS = 6e11  # of a whole grid's trials, at most: some 20 s of two slow cores
TRIALS = 3  # steps that a trial takes, the first not counted

SpeedKey = tuple[Any, ...]  # what a run's speed depends on


def speed_key(run: RunConfig) -> SpeedKey:
    """Runs equal in this train equally fast."""
    return (run.model, run.batch, run.seq_len, run.accumulate, run.precision, run.optimizer, run.compile)


def trial_batch(run: RunConfig) -> int:
    """Sequences of a timed batch, at most those of a micro-batch."""
    return min(run.batch // run.accumulate, math.ceil(TRIAL_ROWS / (run.seq_len * run.model.P)))


def trial_flops(run: RunConfig) -> float:
    """FLOPs of a run's trial."""
    tokens = TRIALS * trial_batch(run) * run.seq_len
    return 3 * run.model.forward_flops(run.seq_len) * tokens


def finished_speeds(folder: Path) -> dict[SpeedKey, float]:
    """Median tokens per second, evaluation included, of the folder's finished runs, by shape."""
    table = Store(folder).table()
    found: dict[SpeedKey, list[float]] = {}
    for row in table[table["status"] == "ok"].to_dict("records") if len(table) else ():
        found.setdefault(speed_key(RunConfig.from_json(row["config"])), []).append(row["tokens_per_s"])
    return {shape: median(speeds) for shape, speeds in found.items()}


def rated_speeds(runs: Sequence[RunConfig], rate: float) -> dict[SpeedKey, float]:
    """Tokens per second of each shape where a run sustains `rate` FLOP/s."""
    return {speed_key(run): rate / (3 * run.model.forward_flops(run.seq_len)) for run in runs}


def time_training(run: RunConfig, threads: int, accelerator: str = "cpu") -> float:
    """Tokens per second of a run's training steps in this process: forward, backward, optimiser.

    0 where `accelerator` would train on something else than the CPU: that is not timed.
    """
    import torch

    from sweeps.model.parscale import ParScaleLM
    from sweeps.training.optimizers import build_optimizer

    if accelerator != "cpu" and (accelerator != "auto" or torch.accelerator.is_available()):
        return 0.0
    torch.set_num_threads(threads)
    model = ParScaleLM(run.model).train()
    optimizer = build_optimizer(model, run)
    bf16 = run.precision == "bf16"
    ids = torch.randint(run.model.vocab, (trial_batch(run), run.seq_len + 1))
    passes, updates = [], []
    for _ in range(TRIALS):
        optimizer.zero_grad()
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
            loss = model.loss(ids[:, :-1], ids[:, 1:])
        loss.backward()  # type: ignore[no-untyped-call]
        middle = time.perf_counter()
        optimizer.step()
        passes.append(middle - start)
        updates.append(time.perf_counter() - middle)
    token_s = min(passes[1:]) / (len(ids) * run.seq_len) + min(updates[1:]) / run.batch_tokens
    return 1 / token_s


def timed_speeds(
    runs: Sequence[RunConfig], workers: int, threads: int, accelerator: str
) -> dict[SpeedKey, float]:
    """Tokens per second of each shape, `workers` of them timed at once. Empty if that would take long.

    Steps are timed eagerly: to compile a shape takes longer than all of its trial.
    """
    shapes = {speed_key(run): run for run in runs}
    if find_spec("torch") is None:  # planning needs no training packages
        return {}
    if sum(map(trial_flops, shapes.values())) > TRIAL_FLOPS:
        return {}
    largest_first = sorted(shapes.values(), key=lambda run: -run.C)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        speeds = pool.map(time_training, largest_first, repeat(threads), repeat(accelerator))
        return dict(zip(map(speed_key, largest_first), speeds, strict=True))


def hours_of(run: RunConfig, speeds: dict[SpeedKey, float]) -> float | None:
    """Hours of a run's own steps at its shape's speed. None if that is not known."""
    speed = speeds.get(speed_key(run))
    return run.steps * run.batch_tokens / speed / 3600 if speed else None


def together(hours: Sequence[float], workers: int) -> float:
    """Hours until the last run ends: largest first, each to the worker that is free first."""
    free = [0.0] * workers
    for one in sorted(hours, reverse=True):
        heapq.heapreplace(free, free[0] + one)
    return max(free)
