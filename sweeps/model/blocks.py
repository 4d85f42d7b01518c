"""The blocks of the ParScale transformer: linear maps, norms, rotary positions, masks, attention, MLPs.

Parameter names are those of the released checkpoints. In the first layer the streams part: R rows become
P*B, row = stream * B + item. Shapes: R rows, T tokens, S tokens cached before them, K prefix tokens,
P streams, h width, f inner width, n heads, d head dimension, E experts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from sweeps.config.model import ModelConfig
from sweeps.model.attention import attend
from sweeps.model.chunked_loss import compute_dtype
from sweeps.model.kv_cache import LayerCache

Rope = tuple[Tensor, Tensor]  # cosines and sines of the rotary positions


def is_extra(name: str) -> bool:
    """Whether a parameter of this name is one that P > 1 adds to the backbone."""
    return "prefix_" in name or "aggregate_layer" in name


class Linear(nn.Linear):
    """nn.Linear that draws nothing at construction: initialisation is the model's."""

    def reset_parameters(self) -> None:
        """Leave the memory as it is."""


class Embedding(nn.Embedding):
    """nn.Embedding that draws nothing at construction."""

    def reset_parameters(self) -> None:
        """Leave the memory as it is."""


class _LeanNorm(torch.autograd.Function):
    """RMS norm that keeps its input and one number a row for the backward pass, and no float32 copy.

    With n = x r, r = 1/rms(x), y = gain n: dx = r (g - n mean(g n)) for g = gain dy, dgain = sum dy n.
    The compiler finds this by itself. Eager autograd does not.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
        """(..., h), (h,) -> (..., h) of type `dtype`."""
        wide = x.float()
        r = torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + eps)
        ctx.save_for_backward(x, gain, r)
        return (wide * r).mul_(gain).to(dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Give dx in the type of x and dgain in float32."""
        x, gain, r = ctx.saved_tensors
        n, dy = x.float() * r, grads[0].float()
        d_gain = (product := dy * n).flatten(0, -2).sum(dim=0)
        g = dy * gain
        mean = torch.mul(g, n, out=product).mean(dim=-1, keepdim=True)
        dx = g.sub_(n.mul_(mean)).mul_(r)  # g - n mean, times r
        return dx.to(x.dtype), d_gain, None, None


class _LeanSwiGLU(torch.autograd.Function):
    """silu(gate) * up that keeps its two inputs and makes silu(gate) again in the backward pass."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        """(..., f), (..., f) -> (..., f)."""
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        """By d silu(z)/dz = s (1 + z (1 - s)), s the sigmoid. In place, which spares five blocks of memory."""
        gate, up = ctx.saved_tensors
        s = torch.sigmoid(gate)
        d_silu = (1 - s).mul_(gate).add_(1).mul_(s)
        return (grads[0] * up).mul_(d_silu), s.mul_(gate).mul_(grads[0])


class RMSNorm(nn.Module):
    """Root-mean-square norm with gain, computed in float32, returned in the type of the matmuls."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., h) -> (..., h)."""
        gain, dtype = self.weight.float(), compute_dtype(x)
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            lean: Tensor = _LeanNorm.apply(x, gain, self.eps, dtype)  # type: ignore[no-untyped-call]
            return lean
        return F.rms_norm(x.float(), x.shape[-1:], gain, self.eps).to(dtype)


def rotary(positions: Tensor, head_dim: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the rotary angles: positions (R, T) -> two of (R, T, 1, d/2), float32."""
    exponent = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float32) / head_dim
    angle = positions[:, :, None, None].float() * base**-exponent
    return angle.cos(), angle.sin()


def rotate(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Turn the pairs (i, i + d/2) of x (R, T, n, d) by the angles of `rope`."""
    cos, sin = rope[0].to(x.dtype), rope[1].to(x.dtype)
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        lean: Tensor = _LeanRotation.apply(x, cos, sin)  # type: ignore[no-untyped-call]
        return lean
    return _turned(x, cos, sin)


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    low, high = x.chunk(2, dim=-1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), dim=-1)


