"""What training costs: FLOPs, memory with and without gradient checkpointing, hours on a device.

`scaling.accounting` does the counting. This adds the recomputed forward pass and the hardware.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from analysis.costs.hardware import A100, Hardware, checked_hardware
from scaling.accounting import Shape, training_flops, training_memory


@dataclass(frozen=True)
class TrainingCost:
    """Training on one device: FLOPs done, planned peak memory, seconds at the reached rate."""

    P: int
    N: int
    D: float
    checkpointing: bool
    flops: float
    memory_bytes: float
    seconds: float


def training_cost(
    shape: Shape,
    *,
    D: float,
    batch: int,
    seq_len: int = 2048,
    checkpointing: bool = False,
    devices: int = 1,
    hardware: Hardware = A100,
    dtype: str = "bf16",
) -> TrainingCost:
    """Cost of D tokens, with `batch` sequences on each of `devices`, which share the optimiser's state.

    With checkpointing every layer runs forward twice: a third more FLOPs (forward : backward = 1 : 2).
    """
    for name, value in (("D", D), ("batch", batch), ("seq_len", seq_len), ("devices", devices)):
        if not value >= 1:
            raise ValueError(f"{name} is {value!r}. Give a number of at least 1")
    flops = training_flops(shape, D, seq_len) * (4 / 3 if checkpointing else 1)
    memory = training_memory(
        shape,
        seq_len,
        batch,
        activation_bytes=4 if dtype == "float32" else 2,
        recompute_every=int(checkpointing),
        shards=devices,
    ).of(batch)
    seconds = flops / (checked_hardware(hardware).reached_flops(dtype) * devices)
    return TrainingCost(shape.P, shape.N, float(D), checkpointing, flops, memory, seconds)


def training_costs(shape: Shape, *, D: float, batch: int, devices: int = 1) -> list[TrainingCost]:
    """`training_cost` of the shape at P = 1, 2, 4 and 8 on A100s, each without and with checkpointing.

    D, batch, devices: as `training_cost` takes them.
    """
    return [
        training_cost(replace(shape, P=P), D=D, batch=batch, checkpointing=recomputed, devices=devices)
        for P in (1, 2, 4, 8)
        for recomputed in (False, True)
    ]
