"""Compiled training: the same numbers, and one word where there is no compiler."""

import logging
import re
from dataclasses import replace
from functools import partialmethod

import pytest
import torch
from torch import nn

from sweeps.model.parscale import ParScaleLM
from sweeps.training import compiling
from tests.sweeps.small_text import TINY, batch, gradients

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor"),  # the compiler's own peeking
    pytest.mark.filterwarnings("ignore:.* should not be instantiated:DeprecationWarning"),
]


@pytest.mark.slow
def test_compiled_with_masks_and_checkpointing_is_the_same():
    if compiling.cxx_compiler() is None:
        pytest.skip("no C++ compiler")
    torch.compiler.reset()
    model, ids = ParScaleLM(replace(TINY, P=3, layers=1)), batch(2, 12)
    mask = torch.ones(2, 12)
    mask[0, :4] = 0
    masked = gradients(model, ids, mask)
    assert compiling.compile_if_possible(model)
    model.gradient_checkpointing = True
    torch.testing.assert_close(gradients(model, ids, mask), masked, atol=1e-5, rtol=1e-3)


@pytest.mark.slow
def test_what_a_worker_compiled_before_does_not_make_a_run_eager(monkeypatch):
    """Torch compiles a function a few times, and then runs it eagerly: a worker trains more shapes than that."""
    if compiling.cxx_compiler() is None:
        pytest.skip("no C++ compiler")
    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend="eager"))
    with torch._dynamo.config.patch(recompile_limit=1, fail_on_recompile_limit_hit=True):
        for width in (16, 32):
            model = ParScaleLM(replace(TINY, width=width, layers=1))
            assert compiling.compile_if_possible(model)
            model.hidden(batch(2, 12)[:, :-1])


def test_no_compiler_is_said_once(monkeypatch, caplog):
    monkeypatch.setattr(compiling, "cxx_compiler", lambda: None)
    compiling._say_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert not compiling.compile_if_possible(ParScaleLM(TINY))
        assert not compiling.compile_if_possible(ParScaleLM(TINY))
    (record,) = caplog.records
    assert re.search(r"torch\.compile.*CXX.*g\+\+", record.getMessage())
