"""The configuration of a model: complete, frozen, documented. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

from scaling.accounting import Shape, forward_flops_per_token
from sweeps.config.validation import check_types

# What streams grown onto a backbone bring with them.
ADDED = ("P", "prefix_tokens", "smoothing", "prefix_std", "aggregation_std")


@dataclass(frozen=True)
class ModelConfig:
    """Everything that fixes a model's mathematics: shape, ParScale's settings, initialisation.

    Examples:
        >>> from sweeps.config import ModelConfig
        >>> shape = dict(vocab=1024, width=64, ffn=128, layers=2, heads=4, kv_heads=2)
        >>> ModelConfig(**shape).N, ModelConfig(**shape, P=4).N  # non-embedding parameters, ParScale's own included
        (74304, 115588)
    """

    vocab: int  # rows of the embedding
    width: int  # h, the residual stream
    ffn: int  # f, inner width of the SwiGLU MLP
    layers: int  # decoder blocks
    heads: int  # query heads
    kv_heads: int  # key and value heads. Divides heads
    P: int = 1  # parallel streams. 1 is a plain Qwen2 transformer
    prefix_tokens: int = 48  # learnable prefix positions a stream and layer (unused at P = 1)
    smoothing: float = 0.1  # epsilon: every stream keeps at least epsilon / P of the aggregation
    rope_base: float = 10_000.0  # base of the rotary positions' wavelengths
    head_dim: int | None = None  # None: width // heads
    tied_embeddings: bool = True  # the LM head is the embedding
    norm_eps: float = 1e-6  # of every RMSNorm
    qkv_bias: bool = True  # Qwen2: biases of queries, keys and values
    qk_norm: bool = False  # Qwen3: RMSNorm with gain on queries and keys, a head at a time
    init_std: float = 0.02  # standard deviation of initial weights
    prefix_std: float | None = None  # of prefixes, so how far apart the streams begin. None: init_std
    aggregation_std: float | None = None  # of the aggregation's matrices. None: init_std
    prefix_at_one: bool = False  # P = 1 has a prefix too: the control that tells prefixes from streams
    context: int | None = None  # longest sequence the model is meant for. None: no limit
    experts: int = 0  # 0: dense MLP. Else that many SwiGLU experts of inner width ffn in every layer
    experts_per_token: int = 2  # experts a token is sent to (unused when dense)
    balance_weight: float = 0.01  # weight of the load-balance loss in the gradient (unused when dense)
    loops: int = 1  # r: how often the looped layers are applied. Their parameters count once
    loop_layers: int | None = None  # how many are looped, from the second on. None: all but first and last

    mup_base: int = (
        0  # width whose initialisation and learning rates are scaled to this one's (muP). 0: none are
    )

    def __post_init__(self) -> None:
        _check(self)

    @cached_property
    def N(self) -> int:
        """Non-embedding parameters, ParScale's own, query-key norms and every expert included."""
        qk = 2 * self.head_size * self.layers if self.qk_norm else 0
        mlp = 3 * self.width * self.ffn
        moe = self.layers * (mlp * (self.experts - 1) + self.width * self.experts) if self.experts else 0
        alone = 2 * self.K * self.kv_heads * self.head_size * self.layers if self.P == 1 else 0
        return self.shape.N + qk + moe + alone

    @property
    def head_size(self) -> int:
        """Size d of a head."""
        return self.shape.head_size

    @property
    def K(self) -> int:
        """Prefix tokens before each stream: none at P = 1 unless that is asked for."""
        return self.prefix_tokens if self.P > 1 or self.prefix_at_one else 0

    @property
    def looped(self) -> int:
        """Layers that are applied `loops` times: the second to the last but one, or the last of two.

        The first is not among them: the streams part there.
        """
        return min(max(1, self.layers - 2), self.layers - 1) if self.loop_layers is None else self.loop_layers

    @property
    def depth(self) -> int:
        """Layers that a token passes, each loop counted."""
        return self.layers + (self.loops - 1) * self.looped

    @property
    def N_recurrent(self) -> int:
        """The part of N that lies in the looped layers, whatever the number of loops."""
        one_less = replace(self, layers=self.layers + 1, loop_layers=None)
        return self.looped * (one_less.N - self.N)

    @property
    def active_N(self) -> int:
        """The part of N that one token uses: all of it when dense, the chosen experts of a mixture."""
        idle = self.experts - self.experts_per_token if self.experts else 0
        return self.N - self.layers * idle * 3 * self.width * self.ffn

    def forward_flops(self, seq_len: int) -> float:
        """FLOPs of one token's forward pass: the chosen experts and the router, a prefix at P = 1, every loop."""
        ffn = self.ffn * (self.experts_per_token if self.experts else 1)
        chosen = replace(self.shape, ffn=ffn, layers=self.depth)
        keys = 4.0 * self.depth * self.heads * self.head_size * (self.K if self.P == 1 else 0)
        router = 2.0 * self.P * self.depth * self.width * self.experts
        return forward_flops_per_token(chosen, seq_len) + keys + router

    @cached_property
    def shape(self) -> Shape:
        """The integers `scaling.accounting` counts with. Of a mixture, one expert's."""
        return Shape(**{field.name: getattr(self, field.name) for field in fields(Shape)})


def _check(config: ModelConfig) -> None:
    """Raise if a model of these numbers cannot be built."""
    check_types(config)
    for name in ("vocab", "width", "ffn", "layers", "heads", "kv_heads", "P", "loops"):
        if getattr(config, name) < 1:
            raise ValueError(f"{name} must be at least 1, got {getattr(config, name)}")
    if (config.P > 1 or config.prefix_at_one) and config.prefix_tokens < 1:
        raise ValueError(f"P = {config.P} streams need prefix_tokens >= 1, got {config.prefix_tokens}")
    if config.heads % config.kv_heads:
        raise ValueError(f"kv_heads = {config.kv_heads} does not divide heads = {config.heads}")
    if config.head_dim is None and config.width % config.heads:
        raise ValueError(f"heads = {config.heads} does not divide width = {config.width}: set head_dim")
    if config.head_size % 2:
        raise ValueError(f"head_dim must be even for rotary positions, got {config.head_size}")
    if not 0 <= config.smoothing <= 1:
        raise ValueError(f"smoothing must lie in [0, 1], got {config.smoothing}")
    if config.mup_base < 0:
        raise ValueError(f"mup_base must be a width, or 0, got {config.mup_base}")
    if config.loops > 1 and config.layers < 2:
        raise ValueError(f"loops = {config.loops} of 1 layer: only layers after the first are looped")
    if config.loop_layers is not None and not 1 <= config.loop_layers < config.layers:
        raise ValueError(f"loop_layers must lie in 1..{config.layers - 1}, got {config.loop_layers}")
    if config.experts == 1:
        raise ValueError("experts = 1 leaves the router no choice: give 0 for a dense MLP, or 2 and more")
    if config.experts and not 1 <= config.experts_per_token <= config.experts:
        raise ValueError(f"experts_per_token must lie in 1..{config.experts}, got {config.experts_per_token}")
