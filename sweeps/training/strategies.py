"""One run on several devices: Lightning's strategies, sharding, and what the ranks put together again."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy

from sweeps.config.execution import Execution
from sweeps.model.parscale import ParScaleLM
from sweeps.model.stream_initialisation import network_width, reparameterise


def strategy_of(execution: Execution) -> str | Strategy:
    """DDP keeps a whole model on every device; FSDP2 a share of weights, gradients and moments."""
    if execution.ranks == 1:
        return "auto"
    if execution.strategy == "fsdp2":
        return ModelParallelStrategy(data_parallel_size=execution.ranks, tensor_parallel_size=1)
    return DDPStrategy(gradient_as_bucket_view=True)


def shard(model: ParScaleLM, mesh: Any) -> None:
    """FSDP2: one group of parameters a block, another for embedding, last norm and aggregation."""
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    for block in model.model.layers:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for method in ("loss", "stream_summary"):  # entered without forward(): weights are gathered there too
        register_fsdp_forward_method(model, method)


def is_sharded(model: torch.nn.Module) -> bool:
    """True once `shard` has been applied."""
    return any(hasattr(parameter, "full_tensor") for parameter in model.parameters())


def whole_model(model: ParScaleLM) -> ParScaleLM:
    """The model with all its weights, on the CPU of rank 0; every rank must call it."""
    if not is_sharded(model):
        return model
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    state = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    with torch.device("meta"):
        whole = ParScaleLM(model.config)
        if width := network_width(model):
            reparameterise(whole, width)
    if state:
        whole.load_state_dict(state, assign=True)
    return whole


def rank() -> int:
    """Number of this process among those of the run."""
    return dist.get_rank() if dist.is_initialized() else 0


def ranks() -> int:
    """Processes of the run."""
    return dist.get_world_size() if dist.is_initialized() else 1


def dealt(parts: list[Any]) -> list[Any]:
    """Lists of every rank, dealt in turn: [0's first, 1's first, ..., 0's second, ...]."""
    if ranks() == 1:
        return parts
    every: list[Any] = [None] * ranks()
    dist.all_gather_object(every, parts)
    return [part for turn in zip(*every, strict=True) for part in turn]
