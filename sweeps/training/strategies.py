"""One run on several devices: Lightning's strategies, sharding, and what the ranks put together again.

A snapshot is a file under one device and DDP, a folder of `torch.distributed.checkpoint` under FSDP2. Each
strategy reads both, on any number of ranks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import FSDPModule
from torch.optim import Optimizer

from scaling.data.atomic_files import naming_full_disk
from sweeps.config.execution import Execution
from sweeps.config.run import RunConfig
from sweeps.model.parscale import ParScaleLM
from sweeps.model.stream_initialisation import network_width, reparameterise

OPTIMIZER = "optimizer_0"  # what Lightning calls the optimiser's state in a folder


def strategy_of(execution: Execution) -> str | Strategy:
    """DDP keeps a whole model on every device. FSDP2 a share of weights, gradients and moments."""
    if execution.ranks == 1:
        return "auto"
    if execution.strategy == "fsdp2":
        return Sharded(data_parallel_size=execution.ranks, tensor_parallel_size=1)
    return DDPStrategy(gradient_as_bucket_view=True)


class OneFile(TorchCheckpointIO):
    """The snapshots of one device and DDP: written straight to where they are named, a tensor at a time."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a file."""
        with naming_full_disk(Path(path).parent), Path(path).open("wb") as file:
            torch.save(checkpoint, file)

    def load_checkpoint(self, path: Any, *args: Any, **options: Any) -> dict[str, Any]:
        """Read a file, or put together what FSDP2 wrote to a folder."""
        if not Path(path).is_dir():
            return dict(torch.load(path, map_location="cpu", weights_only=True))
        from lightning.fabric.utilities.load import _load_distributed_checkpoint

        whole = _load_distributed_checkpoint(Path(path))
        state = whole.pop(OPTIMIZER)
        names = list(chain.from_iterable(group["params"] for group in state["param_groups"]))
        return {**whole, "optimizer_states": [_renamed(state, {name: i for i, name in enumerate(names)})]}


class Sharded(ModelParallelStrategy):
    """FSDP2. A snapshot is written by all ranks, each its share. One of another strategy is shared out."""

    @contextmanager
    def block_backward_sync(self) -> Iterator[None]:
        """Within a step each rank adds up its own gradients, whole: they are summed and shared out at its end."""
        assert self.model is not None
        (network,) = (part for part in self.model.children() if isinstance(part, FSDPModule))
        network.set_requires_gradient_sync(False)
        try:
            yield
        finally:
            network.set_requires_gradient_sync(True)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """The rank's share, left on its device: the writer fetches one tensor after another."""
        assert self.model is not None
        return get_model_state_dict(self.model)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The same, by the names of parameters."""
        assert self.model is not None
        return dict(get_optimizer_state_dict(self.model, getattr(optimizer, "optimizer", optimizer)))

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any = None) -> None:
        """Write a folder."""
        with naming_full_disk(Path(filepath).parent):
            try:
                super().save_checkpoint(checkpoint, filepath, storage_options)
            except CheckpointException as error:  # no Exception, and it hides the ranks' own
                raise RuntimeError(f"{filepath} could not be written: {error}") from error

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a folder of any number of ranks, or this rank's share of a file."""
        path = Path(checkpoint_path)
        if path.is_dir():
            return super().load_checkpoint(path, weights_only)
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        (optimizer,), model = self.optimizers, self.model
        assert model is not None
        whole = all(
            parameter.requires_grad for parameter in model.parameters()
        )  # a frozen backbone is in no file
        shares = StateDictOptions(full_state_dict=True, strict=whole)
        set_model_state_dict(model, checkpoint.pop("state_dict"), options=shares)
        names = {parameter: name for name, parameter in model.named_parameters()}
        ids = enumerate(chain.from_iterable(group["params"] for group in optimizer.param_groups))
        (state,) = checkpoint.pop("optimizer_states")
        state = _renamed(state, {i: names[parameter] for i, parameter in ids})
        set_optimizer_state_dict(model, optimizer, state, options=shares)
        return checkpoint


def _renamed(state: dict[str, Any], names: Mapping[Any, Any]) -> dict[str, Any]:
    """An optimiser's state with its parameters called otherwise: torch's are numbers, FSDP2's are names."""
    return {
        "state": {names[old]: part for old, part in state["state"].items()},
        "param_groups": [
            {**group, "params": [names[old] for old in group["params"]]} for group in state["param_groups"]
        ],
    }


def begins_sharded(run: RunConfig, execution: Execution) -> bool:
    """Whether no rank needs to hold the whole model before it is shared out: it is drawn from a seed alone."""
    sharded = execution.ranks > 1 and execution.strategy == "fsdp2"
    return sharded and not run.parent and not run.prefix_mlp


def shard(model: ParScaleLM, mesh: Any, run: RunConfig) -> None:
    """FSDP2: one group of parameters a block, another for embedding, last norm and aggregation.

    In bf16 weights are gathered in bfloat16, kept and their gradients summed in float32. The residual stream
    is float32, as it is under autocast. A model on the meta device gets its shares of what the seed draws.
    """
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

    narrow = torch.bfloat16 if run.precision == "bf16" else None
    policy = MixedPrecisionPolicy(narrow, torch.float32, cast_forward_inputs=False)
    for block in model.model.layers:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    model.model.embed_tokens.register_forward_hook(lambda _, __, embedded: embedded.float())
    if model.head.is_meta:
        model.to_empty(device=mesh.device_type)
        torch.manual_seed(run.seed)
        model.initialise()
    for method in ("loss", "stream_summary"):  # entered without forward(): weights are gathered there too
        register_fsdp_forward_method(model, method)


def is_sharded(model: torch.nn.Module) -> bool:
    """True once `shard` has been applied."""
    return any(hasattr(parameter, "full_tensor") for parameter in model.parameters())


def whole_model(model: ParScaleLM) -> ParScaleLM:
    """The model with all its weights, on the CPU of rank 0. Every rank must call it."""
    if not is_sharded(model):
        return model
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
