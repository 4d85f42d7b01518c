"""Counting: parameters, FLOPs and bytes of a ParScale transformer from its shape alone.

Legend: h width, f ffn, V vocab, T sequence length, P streams, N non-embedding parameters
(ParScale's own included), D tokens, C training FLOPs.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_LOGITS = 1 << 26  # alive at a time on a GPU (sweeps/model/chunked_loss.py)


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


@dataclass(frozen=True)
class StepMemory:
    """Bytes on each device: what a training step takes whatever its batch, and what each sequence adds."""

    fixed: float
    sequence: float

    def of(self, sequences: int) -> float:
        """Bytes of a step with so many sequences a micro-batch."""
        return self.fixed + sequences * self.sequence


def training_memory(
    shape: Shape,
    seq_len: int,
    batch: int,
    *,
    activation_bytes: int = 2,
    recompute_every: int = 0,
    shards: int = 1,
    micro_batches: int = 1,
    muon: bool = False,
    parameters: int | None = None,
    depth: int | None = None,
) -> StepMemory:
    """Planned memory of a training step early in its backward pass, counted from what the model keeps.

    Fixed: weights, gradients and two Adam moments in float32 (16 bytes a parameter, one moment less under Muon,
    divided over `shards`, each of which gathers two blocks and the embedding, and adds up whole gradients over
    several micro-batches), bfloat16 copies of the matrices that a product used (shards gather those), the logits
    alive at a time and the head's gradient. A token of a stream keeps, a layer and loop, the two inputs of the residual
    stream in float32, and in the precision of the products 2 h + 2 q + 2 kv + 3 f values (queries and output
    q, keys and values kv); a recomputed block its input alone in that precision, and one such block the rest.
    The layer that goes back has the gradients of the residual stream and of the MLP's two inner products.

    Args:
        shape: of a mixture the ffn of all experts that a token uses.
        seq_len: tokens a sequence.
        batch: sequences a step on this device.
        activation_bytes: 4 in float32, 2 in bfloat16 over float32 weights.
        recompute_every: gradient checkpointing of every nth block; 0: of none.
        shards: devices that share weights, gradients and moments out.
        micro_batches: that a step's gradients are added up over.
        muon: whether matrices are Muon's.
        parameters: of the whole model; None: of `shape`.
        depth: layers that a token passes, loops counted; None: those of `shape`.

    """
    h, wide, depth = shape.width, activation_bytes, depth or shape.layers
    total = shape.parameters if parameters is None else parameters
    matrices = shape.matrix_parameters + total - shape.parameters
    again = -(-depth // recompute_every) if recompute_every else 0  # blocks computed again
    layer, going_back = _kept_by_layer(shape, wide)
    kept = (depth - again) * layer + again * wide * h + (layer if again else 0.0)
    token = shape.P * (kept + going_back + (4.0 + wide) * h)
    logits = min(MOST_LOGITS, batch * seq_len * shape.vocab) * (4.0 + wide) + 4.0 * h * shape.vocab
    fixed = 16.0 * total / shards - (4.0 * matrices / shards if muon else 0.0) + logits
    block = matrices / shape.layers
    if shards > 1:
        fixed += wide * (2 * block + shape.embedding_parameters) + (4.0 * total if micro_batches > 1 else 0.0)
    elif wide < 4:
        fixed += wide * (matrices * (depth - again) / depth + (block if again else 0.0))
    return StepMemory(fixed, seq_len * token)


def _kept_by_layer(shape: Shape, wide: int) -> tuple[float, float]:
    """Bytes that a layer keeps of a token for its backward pass, and that this pass adds."""
    query, key, h, f = shape.heads * shape.head_size, shape.kv_heads * shape.head_size, shape.width, shape.ffn
    return 8.0 * h + wide * (2 * h + 2 * query + 2 * key + 3 * f), 4.0 * h + wide * 2 * f
