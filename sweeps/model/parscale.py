"""The ParScale transformer (arXiv 2505.10475): a Qwen2 or Qwen3 backbone run as P parallel streams.

Each stream has its own learnable prefix keys and values in every layer. A small network weighs the
streams' last hidden states, token by token, and one LM head reads the weighted sum. At P = 1 there is
neither prefix nor aggregation: a plain Qwen2. Layers may be looped, r times with the same parameters.
Parameter names are those of the released checkpoints,
so that `state_dict()` is a checkpoint.

Shapes: B batch, T tokens, P streams, R rows (B before the streams part in the first layer, then P*B,
row = stream * B + item), S tokens cached before these T, K prefix tokens, h width, n query heads,
m key and value heads, d head dimension, V vocab.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sweeps.config.model import ModelConfig
from sweeps.model.blocks import (
    Attention,
    Decoder,
    Linear,
    check_ids,
    is_extra,
)
from sweeps.model.chunked_loss import IGNORE, linear_cross_entropy
from sweeps.model.kv_cache import KVCache, refuse_too_much
from sweeps.model.width_transfer import width_scale


@dataclass(frozen=True)
class StreamSummary:
    """What the aggregation makes of the streams, averaged over the tokens of a batch."""

    weights: Tensor  # (P,) mean aggregation weights, smoothing included
    similarity: Tensor  # (P, P) mean cosine similarity of the streams' last hidden states


class ParScaleLM(nn.Module):
    """Language model with P streams, freshly initialised (normal, biases 0, gains 1).

    Initial weights follow torch's global seed. The backbone's are bit-identical for every P and on
    every device, and the global generator is left in the same state whatever P is.
    Set `gradient_checkpointing` to n to keep only the input of every nth block for the backward pass.

    Args:
        config: the shape.

    Source: arXiv 2505.10475. P = 1 is a plain Qwen2 transformer.

    Examples:
        >>> import torch
        >>> from sweeps.config import ModelConfig
        >>> from sweeps.model import ParScaleLM
        >>> shape = dict(vocab=64, width=16, ffn=32, layers=1, heads=2, kv_heads=1)
        >>> model = ParScaleLM(ModelConfig(**shape, P=4, prefix_tokens=4))
        >>> tokens = torch.zeros(3, 10, dtype=torch.long)  # (B, T)
        >>> model(tokens).shape, model.streams(tokens).shape  # (B, T, V), (P, B, T, h)
        (torch.Size([3, 10, 64]), torch.Size([4, 3, 10, 16]))
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.gradient_checkpointing = 0
        self.head_loss: Callable[[Tensor, Tensor, Tensor, str], Tensor] = linear_cross_entropy  # or compiled
        if torch.get_default_device().type == "cpu":
            needed = config.N + config.shape.embedding_parameters
            shape = (
                f"P = {config.P}, {config.K} prefix tokens, {config.layers} layers of width {config.width}"
            )
            refuse_too_much(needed * torch.get_default_dtype().itemsize, f"a model of {shape}")
        self.model = Decoder(config)
        if not config.tied_embeddings:
            self.lm_head = Linear(config.width, config.vocab, bias=False)
        counted = sum(p.numel() for p in self.parameters())
        expected = config.N + config.shape.embedding_parameters
        if counted != expected:
            raise AssertionError(f"{counted} parameters built, {expected} counted from the shape")
        if not self.model.embed_tokens.weight.is_meta:
            self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Draw every weight: the backbone from one generator, what ParScale adds from another."""
        seed = int(torch.randint(2**62, (), device="cpu"))  # whatever device the model is built on
        backbone, extras = (torch.Generator("cpu").manual_seed(seed + i) for i in range(2))
        for name, parameter in self.named_parameters():
            if "norm" in name:
                parameter.fill_(width_scale(name, parameter.dim(), self.config).std)
            elif name.endswith("bias"):
                parameter.zero_()
            else:
                generator = extras if is_extra(name) else backbone
                std = self._std_of(name) * width_scale(name, parameter.dim(), self.config).std
                drawn = torch.empty(parameter.shape, device="cpu").normal_(0, std, generator=generator)
                parameter.copy_(_shared_as(parameter, drawn))

    def _std_of(self, name: str) -> float:
        """Standard deviation a weight is drawn with: what ParScale adds may have one of its own."""
        own = self.config.prefix_std if "prefix_" in name else None
        own = self.config.aggregation_std if "aggregate_layer" in name else own
        return self.config.init_std if own is None else own

    @property
    def attentions(self) -> list[Attention]:
        """The attention of every layer."""
        return [part for part in self.modules() if isinstance(part, Attention)]

    @property
    def head(self) -> Tensor:
        """The LM head, (V, h)."""
        return self.model.embed_tokens.weight if self.config.tied_embeddings else self.lm_head.weight

    def new_cache(self, batch: int, capacity: int) -> KVCache:
        """Memory for the keys and values of `batch` sequences of at most `capacity` tokens."""
        layers = self.attentions
        applied = [layers[index] for index in self.model.order]
        return KVCache(self.config, applied, batch, capacity, self.head.dtype)

    def set_loops(self, loops: int, loop_layers: int | None = None) -> ParScaleLM:
        """Apply the looped layers `loops` times from now on, trained for it or not. Returns this model.

        `loop_layers` names other layers than before. A cache made before does not fit any more.
        """
        layers = self.config.loop_layers if loop_layers is None else loop_layers
        self.config = replace(self.config, loops=loops, loop_layers=layers)
        self.model.loops, self.model.looped = loops, self.config.looped
        return self

    def streams(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, cache: KVCache | None = None
    ) -> Tensor:
        """Last hidden states of the streams after the final norm, (P, B, T, h)."""
        check_ids(input_ids, self.config.vocab)
        B, T = input_ids.shape
        real, S = None if attention_mask is None else attention_mask.bool(), 0
        if cache is not None:
            real, S, positions = cache.append(self.config.P, real, B, T)
        elif real is not None:
            positions = (real.cumsum(dim=1) - 1).clamp_min(0)
        else:
            positions = torch.arange(T, device=input_ids.device)[None]
        caches = None if cache is None else cache.layers
        x: Tensor = self.model.embed_tokens(input_ids)
        streams: Tensor = self.model(x, positions, real, S, caches, self.gradient_checkpointing)
        return streams

    def aggregate(self, streams: Tensor) -> tuple[Tensor, Tensor]:
        """Weigh the streams token by token: (P, B, T, h) -> their sum (B, T, h), weights (B, T, P)."""
        return self.model.aggregate(streams)

    def hidden(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, cache: KVCache | None = None
    ) -> Tensor:
        """What the LM head reads, (B, T, h)."""
        return self.aggregate(self.streams(input_ids, attention_mask, cache))[0]

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, cache: KVCache | None = None
    ) -> Tensor:
        """Logits (B, T, V) of input_ids (B, T). `attention_mask` (B, T) is 0 at padding.

        With a cache the tokens continue what is in it, and the mask is that of the new tokens alone.
        """
        return F.linear(self.hidden(input_ids, attention_mask, cache), self.head)

    def loss(
        self,
        input_ids: Tensor,
        targets: Tensor,
        reduction: str = "mean",
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        """Cross entropy, nats per token, of predicting `targets` (B, T): already shifted, -100 ignored.

        In training a mixture of experts adds the gradient, not the value, of its load-balance loss.
        """
        if attention_mask is not None:
            targets = targets.masked_fill(attention_mask == 0, IGNORE)
        hidden = self.hidden(input_ids, attention_mask)
        loss = self.head_loss(hidden, self.head, targets, reduction)
        if self.config.experts and self.training and reduction == "mean":
            balance = self.config.balance_weight * self.balance()
            loss = loss + (balance - balance.detach())
        return loss

    def balance(self) -> Tensor:
        """Load-balance loss of the last call, averaged over the layers and loops: 1 is even."""
        return torch.stack(self.model.balances).mean()

    @torch.no_grad()
    def stream_summary(self, input_ids: Tensor) -> StreamSummary:
        """Mean aggregation weights and pairwise similarity of the streams on one batch."""
        streams = self.streams(input_ids)
        weights = self.aggregate(streams)[1].flatten(0, 1).mean(dim=0)
        unit = F.normalize(streams.flatten(1, 2).float(), dim=-1)  # (P, tokens, h)
        return StreamSummary(weights, torch.einsum("pth,qth->pq", unit, unit) / unit.shape[1])


def _shared_as(parameter: Tensor, drawn: Tensor) -> Tensor:
    """Give of a whole tensor the rank's share, where the parameter is a share."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(parameter, DTensor):
        return drawn
    return distribute_tensor(drawn, parameter.device_mesh, parameter.placements, src_data_rank=None)