class _LeanRotation(torch.autograd.Function):
    """A rotation, whose gradient is the rotation by the negative angle: a third of what eager autograd does."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """(R, T, n, d), two of (R, T, 1, d/2) -> (R, T, n, d)."""
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        """Turn the gradient back."""
        cos, sin = ctx.saved_tensors
        return _turned(grads[0], cos, -sin), None, None


def tile(x: Tensor, P: int) -> Tensor:
    """Repeat x (B, ...) for every stream, stream-major: (P*B, ...)."""
    return x if P == 1 else x.unsqueeze(0).expand(P, *x.shape).reshape(P * x.shape[0], *x.shape[1:])


def check_ids(input_ids: Tensor, vocab: int) -> None:
    """Refuse empty input and unknown tokens by name, not by an index error inside the embedding."""
    if input_ids.dim() != 2:
        raise ValueError(f"input_ids must have shape (B, T), got {tuple(input_ids.shape)}")
    if input_ids.numel() == 0:
        raise ValueError(f"empty prompt: input_ids has shape {tuple(input_ids.shape)}")
    if input_ids.device.type != "cpu" or torch.compiler.is_compiling():
        return  # reading a value would stall the device or split the compiled graph
    low, high = int(input_ids.min()), int(input_ids.max())
    if low < 0 or high >= vocab:
        raise ValueError(f"unknown token {low if low < 0 else high}: the vocabulary has 0..{vocab - 1}")


def visibility(T: int, S: int, K: int, real: Tensor | None, device: torch.device) -> Tensor | None:
    """Who sees whom, (T, K+S+T) or (B, 1, T, K+S+T). None where `attend` needs no mask.

    `real` (B, S+T) is False at padding. A padding token still sees itself: a row of the softmax
    with nothing to see would be NaN.
    """
    if real is None and (T == 1 or K + S == 0 or device.type == "cuda"):
        return None
    query = torch.arange(S, S + T, device=device)[:, None]
    key = torch.arange(S + T, device=device)[None, :]
    mask = key <= query
    if real is not None:
        mask = (mask & real[:, None, None, :]) | (key == query)
    return F.pad(mask, (K, 0), value=True)


class MLP(nn.Module):
    """SwiGLU."""

    def __init__(self, width: int, ffn: int) -> None:
        super().__init__()
        self.gate_proj = Linear(width, ffn, bias=False)
        self.up_proj = Linear(width, ffn, bias=False)
        self.down_proj = Linear(ffn, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., h) -> (..., h)."""
        gate, up = self.gate_proj(x), self.up_proj(x)
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            inner: Tensor = _LeanSwiGLU.apply(gate, up)  # type: ignore[no-untyped-call]
        else:
            inner = F.silu(gate) * up
        out: Tensor = self.down_proj(inner)
        return out


