"""The blocks of the ParScale transformer: attention behind each stream's prefix, MLP, norms.

Parameter names are those of the released checkpoints. Shapes as in `sweeps.model.parscale`: in the first layer the
streams part, R rows become P*B, row = stream * B + item.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sweeps.config.model import ModelConfig
from sweeps.model.attention import attend
from sweeps.model.kv_cache import LayerCache
from sweeps.model.layers import MLP, Embedding, Linear, MixtureOfExperts, RMSNorm, rotate, tile

Rope = tuple[Tensor, Tensor]


class Attention(nn.Module):
    """Grouped-query attention over [prefix of the stream, tokens so far]."""

    def __init__(self, config: ModelConfig, first: bool) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.P = config.heads, config.kv_heads, config.P
        self.fan_out = config.P if first else 1  # the streams part here: until then they are one
        h, d, bias = config.width, config.shape.head_size, config.qkv_bias
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

    def behind_prefix(self, prefix: Tensor, x: Tensor) -> Tensor:
        """Each stream's prefix (P, m, K, d) before its keys or values: (P*B, m, T, d) -> (.., K+T, d)."""
        streams = x.view(self.P, -1, *x.shape[1:])
        rows = prefix.to(x.dtype).unsqueeze(1).expand(-1, streams.shape[1], -1, -1, -1)
        return torch.cat((rows, streams), dim=3).flatten(0, 1)

    def forward(self, x: Tensor, rope: Rope, mask: Tensor | None, cache: LayerCache | None) -> Tensor:
        """Map x (R, T, h) to (P*B, T, h). No mask: plainly causal, or one token that sees everything."""
        q, k, v = (tile(part, self.fan_out) for part in self.project(x, rope))
        if cache is not None:
            k, v = cache.extend(k, v)
        elif self.K:
            k, v = self.behind_prefix(self.prefix_k, k), self.behind_prefix(self.prefix_v, v)
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


class Decoder(nn.Module):
    """Embedding, blocks, last norm and aggregation, under the names of the released checkpoints."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        h, P = config.width, config.P
        self.embed_tokens = Embedding(config.vocab, h)
        self.layers = nn.ModuleList(Block(config, index == 0) for index in range(config.layers))
        self.norm = RMSNorm(h, config.norm_eps)
        if P > 1:
            self.aggregate_layer = nn.Sequential(Linear(P * h, h), nn.SiLU(), Linear(h, P))
