"""What a run's training step takes of a device's memory, and in how many micro-batches it fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sweeps.config.execution import Execution
from sweeps.config.run import RunConfig

BYTES = {"float32": 4, "bf16": 2}  # of an activation between matrices; the residual stream is float32
MOST_LOGITS = 1 << 26  # alive at a time on a GPU (sweeps.model.chunked_loss)
SPARE = 0.1  # of a device, for its context, libraries' buffers and fragments
UNITS = {"GB": 10**9, "GIB": 2**30, "MB": 10**6, "MIB": 2**20, "TB": 10**12, "TIB": 2**40}


@dataclass(frozen=True)
class StepMemory:
    """Bytes on each device: what a step takes whatever its batch, and what each sequence adds."""

    fixed: float
    sequence: float

    def of(self, sequences: int) -> float:
        """Bytes of a step with so many sequences a micro-batch."""
        return self.fixed + sequences * self.sequence


def step_memory(run: RunConfig, execution: Execution) -> StepMemory:
    """Bytes that a step holds early in its backward pass, counted from what the model keeps.

    Fixed: weights, gradients and two Adam moments in float32 (16 bytes a parameter, shared out under fsdp2,
    which gathers two blocks and the embedding), bfloat16 copies of the matrices that a product used, the
    logits alive at a time and the head's gradient. A token of a stream keeps, a layer and loop, the two inputs of the
    residual stream in float32, and in the precision of the products 2 h + 2 q + 2 kv + 3 f values (queries
    and output q, keys and values kv); with gradient checkpointing one input, and one layer the rest. The layer
    that goes back has the gradients of the residual stream and of the MLP's two inner products.
    Experts keep what the tokens sent to them do. Muon has one moment.
    """
    m, s, shards = run.model, run.model.shape, execution.ranks if execution.strategy == "fsdp2" else 1
    wide = BYTES[run.precision]
    parameters = m.N + s.embedding_parameters
    matrices = s.matrix_parameters + m.N - s.N
    block = matrices / m.layers
    ffn = m.ffn * (m.experts_per_token if m.experts else 1)
    values = 2 * m.width + 2 * m.heads * m.head_size + 2 * m.kv_heads * m.head_size + 3 * ffn
    layer = 8.0 * m.width + wide * values
    kept = m.depth * 4.0 * m.width + layer if execution.gradient_checkpointing else m.depth * layer
    going_back = 4.0 * m.width + wide * 2 * ffn
    token = m.P * (kept + going_back + (4.0 + wide) * m.width)
    copied = block if execution.gradient_checkpointing else matrices
    gathered = 4.0 * (2 * block + s.embedding_parameters) if shards > 1 else 0.0
    copies = 2.0 * copied if run.precision == "bf16" else 0.0
    logits = min(MOST_LOGITS, run.batch * run.seq_len * m.vocab) * (4.0 + wide) + 4.0 * m.width * m.vocab
    moments = 4.0 * matrices / shards if run.optimizer == "muon" else 0.0
    fixed = 16.0 * parameters / shards - moments + gathered + copies + logits
    return StepMemory(fixed, run.seq_len * token)


def fitted(run: RunConfig, execution: Execution, memory: float) -> RunConfig | None:
    """The run in the fewest micro-batches a step that fit `memory` bytes a device; None if none do.

    A run that asks for more micro-batches keeps them.
    """
    plan, own = step_memory(run, execution), run.batch // execution.ranks
    for accumulate in range(run.accumulate, own + 1):
        fits = plan.of(own // accumulate) <= memory * (1 - SPARE)
        if fits and run.batch % (execution.ranks * accumulate) == 0:
            return replace(run, accumulate=accumulate)
    return None


def all_fitted(runs: Sequence[RunConfig], execution: Execution, memory: float) -> list[RunConfig]:
    """Every run `fitted`; ValueError that names the first that no accumulation fits."""
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
    """80e9 from 80GB, 80 * 2^30 from 80GiB; ValueError for what is no size."""
    upper = text.strip().upper()
    unit = next((name for name in sorted(UNITS, key=len, reverse=True) if upper.endswith(name)), "")
    return float(upper.removesuffix(unit)) * UNITS[unit] if unit else float("nan")
