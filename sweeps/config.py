"""Configurations: complete, frozen, documented. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass

from scaling.accounting import Shape


@dataclass(frozen=True)
class ModelConfig:
    """Everything that fixes a model's mathematics (shape, ParScale's settings, initialisation)."""

    vocab: int  # rows of the embedding
    width: int  # h, the residual stream
    ffn: int  # f, inner width of the SwiGLU MLP
    layers: int
    heads: int  # query heads
    kv_heads: int  # key and value heads; divides heads
    P: int = 1  # parallel streams; 1 is a plain Qwen2 transformer
    prefix_tokens: int = 48  # learnable prefix positions a stream and layer (unused at P = 1)
    smoothing: float = 0.1  # epsilon: every stream keeps at least epsilon / P of the aggregation
    rope_base: float = 10_000.0
    head_dim: int | None = None  # None: width // heads
    tied_embeddings: bool = True
    norm_eps: float = 1e-6
    qkv_bias: bool = True
    qk_norm: bool = False  # Qwen3: RMSNorm with gain on queries and keys, a head at a time
    init_std: float = 0.02

    @property
    def shape(self) -> Shape:
        """The integers `scaling.accounting` counts with."""
        return Shape(
            width=self.width,
            ffn=self.ffn,
            layers=self.layers,
            heads=self.heads,
            kv_heads=self.kv_heads,
            vocab=self.vocab,
            P=self.P,
            prefix_tokens=self.prefix_tokens,
            head_dim=self.head_dim,
            tied_embeddings=self.tied_embeddings,
            qkv_bias=self.qkv_bias,
        )
