"""torch.compile where this machine can, eager where it cannot."""

from __future__ import annotations

import functools
import importlib
import logging
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from sweeps.config.execution import cxx_compiler
from sweeps.model.chunked_loss import chunk_rows, linear_cross_entropy
from sweeps.model.parscale import ParScaleLM

FEW_CHUNKS = 4  # of a loss that is compiled: the compiler writes their loop out
log = logging.getLogger(__name__)


@functools.cache
def _say_once(reason: str) -> None:
    log.warning("training runs eagerly: %s", reason)


def _import_quietly() -> None:
    """Torch's compiler trips over a deprecation of its own when it first imports this. It does not concern this project."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module("torch.utils.mkldnn")


def _compiled_loss() -> Callable[[Tensor, Tensor, Tensor, str], Tensor]:
    """`linear_cross_entropy`, compiled in training steps of few chunks: a twentieth of a small model's step."""
    compiled = torch.compile(linear_cross_entropy)

    def loss(hidden: Tensor, weight: Tensor, target: Tensor, reduction: str) -> Tensor:
        few = reduction == "mean" and target.numel() <= FEW_CHUNKS * chunk_rows(weight)
        return (compiled if few else linear_cross_entropy)(hidden, weight, target, reduction)

    return loss


def compile_if_possible(model: ParScaleLM) -> bool:
    """Compile the model's blocks, and its loss on a CPU, in place if its device allows. Returns whether.

    Mixtures of experts stay eager: how many tokens an expert gets is known only when it runs. What earlier runs of
    this process compiled is dropped: torch allows each function eight graphs, and beyond them it trains eagerly.
    """
    device = model.head.device.type
    device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "meta" else device
    if model.config.experts:
        _say_once("mixtures of experts are not compiled")
    elif device == "cpu" and cxx_compiler() is None:
        _say_once("torch.compile needs a C++ compiler (set CXX or install g++)")
    else:
        _import_quietly()
        torch.compiler.reset()
        for block in model.model.layers:  # one by one: equal blocks share a kernel, and 36 cost what 2 do
            block.compile()
        if device == "cpu":
            model.head_loss = _compiled_loss()
        return True
    return False
