"""A pre-allocated key and value cache that begins with each stream's prefix.

Shapes: B batch, P streams, R = P*B rows, K prefix tokens, m key and value heads, d head dimension,
C capacity in tokens (prefix not counted).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import psutil
import torch
from torch import Tensor

from sweeps.config.model import ModelConfig


class CacheError(ValueError):
    """A cache that does not fit the call."""


def refuse_too_much(needed: int, what: str) -> None:
    """Name the sizes that do not fit this machine, before the allocator does something worse."""
    free = psutil.virtual_memory().available
    if needed > free:
        raise CacheError(f"{what}: {needed / 2**30:.1f} GiB exceed the {free / 2**30:.1f} GiB of free memory")


class LayerCache:
    """Keys and values of one layer, (R, m, K + C, d) each. The prefix is in the first K places."""

    def __init__(self, size: tuple[int, int, int, int], dtype: torch.dtype, device: torch.device) -> None:
        self.keys = torch.empty(size, dtype=dtype, device=device)
        self.values = torch.empty(size, dtype=dtype, device=device)
        self.used = 0

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Write k and v (R, m, T, d) behind what is there. Returns everything so far."""
        end = self.used + k.shape[2]
        self.keys[:, :, self.used : end] = k
        self.values[:, :, self.used : end] = v
        self.used = end
        return self.keys[:, :, :end], self.values[:, :, :end]


class KVCache:
    """The cache of every layer and loop, which of the cached tokens are padding, and how many real ones there are."""

    @torch.no_grad()
    def __init__(
        self, config: ModelConfig, attentions: Sequence[Any], batch: int, capacity: int, dtype: torch.dtype
    ) -> None:
        """`attentions` are the model's in the order of application, each once a loop: the prefixes are theirs."""
        self.P, self.batch, self.capacity = config.P, batch, capacity
        self.length = 0  # tokens so far, padding included
        K = config.K
        size = (config.P * batch, config.kv_heads, K + capacity, config.head_size)
        device = attentions[0].q_proj.weight.device
        if device.type == "cpu":
            needed = 2 * len(attentions) * math.prod(size) * dtype.itemsize
            tokens = f"({K} prefix + {capacity}) tokens"
            refuse_too_much(needed, f"a cache of {config.P} streams x {batch} sequences x {tokens}")
        self.layers = [LayerCache(size, dtype, device) for _ in attentions]
        if K:
            for layer, attention in zip(self.layers, attentions, strict=True):
                rows = (p.repeat_interleave(batch, dim=0) for p in (attention.prefix_k, attention.prefix_v))
                layer.extend(*rows)
        self.real = torch.ones(batch, capacity, dtype=torch.bool, device=device)
        self.counts = torch.zeros(batch, dtype=torch.long, device=device)  # real tokens so far
        self.padded = False

    @property
    def memory_bytes(self) -> int:
        """What the keys and values occupy."""
        return sum(2 * layer.keys.numel() * layer.keys.element_size() for layer in self.layers)

    def repeated(self, times: int) -> KVCache:
        """A copy in which each sequence is `times` times, its copies one behind the other: a prompt read once."""
        new = copy.copy(self)
        new.batch = self.batch * times
        new.layers = [copy.copy(layer) for layer in self.layers]
        for layer in new.layers:  # rows are stream * B + item: copies of an item stay within its stream
            layer.keys, layer.values = (x.repeat_interleave(times, dim=0) for x in (layer.keys, layer.values))
        new.real, new.counts = (x.repeat_interleave(times, dim=0) for x in (self.real, self.counts))
        return new

    def append(
        self, P: int, real: Tensor | None, batch: int, tokens: int
    ) -> tuple[Tensor | None, int, Tensor]:
        """Make room for `tokens` new ones of which `real` (B, T) are not padding (None: all of them).

        Returns what the attention needs: which of all tokens are real, (B, S+T) or None for all. S,
        the number there before, and the new tokens' positions, (1 or B, T).
        """
        if self.P != P:
            raise CacheError(f"this cache was made for P = {self.P}, the model runs P = {P}: make a new one")
        if self.batch != batch:
            raise CacheError(f"this cache holds {self.batch} sequences, the call has {batch}")
        before, end = self.length, self.length + tokens
        if end > self.capacity:
            raise CacheError(f"no room in a cache of {self.capacity} tokens: {before} in it, {tokens} new")
        self.length = end
        if real is not None and not bool(real.all()):
            self.padded = True
            self.real[:, before:end] = real
        if not self.padded:
            self.counts += tokens
            return None, before, torch.arange(before, end, device=self.real.device)[None]
        kept = self.real[:, before:end]
        positions = (self.counts[:, None] + kept.cumsum(dim=1) - 1).clamp_min(0)
        self.counts += kept.sum(dim=1)
        return self.real[:, :end], before, positions
