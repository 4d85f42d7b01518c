"""torch.compile where this machine can, eager where it cannot."""

from __future__ import annotations

import functools
import importlib
import logging
import warnings

import torch

from sweeps.config.execution import cxx_compiler
from sweeps.model.parscale import ParScaleLM

log = logging.getLogger(__name__)


@functools.cache
def _say_once(reason: str) -> None:
    log.warning("training runs eagerly: %s", reason)


def _import_quietly() -> None:
    """Torch's compiler trips over a deprecation of its own when it first imports this. It does not concern this project."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module("torch.utils.mkldnn")


def compile_if_possible(model: ParScaleLM) -> bool:
    """Compile the model's blocks in place if its device allows. Returns whether.

    Mixtures of experts stay eager: how many tokens an expert gets is known only when it runs.
    """
    device = model.head.device.type
    device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "meta" else device
    if model.config.experts:
        _say_once("mixtures of experts are not compiled")
    elif device == "cpu" and cxx_compiler() is None:
        _say_once("torch.compile needs a C++ compiler (set CXX or install g++)")
    else:
        _import_quietly()
        for block in model.model.layers:  # one by one: equal blocks share a kernel, and 36 cost what 2 do
            block.compile()
        return True
    return False
