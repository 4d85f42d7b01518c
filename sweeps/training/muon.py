"""Muon with matrices of one shape orthogonalised together.

torch.optim.Muon takes each matrix by itself: some thirty small operations each, longer than all else in a
step of a small model on a GPU, and in bfloat16 also where a processor only emulates it. The numbers are
its own (defaults, state, the learning rate matched to AdamW's RMS, Jordan et al. 2024, and arXiv 2502.16982).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.optim import Muon
from torch.optim.optimizer import ParamsT

STACK_ELEMENTS = 1 << 22  # of matrices taken at once: one of 2048 x 2048 goes by itself


class StackedMuon(Muon):
    """torch.optim.Muon for plain tensors: a few operations for each shape, not for each matrix."""

    def __init__(self, params: ParamsT, lr: float, **settings: Any) -> None:
        super().__init__(params, lr=lr, adjust_lr_fn="match_rms_adamw", **settings)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of every matrix that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for matrices in _stacks([p for p in group["params"] if p.grad is not None]):
                self._update(matrices, group)
        return loss

    def _update(self, matrices: list[Tensor], group: dict[str, Any]) -> None:
        """Momentum, orthogonalisation, decay and step of n matrices of one shape."""
        grads = [matrix.grad for matrix in matrices if matrix.grad is not None]
        kept = [self._momentum(matrix) for matrix in matrices]
        torch._foreach_lerp_(kept, grads, 1 - group["momentum"])
        moved = torch._foreach_lerp(grads, kept, group["momentum"]) if group["nesterov"] else kept
        rate = 0.2 * max(matrices[0].shape) ** 0.5 * group["lr"]  # the root mean square of an AdamW step
        iteration = (group["ns_coefficients"], group["ns_steps"], group["eps"])
        turned = orthogonal(torch.stack(list(moved)), *iteration)
        torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(matrices, list(turned.unbind()), alpha=-rate)

    def _momentum(self, matrix: Tensor) -> Tensor:
        state = self.state[matrix]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        kept: Tensor = state["momentum_buffer"]
        return kept


def _stacks(matrices: list[Tensor]) -> Iterator[list[Tensor]]:
    """The matrices by shape, no more at once than make up STACK_ELEMENTS."""
    for _, alike in groupby(sorted(matrices, key=lambda m: tuple(m.shape)), key=lambda m: tuple(m.shape)):
        rest = list(alike)
        most = max(1, STACK_ELEMENTS // rest[0].numel())
        yield from (rest[start : start + most] for start in range(0, len(rest), most))


def orthogonal(matrices: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """Each of (n, r, c) brought near U V^T of its singular value decomposition, in the type it came in.

    Newton-Schulz's iteration, in bfloat16 but on a CPU: few have instructions for it, and emulated it takes
    half of a step.
    """
    a, b, c = coefficients
    wide = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    X = wide.float() if wide.device.type == "cpu" else wide.bfloat16()
    X = X / X.norm(dim=(1, 2), keepdim=True).clamp(min=eps)
    for _ in range(steps):
        gram = X @ X.mT
        X = torch.baddbmm(X, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), X, beta=a)
    return (X if wide is matrices else X.mT).to(matrices.dtype)