class MixtureOfExperts(nn.Module):
    """Top-k routed SwiGLU experts, named as in Qwen3-MoE checkpoints.

    A token's router probabilities (softmax over all experts) are kept for its k best experts and
    divided by their sum. `balance` holds the load-balance loss of the last call, Fedus et al. 2021,
    arXiv 2101.03961 Eq 4: E sum_e (share of assignments to e) (mean probability of e). 1 when even.
    """

    def __init__(self, width: int, ffn: int, experts: int, per_token: int) -> None:
        super().__init__()
        self.gate = Linear(width, experts, bias=False)
        self.experts = nn.ModuleList(MLP(width, ffn) for _ in range(experts))
        self.per_token = per_token
        self.balance: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(R, T, h) -> (R, T, h)."""
        rows = x.reshape(-1, x.shape[-1])
        probability = self.gate(rows).float().softmax(dim=-1)  # (R*T, E)
        kept, chosen = probability.topk(self.per_token, dim=-1)
        kept = (kept / kept.sum(dim=-1, keepdim=True)).to(x.dtype)
        load = F.one_hot(chosen, len(self.experts)).float().mean(dim=(0, 1))
        self.balance = len(self.experts) * (load * probability.mean(dim=0)).sum()
        out = torch.zeros_like(rows)
        for index, expert in enumerate(self.experts):
            token, slot = torch.where(chosen == index)
            out = out.index_add(0, token, expert(rows[token]) * kept[token, slot, None])
        return out.view(x.shape)


class Attention(nn.Module):
    """Grouped-query attention over [prefix of the stream, tokens so far]."""

    def __init__(self, config: ModelConfig, first: bool) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.P = config.heads, config.kv_heads, config.P
        self.fan_out = config.P if first else 1  # the streams part here: until then they are one
        h, d, bias = config.width, config.head_size, config.qkv_bias
        self.q_proj = Linear(h, self.heads * d, bias=bias)
        self.k_proj = Linear(h, self.kv_heads * d, bias=bias)
        self.v_proj = Linear(h, self.kv_heads * d, bias=bias)
        self.o_proj = Linear(self.heads * d, h, bias=False)
        self.q_norm = RMSNorm(d, config.norm_eps) if config.qk_norm else nn.Identity()
        self.k_norm = RMSNorm(d, config.norm_eps) if config.qk_norm else nn.Identity()
        self.K = config.K
        if self.K:
            prefix = (config.P, self.kv_heads, self.K, d)
            self.prefix_k = nn.Parameter(torch.empty(prefix))
            self.prefix_v = nn.Parameter(torch.empty(prefix))

    def project(self, x: Tensor, rope: Rope) -> tuple[Tensor, Tensor, Tensor]:
        """Give of x (R, T, h) rotated queries (R, n, T, d), rotated keys and values (R, m, T, d)."""
        rows, T, _ = x.shape
        q = self.q_norm(self.q_proj(x).view(rows, T, self.heads, -1))
        k = self.k_norm(self.k_proj(x).view(rows, T, self.kv_heads, -1))
        v = self.v_proj(x).view(rows, T, self.kv_heads, -1)
        return rotate(q, rope).transpose(1, 2), rotate(k, rope).transpose(1, 2), v.transpose(1, 2)

    def behind_prefix(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Each stream's prefix before its keys and values: two of (P, B, m, T, d) -> (P*B, m, K+T, d)."""
        shape = (-1, k.shape[1], -1, -1, -1)
        before = (p.to(k.dtype).unsqueeze(1).expand(shape) for p in (self.prefix_k, self.prefix_v))
        keys, values = (torch.cat(pair, dim=3).flatten(0, 1) for pair in zip(before, (k, v), strict=True))
        return keys, values

    def forward(self, x: Tensor, rope: Rope, mask: Tensor | None, cache: LayerCache | None) -> Tensor:
        """Map x (R, T, h) to (P*B, T, h). No mask: plainly causal, or one token that sees everything."""
        q, k, v = (tile(part, self.fan_out) for part in self.project(x, rope))
        if cache is not None:
            k, v = cache.extend(k, v)
        elif self.K:
            k, v = self.behind_prefix(*(x.view(self.P, -1, *x.shape[1:]) for x in (k, v)))
        out: Tensor = self.o_proj(attend(q, k, v, mask).transpose(1, 2).flatten(2))
        return out


class Block(nn.Module):
    """Attention and MLP, each behind its norm, each added to the residual stream."""

    def __init__(self, config: ModelConfig, first: bool) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.width, config.norm_eps)
        self.self_attn = Attention(config, first)
        self.post_attention_layernorm = RMSNorm(config.width, config.norm_eps)
        self.mlp: nn.Module
        if config.experts:
            self.mlp = MixtureOfExperts(config.width, config.ffn, config.experts, config.experts_per_token)
        else:
            self.mlp = MLP(config.width, config.ffn)

    def forward(self, x: Tensor, rope: Rope, mask: Tensor | None, cache: LayerCache | None) -> Tensor:
        """Map x (R, T, h) to (P*B, T, h)."""
        y = self.self_attn(self.input_layernorm(x), rope, mask, cache)
        x = (x + y.view(-1, *x.shape)).flatten(0, 1)  # in the first layer: one x, P different y
        added: Tensor = self.mlp(self.post_attention_layernorm(x))
        return x + added


def _again_later(
    block: nn.Module, x: Tensor, rope: Rope, mask: Tensor | None, cache: LayerCache | None
) -> Tensor:
    """The block's output, computed again in the backward pass: from its input in the type of the matmuls.

    The residual stream itself stays as wide as it is. What is computed again sees it rounded once.
    """
    shape, wide, narrow = x.shape, x.dtype, compute_dtype(x)  # not x: the hooks would keep it

    def pack(saved: Tensor) -> Tensor:
        return saved.to(narrow) if saved.shape == shape else saved

    def unpack(saved: Tensor) -> Tensor:
        return saved.to(wide) if saved.shape == shape else saved

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        out: Tensor = checkpoint(block, x, rope, mask, cache, use_reentrant=False)
    return out


