"""The baseline: the same mathematics on the same parameters, written the straightforward way.

Streams repeated before the first layer, dummy queries so that plain causal attention can be used over
prefix and tokens, keys and values copied for every query head, the (P, B, T, h) block transposed for the
aggregation, one float32 block of all logits for the loss.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from sweeps.model.blocks import MLP, Attention, RMSNorm, rotary
from sweeps.model.chunked_loss import compute_dtype
from sweeps.model.parscale import ParScaleLM


def norm(part: RMSNorm, x: Tensor) -> Tensor:
    """What autograd makes of the formula."""
    return F.rms_norm(x, x.shape[-1:], part.weight, part.eps).to(compute_dtype(x))


def mlp(part: MLP, x: Tensor) -> Tensor:
    """SwiGLU as it is written."""
    return part.down_proj(F.silu(part.gate_proj(x)) * part.up_proj(x))


def turned(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions of x (R, T, n, d) as they are written, heads before tokens in the result."""
    (cos, sin), (low, high) = (part.to(x.dtype) for part in rope), x.chunk(2, dim=-1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), dim=-1).transpose(1, 2)


def attend(attention: Attention, x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """(R, T, h) -> (R, T, h), with K dummy queries before the real ones."""
    heads = (
        (attention.q_proj, attention.heads),
        *((p, attention.kv_heads) for p in (attention.k_proj, attention.v_proj)),
    )
    q, k, v = (project(x).unflatten(-1, (count, -1)) for project, count in heads)
    q, k, v = turned(attention.q_norm(q), rope), turned(attention.k_norm(k), rope), v.transpose(1, 2)
    dummy = 0
    if attention.P > 1:
        dummy, batch = attention.prefix_k.shape[2], x.shape[0] // attention.P
        prefixes = (p.repeat_interleave(batch, dim=0) for p in (attention.prefix_k, attention.prefix_v))
        k, v = (torch.cat((p.to(k.dtype), part), dim=2) for p, part in zip(prefixes, (k, v), strict=True))
        q = torch.cat((q.new_zeros(*q.shape[:2], dummy, q.shape[3]), q), dim=2)
    group = attention.heads // attention.kv_heads
    k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    y = F.scaled_dot_product_attention(q, k, v, is_causal=True)[:, :, dummy:]
    return attention.o_proj(y.transpose(1, 2).flatten(2))


def hidden(model: ParScaleLM, input_ids: Tensor) -> Tensor:
    """What the LM head reads, (B, T, h)."""
    P, decoder = model.config.P, model.model
    x = decoder.embed_tokens(input_ids.repeat(P, 1))
    positions = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
    rope = rotary(positions, model.config.shape.head_size, model.config.rope_base)
    for block in decoder.layers:
        x = x + attend(block.self_attn, norm(block.input_layernorm, x), rope)
        x = x + mlp(block.mlp, norm(block.post_attention_layernorm, x))
    x = norm(decoder.norm, x)
    if P == 1:
        return x
    streams = x.view(P, *input_ids.shape, -1).permute(1, 2, 3, 0)  # (B, T, h, P)
    weights = decoder.aggregate_layer(streams.flatten(2)).float().softmax(dim=-1)
    weights = weights * (1 - model.config.smoothing) + model.config.smoothing / P
    return (streams * weights[:, :, None, :]).sum(dim=-1)


def loss(model: ParScaleLM, input_ids: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy from all the logits at once."""
    logits = F.linear(hidden(model, input_ids), model.head)
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
