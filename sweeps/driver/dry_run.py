"""What `--dry-run` prints: every run's derived shape, N, D, FLOPs, memory, and time where it is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sweeps.config.execution import Execution, share_out
from sweeps.config.run import RunConfig
from sweeps.driver import memory_plan, time_estimate
from sweeps.driver.progress import clock

COLUMNS = (
    "corpus",
    "size",
    "P",
    "seed",
    "layers x width",
    "heads",
    "ffn",
    "N",
    "D",
    "lr",
    "FLOPs",
    "state GiB",
    "GiB/sequence",
    "time",
)
MEMORY = "state: weights, gradients, moments, logits. A sequence: what it keeps for the backward pass"
FITTED = ("micro-batches", "GiB")  # a step and a device, where a device's memory is given
UNKNOWN = (
    "time is not estimated: none of these runs is finished, and none can be tried here within seconds. "
    "Train one and plan again, or give --rate, the FLOP/s that one run sustains"
)


@dataclass(frozen=True)
class PlannedTime:
    """Hours of each run, in the order of the configurations, and where they come from."""

    hours: list[float | None]
    words: str


def plan_time(
    runs: list[RunConfig], folder: Path, execution: Execution, workers: str, place: str, rate: float | None
) -> PlannedTime:
    """Hours as finished runs in `folder` took. Else at `rate` FLOP/s. Else as steps timed here do."""
    finished = time_estimate.finished_speeds(folder)
    left = [run for run in runs if time_estimate.speed_key(run) not in finished]
    count, threads = share_out(workers, len(runs), execution)
    how = "as finished runs here took"
    speeds: dict[time_estimate.SpeedKey, float] = {}
    if left and rate:
        speeds, how = time_estimate.rated_speeds(left, rate), f"at {rate:.3g} FLOP/s a run"
    elif left and place == "local" and execution.ranks == 1:
        speeds = time_estimate.timed_speeds(left, count, execution.threads or threads, execution.accelerator)
        how = "training steps alone, as timed just now. A validation token costs a third of a training token"
        how += (
            ". Steps were timed without compilation, and compiled ones take less"
            if any(run.compile for run in left)
            else ""
        )
    hours = [time_estimate.hours_of(run, {**speeds, **finished}) for run in runs]
    known = [one for one in hours if one is not None]
    if len(known) < len(runs):
        return PlannedTime(hours, UNKNOWN)
    if place != "local":
        count = len(runs) if workers == "auto" else int(workers)
    at_once = f"{count} at a time" if count > 1 else "one at a time"
    return PlannedTime(
        hours, f"in all {clock(3600 * time_estimate.together(known, count))}, {at_once}: {how}"
    )


def plan_table(
    runs: list[RunConfig], execution: Execution, time: PlannedTime, memory: float | None = None
) -> pd.DataFrame:
    """Every run's shape, counts, memory and time as text, largest first.

    With a device's `memory` in bytes: in how many micro-batches a step fits it, and what it then takes.
    """
    rows = [
        [
            *cells(run, execution),
            clock(3600 * hours) if hours is not None else "",
            *(_fit(run, execution, memory) if memory else ()),
        ]
        for run, hours in sorted(zip(runs, time.hours, strict=True), key=lambda pair: -pair[0].C)
    ]
    return pd.DataFrame(rows, columns=[*COLUMNS, *(FITTED if memory else ())])


def _fit(run: RunConfig, execution: Execution, memory: float) -> list[str]:
    """Micro-batches a step, and GiB a device."""
    found = memory_plan.fitted(run, execution, memory)
    plan = memory_plan.step_memory(found or run, execution)
    if found is None:
        return ["does not fit", f"{plan.of(1) / 2**30:.3g}"]
    sequences = run.batch // execution.ranks // found.accumulate
    return [str(found.accumulate), f"{plan.of(sequences) / 2**30:.3g}"]


def sums(runs: list[RunConfig], execution: Execution, time: PlannedTime) -> list[str]:
    """What the table's memory means, and what all runs take together, in lines."""
    precisions = sorted({run.precision for run in runs})
    every = execution.gradient_checkpointing
    which = "Every block" if every == 1 else f"One block in {every}"
    less = f". {which} keeps its input alone, and is computed again" if every else ""
    lines = [f"{MEMORY}, {' and '.join(precisions)} activations{less}"]
    if execution.ranks > 1:
        shares = "shared out among them" if execution.strategy == "fsdp2" else "a whole copy on each"
        lines.append(f"both on each of {execution.ranks} devices: {execution.strategy}, {shares}")
    flops, tokens = sum(run.own_C for run in runs), sum(run.steps * run.batch_tokens for run in runs)
    return [*lines, f"in all {flops:.3g} FLOPs and {tokens:,} tokens", time.words]


def cells(run: RunConfig, execution: Execution) -> list[str]:
    """A run's row of the table but its hours."""
    m = run.model
    plan = memory_plan.step_memory(run, execution)
    state, one = plan.fixed / 2**30, plan.sequence / 2**30
    shape = (f"{m.layers} x {m.width}", f"{m.heads}/{m.kv_heads}", m.ffn)
    counts = (
        f"{m.N:,}",
        f"{run.D:,}",
        f"{run.lr:.3g}",
        f"{run.C:.2e}",
        f"{state:.3g}",
        f"{one:.3g}",
    )
    return [str(cell) for cell in (run.corpus, run.size, m.P, run.seed, *shape, *counts)]