class Decoder(nn.Module):
    """Embedding, blocks, last norm and aggregation, under the names of the released checkpoints."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        h, P = config.width, config.P
        self.P, self.K, self.smoothing = P, config.K, config.smoothing
        self.head_size, self.rope_base = config.head_size, config.rope_base
        self.loops, self.looped = config.loops, config.looped
        self.balances: list[Tensor] = []  # load-balance losses of the last call, in the order of application
        self.embed_tokens = Embedding(config.vocab, h)
        self.layers = nn.ModuleList(Block(config, index == 0) for index in range(config.layers))
        self.norm = RMSNorm(h, config.norm_eps)
        if P > 1:
            self.aggregate_layer = nn.Sequential(Linear(P * h, h), nn.SiLU(), Linear(h, P))

    @property
    def order(self) -> list[int]:
        """Which layer is applied when: the second to the `looped` + first, `loops` times."""
        end = 1 + self.looped
        return [0, *([*range(1, end)] * self.loops), *range(end, len(self.layers))]

    def forward(
        self,
        x: Tensor,
        positions: Tensor,
        real: Tensor | None = None,
        S: int = 0,
        caches: Sequence[LayerCache] | None = None,
        checkpointing: int = 0,
    ) -> Tensor:
        """Last hidden states of the streams after the final norm, (P, B, T, h), of embedded tokens (B, T, h).

        `positions` are (1 or B, T). `real` (B, S+T) is False at padding, None where there is none. With
        `caches`, one a layer and loop, the tokens continue the S that are in them. Each loop after the first
        begins with the loops' input added to what the loop before gave. With `checkpointing` n the backward pass
        computes every nth block again, from its input.
        """
        B, T, _ = x.shape
        mask = visibility(T, S, self.K, real, x.device)
        mask = tile(mask, self.P) if mask is not None and mask.dim() == 4 else mask
        rope = rotary(positions, self.head_size, self.rope_base)
        self.balances, entered = [], None
        for place, index in enumerate(self.order):
            layer, kept = self.layers[index], None if caches is None else caches[place]
            if index == 1 and self.loops > 1:  # a loop begins
                x, entered = (x, x) if entered is None else (x + entered, entered)
            if checkpointing and place % checkpointing == 0 and torch.is_grad_enabled():
                x = _again_later(layer, x, rope, mask, kept)
            else:
                x = layer(x, rope, mask, kept)
            if isinstance(layer.mlp, MixtureOfExperts) and layer.mlp.balance is not None:
                self.balances.append(layer.mlp.balance)
            if index == 0 and positions.shape[0] > 1:
                rope = (tile(rope[0], self.P), tile(rope[1], self.P))
        last: Tensor = self.norm(x)
        return last.view(self.P, B, T, -1)

    def aggregate(self, streams: Tensor) -> tuple[Tensor, Tensor]:
        """Weigh the streams token by token: (P, B, T, h) -> their sum (B, T, h), weights (B, T, P).

        The released layout concatenates the streams with the stream index fastest. Many tokens: reordering
        the small weight leaves the (P, B, T, h) block where it is. Few, as in decoding: the tokens are less.
        """
        P, B, T, h = streams.shape
        if P == 1:
            return streams[0], torch.ones(B, T, 1, device=streams.device)
        net = dict(self.aggregate_layer.named_parameters())
        weight, inner = net["0.weight"], net["0.bias"].to(streams.dtype)
        if h > B * T:
            inner = F.linear(streams.permute(1, 2, 3, 0).reshape(B * T, h * P), weight, inner)
        else:
            by_stream = weight.view(-1, h, P).permute(2, 1, 0).to(streams.dtype)  # (P, h in, h out)
            for x, part in zip(streams.flatten(1, 2), by_stream, strict=True):
                inner = torch.addmm(inner, x, part)
        scores = F.linear(F.silu(inner), net["2.weight"], net["2.bias"])
        weights = scores.float().softmax(dim=-1).view(B, T, P)
        weights = weights * (1 - self.smoothing) + self.smoothing / P
        share = weights.to(streams.dtype)
        mixed = streams[0] * share[..., 0, None]
        for stream in range(1, P):
            mixed = torch.addcmul(mixed, streams[stream], share[..., stream, None])
        return mixed, weights
