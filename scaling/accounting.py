"""Counting: parameters, FLOPs and bytes of a ParScale transformer from its shape alone.

Legend: h width, f ffn, V vocab, T sequence length, P streams, N non-embedding parameters
(ParScale's own included), D tokens, C training FLOPs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """The integers that fix a ParScale transformer (arXiv 2505.10475; Qwen2 dense backbone).

    `head_dim` defaults to width // heads. `prefix_tokens` counts the learnable tokens before each
    stream; at P = 1 there are none and nothing is aggregated.
    """

    width: int
    ffn: int
    layers: int
    heads: int
    kv_heads: int
    vocab: int
    P: int = 1
    prefix_tokens: int = 48
    head_dim: int | None = None
    tied_embeddings: bool = True
    qkv_bias: bool = True

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.head_dim or self.width // self.heads

    @property
    def matrix_parameters(self) -> int:
        """Parameters of the backbone's matrices, the ones a matmul touches once per token and stream."""
        h, d = self.width, self.head_size
        attention = 2 * h * self.heads * d + 2 * h * self.kv_heads * d
        return self.layers * (attention + 3 * h * self.ffn)

    @property
    def parscale_parameters(self) -> int:
        """What P > 1 adds: prefixes P·2·n·n_kv·d·layers and aggregation P·h² + h + h·P + P."""
        if self.P == 1:
            return 0
        h, P = self.width, self.P
        prefixes = P * 2 * self.prefix_tokens * self.kv_heads * self.head_size * self.layers
        return prefixes + P * h * h + h + h * P + P

    @property
    def N(self) -> int:
        """Non-embedding parameters, ParScale's own included."""
        bias = (self.heads + 2 * self.kv_heads) * self.head_size if self.qkv_bias else 0
        small = self.layers * (bias + 2 * self.width) + self.width
        return self.matrix_parameters + small + self.parscale_parameters

    @property
    def embedding_parameters(self) -> int:
        """Embedding, and the output matrix unless it is tied to it."""
        return self.vocab * self.width * (1 if self.tied_embeddings else 2)

    @property
    def parameters(self) -> int:
        """Every parameter of the model."""
        return self.N + self.embedding_parameters


def forward_flops_per_token(shape: Shape, seq_len: int) -> float:
    """FLOPs of one token's forward pass: P streams through the layers, one aggregation, one LM head.

    A multiply-add counts two. Attention counts the keys a token sees on average: half the causal
    window plus the prefix.
    """
    keys = (seq_len + 1) / 2 + (shape.prefix_tokens if shape.P > 1 else 0)
    attention = 4.0 * shape.layers * shape.heads * shape.head_size * keys
    streams = shape.P * (2.0 * shape.matrix_parameters + attention)
    aggregation = 2.0 * (shape.P * shape.width**2 + shape.width * shape.P) if shape.P > 1 else 0.0
    return streams + aggregation + 2.0 * shape.width * shape.vocab


def training_flops(shape: Shape, D: float, seq_len: int) -> float:
    """C: forward and backward (twice the forward) over D tokens, ParScale's streams counted.

    Float64 throughout: 6·N·D overflows a 64-bit integer on published runs.
    """
    return 3.0 * forward_flops_per_token(shape, seq_len) * float(D)


def training_memory_bytes(
    shape: Shape,
    batch: int,
    seq_len: int,
    activation_bytes: int = 2,
    checkpointing: bool = False,
    shards: int = 1,
) -> float:
    """Planned peak memory of one training step on one device, in bytes.

    Weights, gradients and two Adam moments in float32 (16 bytes a parameter, divided over `shards`
    devices), the activations each stream keeps for the backward pass (per layer about 10 h + 3 f
    values a token; only the layer's input with gradient checkpointing), and the loss's logits.
    """
    state = 16.0 * shape.parameters / shards
    kept = shape.width if checkpointing else 10 * shape.width + 3 * shape.ffn
    one_layer = 10 * shape.width + 3 * shape.ffn if checkpointing else 0
    rows = float(batch) * seq_len
    activations = rows * shape.P * (shape.layers * kept + one_layer) * activation_bytes
    return state + activations + rows * shape.vocab * 4.0
