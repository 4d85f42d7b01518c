"""Optimisers and schedules: what a run's configuration says about updating weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer

from sweeps.config.run import RunConfig
from sweeps.model.blocks import is_extra
from sweeps.model.width_transfer import width_scale
from sweeps.training.muon import StackedMuon
from sweeps.training.strategies import is_sharded


def parameter_groups(model: nn.Module, run: RunConfig) -> dict[str, list[tuple[str, nn.Parameter]]]:
    """The trainable parameters by treatment: matrices, other, extras_matrices, extras_other.

    Matrices are the two-dimensional weights of linear maps: they alone decay, and they alone are
    Muon's. Embeddings, gains, biases and prefixes are `other`.
    """
    groups: dict[str, list[tuple[str, nn.Parameter]]] = {
        name: [] for name in ("matrices", "other", "extras_matrices", "extras_other")
    }
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        matrix = parameter.dim() == 2 and "embed_tokens" not in name and "lm_head" not in name
        kind = "matrices" if matrix else "other"
        groups[f"extras_{kind}" if is_extra(name) else kind].append((name, parameter))
    return groups


def build_optimizer(model: nn.Module, run: RunConfig) -> Optimizer:
    """AdamW over four groups, or Muon on the backbone's matrices with AdamW on the rest.

    Every group carries `peak`, the learning rate that the schedule's factor multiplies.
    """
    groups = parameter_groups(model, run)
    extras = run.lr * run.extras_lr
    adam = [
        *_groups(groups["other"], run, run.lr, 0.0),
        *_groups(groups["extras_matrices"], run, extras, run.weight_decay),
        *_groups(groups["extras_other"], run, extras, 0.0),
    ]
    if run.optimizer == "adamw":
        adam += _groups(groups["matrices"], run, run.lr, run.weight_decay)
    betas = (run.beta1, run.beta2)
    adamw = AdamW(adam, lr=run.lr, betas=betas, eps=run.eps, fused=True)
    if run.optimizer == "adamw" or not groups["matrices"]:
        return adamw
    matrices = _groups(groups["matrices"], run, run.muon_lr, run.weight_decay, muon=True)
    muon = partial(Muon, adjust_lr_fn="match_rms_adamw") if is_sharded(model) else StackedMuon
    return Together([adamw, muon(matrices, lr=run.muon_lr)])


def _groups(
    named: list[tuple[str, nn.Parameter]], run: RunConfig, peak: float, decay: float, muon: bool = False
) -> list[dict[str, Any]]:
    """The parameters by their learning rate: one group, but where it depends on the width. None where there are none."""
    by_factor: dict[float, list[nn.Parameter]] = {}
    for name, parameter in named:
        scale = width_scale(name, parameter.dim(), run.model)
        by_factor.setdefault(scale.muon_rate if muon else scale.rate, []).append(parameter)
    return [
        {"params": params, "lr": peak * x, "peak": peak * x, "weight_decay": decay / x}
        for x, params in by_factor.items()
    ]


class Together(Optimizer):
    """Several optimisers that step as one, so that a trainer sees a single one.

    Groups and state are the parts' own objects: what is saved is one optimiser's, as DDP and FSDP2 expect.
    """

    def __init__(self, parts: Iterable[Optimizer]) -> None:
        self.parts = list(parts)
        super().__init__([group for part in self.parts for group in part.param_groups], {})
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of every part, on gradients computed once."""
        loss: Tensor | float | None = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
            self.state.update(part.state)
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore every part: its groups in the order they were taken in, its parameters' state."""
        super().load_state_dict(state_dict)
        groups = iter(self.param_groups)
        for part in self.parts:
            part.param_groups = [next(groups) for _ in part.param_groups]
            own = [p for group in part.param_groups for p in group["params"] if p in self.state]
            part.state.clear()
            part.state.update({p: self.state[p] for p in own})
