"""LM head and cross entropy in one step, a chunk of tokens at a time.

No (tokens, V) block ever lives: the forward pass of a mean loss also writes the gradients of its
chunk, so that nothing is kept and nothing is computed twice. Legend: R rows (tokens), h width, V vocab.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

IGNORE = -100  # a target that counts for nothing: padding
CHUNK_ELEMENTS = 1 << 22  # logits alive at a time: 16 MiB in float32
GPU_CHUNK_ELEMENTS = 1 << 26  # there 256 MiB are little, and small products starve the cores
MIN_CHUNK = 256  # fewer rows would starve the matrix multiplication


def chunk_elements(device: torch.device) -> int:
    """How many logits are held at a time."""
    return GPU_CHUNK_ELEMENTS if device.type == "cuda" else CHUNK_ELEMENTS


def chunk_rows(weight: Tensor) -> int:
    """How many tokens' logits are held at a time, for an LM head (V, h)."""
    return max(MIN_CHUNK, chunk_elements(weight.device) // weight.shape[0])


def compute_dtype(hidden: Tensor) -> torch.dtype:
    """The type matrices are multiplied in here: autocast's where it is on, else the tensor's own."""
    if torch.is_autocast_enabled(hidden.device.type):
        return torch.get_autocast_dtype(hidden.device.type)
    return hidden.dtype


def _chunk_loss(x: Tensor, weight: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Loss of each row, e^(logits - their maximum) in float32 and its sum over the vocabulary."""
    logits = (x @ weight.T).float()
    logits -= logits.amax(dim=-1, keepdim=True)
    picked = logits.gather(1, target.clamp_min(0)[:, None])[:, 0]
    Z = logits.exp_().sum(dim=-1)
    return torch.where(target == IGNORE, 0.0, Z.log() - picked), logits, Z


def _logit_gradient(exponentials: Tensor, Z: Tensor, target: Tensor, scale: Tensor) -> Tensor:
    """d(sum of scale * loss)/d logits = scale (softmax - one-hot), written over the exponentials."""
    scale = torch.where(target == IGNORE, 0.0, scale)[:, None]
    gradient = exponentials.mul_(scale / Z[:, None])
    return gradient.scatter_add_(1, target.clamp_min(0)[:, None], -scale)


class _MeanLoss(torch.autograd.Function):
    """Mean cross entropy. The gradients are made in the forward pass and only scaled in the backward."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, target: Tensor, dtype: torch.dtype) -> Tensor:
        """(R, h), (V, h), (R,) -> ()."""
        w, x = weight.to(dtype), hidden.to(dtype)
        needed = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        d_hidden = torch.empty_like(hidden) if needed else None
        d_weight = torch.zeros(weight.shape, device=weight.device) if needed else None
        scale = 1.0 / (target != IGNORE).sum().clamp_min(1)
        total = torch.zeros((), device=hidden.device)
        step = chunk_rows(weight)
        for start in range(0, x.shape[0], step):
            rows = slice(start, start + step)
            loss, exponentials, Z = _chunk_loss(x[rows], w, target[rows])
            total = total + loss.sum()
            if d_hidden is not None and d_weight is not None:
                gradient = _logit_gradient(exponentials, Z, target[rows], scale).to(dtype)
                d_hidden[rows] = gradient @ w
                d_weight += gradient.T @ x[rows]
        if needed:
            ctx.save_for_backward(d_hidden, d_weight)
        ctx.weight_dtype = weight.dtype
        return total * scale

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Scale what the forward pass made."""
        d_hidden, d_weight = ctx.saved_tensors
        return d_hidden * grads[0], (d_weight * grads[0]).to(ctx.weight_dtype), None, None


class _TokenLoss(torch.autograd.Function):
    """Cross entropy of each row. The backward pass makes each chunk's logits again."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, target: Tensor, dtype: torch.dtype) -> Tensor:
        """(R, h), (V, h), (R,) -> (R,)."""
        w, x, step = weight.to(dtype), hidden.to(dtype), chunk_rows(weight)
        ctx.save_for_backward(hidden, weight, target)
        ctx.dtype = dtype
        parts = [slice(start, start + step) for start in range(0, x.shape[0], step)]
        return torch.cat([_chunk_loss(x[rows], w, target[rows])[0] for rows in parts])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """One pass over the chunks."""
        hidden, weight, target = ctx.saved_tensors
        w, x, step = weight.to(ctx.dtype), hidden.to(ctx.dtype), chunk_rows(weight)
        d_hidden = torch.empty_like(hidden)
        d_weight = torch.zeros(weight.shape, device=weight.device)
        for start in range(0, x.shape[0], step):
            rows = slice(start, start + step)
            _, exponentials, Z = _chunk_loss(x[rows], w, target[rows])
            gradient = _logit_gradient(exponentials, Z, target[rows], grads[0][rows]).to(ctx.dtype)
            d_hidden[rows] = gradient @ w
            d_weight += gradient.T @ x[rows]
        return d_hidden, d_weight.to(weight.dtype), None, None


def linear_cross_entropy(hidden: Tensor, weight: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Cross entropy, in nats, of the logits hidden @ weight.T.

    Targets equal to `IGNORE` (-100) cost nothing and do not enter the mean.

    Args:
        hidden: (..., h).
        weight: LM head, (V, h).
        target: (...), token indices.
        reduction: "mean" over the counted targets, a scalar. "none", the shape of `target`.

    """
    if reduction not in ("mean", "none"):
        raise ValueError(f"reduction must be 'mean' or 'none', got {reduction!r}")
    if hidden.shape[:-1] != target.shape:
        raise ValueError(f"targets {tuple(target.shape)} do not match hidden {tuple(hidden.shape)}")
    dtype = compute_dtype(hidden)
    rows, flat = hidden.reshape(-1, hidden.shape[-1]), target.reshape(-1)
    made = _MeanLoss if reduction == "mean" else _TokenLoss
    with torch.autocast(hidden.device.type, enabled=False):
        loss: Tensor = made.apply(rows, weight, flat, dtype)  # type: ignore[no-untyped-call]
    return loss if reduction == "mean" else loss.view(target.shape)
