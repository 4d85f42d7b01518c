"""What a run's training step takes of a device's memory, and in how many micro-batches it fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scaling.accounting import StepMemory, training_memory
from sweeps.config.execution import Execution
from sweeps.config.run import RunConfig

BYTES = {"float32": 4, "bf16": 2}  # of an activation between matrices. The residual stream is float32
SPARE = 0.1  # of a device, for its context, libraries' buffers and fragments
UNITS = {"GB": 10**9, "GIB": 2**30, "MB": 10**6, "MIB": 2**20, "TB": 10**12, "TIB": 2**40}


def step_memory(run: RunConfig, execution: Execution) -> StepMemory:
    """What a step of this run takes on each of its devices, carried out so."""
    m = run.model
    active = m.ffn * (m.experts_per_token if m.experts else 1)
    shape = replace(m.shape, ffn=active)
    return training_memory(
        shape,
        run.seq_len,
        run.batch,
        activation_bytes=BYTES[run.precision],
        recompute_every=int(execution.gradient_checkpointing),
        shards=execution.ranks if execution.strategy == "fsdp2" else 1,
        micro_batches=run.accumulate,
        muon=run.optimizer == "muon",
        parameters=m.N + shape.embedding_parameters,
        depth=m.depth,
    )


def fitted(run: RunConfig, execution: Execution, memory: float) -> RunConfig | None:
    """The run in the fewest micro-batches a step that fit `memory` bytes a device. None if none do.

    A run that asks for more micro-batches keeps them.
    """
    own = run.batch // execution.ranks
    for accumulate in range(run.accumulate, own + 1):
        if run.batch % (execution.ranks * accumulate) == 0:
            found = replace(run, accumulate=accumulate)
            if step_memory(found, execution).of(own // accumulate) <= memory * (1 - SPARE):
                return found
    return None


def all_fitted(runs: Sequence[RunConfig], execution: Execution, memory: float) -> list[RunConfig]:
    """Every run `fitted`. ValueError that names the first that no accumulation fits."""
    found = []
    for run in runs:
        if (one := fitted(run, execution, memory)) is None:
            least = step_memory(run, execution).of(1) / (1 - SPARE) / 2**30
            raise ValueError(
                f"{run.size} P={run.model.P} wants {least:.3g} GiB a device even with one sequence a "
                "micro-batch: more --devices, --strategy fsdp2, --gradient-checkpointing or a larger --memory"
            )
        found.append(one)
    return found


def memory_bytes(text: str) -> float:
    """80e9 from 80GB, 80 * 2^30 from 80GiB. ValueError for what is no size."""
    upper = text.strip().upper()
    unit = next((name for name in sorted(UNITS, key=len, reverse=True) if upper.endswith(name)), "")
    return float(upper.removesuffix(unit)) * UNITS[unit] if unit else float("nan")
