"""Scaled dot-product attention, and on a CPU in bfloat16 a backward pass that is not slower than float32's.

Shapes: R rows, n query heads, m key and value heads (m divides n), T queries, S keys, d head dimension.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention.bias import causal_lower_right


class _MixedFlash(torch.autograd.Function):
    """Torch's own CPU flash kernels: forward in bfloat16, backward in float32.

    The bfloat16 backward kernel packs its small matrices again for every block of queries: it takes twice
    the time of float32's at T = 256, ten times at T = 48. What is kept between the passes is bfloat16.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        """(R, n, T, d), two (R, m, S, d), None or additive (1, 1, T, S) -> (R, n, T, d)."""
        kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        low = None if mask is None else mask.to(q.dtype)
        out, log_Z = kernel(q, k, v, 0.0, causal, attn_mask=low)
        ctx.save_for_backward(q, k, v, mask, out, log_Z)
        ctx.causal = causal
        attended: Tensor = out
        return attended

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Flash attention's backward pass from the kept output and log partition."""
        q, k, v, mask, out, log_Z = ctx.saved_tensors
        kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
        wide = (part.float() for part in (grads[0], q, k, v, out))
        dq, dk, dv = kernel(*wide, log_Z, 0.0, ctx.causal, attn_mask=mask)
        return dq.to(q.dtype), dk.to(k.dtype), dv.to(v.dtype), None, None


def _mixed(q: Tensor, mask: Tensor | None) -> bool:
    """Whether the mixed kernels serve: training on a CPU in bfloat16, one mask for every row."""
    return (
        q.device.type == "cpu"
        and q.dtype == torch.bfloat16
        and q.requires_grad
        and (mask is None or mask.dim() == 2)
    )


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention of q (R, n, T, d) over k, v (R, m, S, d), giving (R, n, T, d).

    `mask` is True where a query sees a key, (T, S) or (R, 1, T, S). Without one the last query sees every
    key, the one before it all but the last, and so on: causal, behind whatever the keys begin with.
    """
    T, S = q.shape[2], k.shape[2]
    causal, grouped = mask is None and T > 1, q.shape[1] != k.shape[1]
    if causal and S > T:  # a GPU's flash kernel knows this mask by its name: none is read
        behind = causal_lower_right(T, S)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=behind, enable_gqa=grouped)
    if not _mixed(q, mask):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=grouped)
    added = None
    if mask is not None:
        added = torch.zeros(mask.shape, device=q.device).masked_fill_(~mask, -torch.inf)[None, None]
    out: Tensor = _MixedFlash.apply(q, k, v, added, causal)  # type: ignore[no-untyped-call]
    return out
