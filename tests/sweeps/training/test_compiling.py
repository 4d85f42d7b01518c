"""Compiled training: the same numbers, and one word where there is no compiler."""

import logging
import re
from dataclasses import replace

import pytest
import torch

from sweeps.model.parscale import ParScaleLM
from sweeps.training import compiling
from tests.sweeps.small_text import TINY, batch, gradients

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # the compiler's own peeking
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


def test_no_compiler_is_said_once(monkeypatch, caplog):
    monkeypatch.setattr(compiling, "cxx_compiler", lambda: None)
    compiling._say_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert not compiling.compile_if_possible(ParScaleLM(TINY))
        assert not compiling.compile_if_possible(ParScaleLM(TINY))
    (record,) = caplog.records
    assert re.search(r"torch\.compile.*CXX.*g\+\+", record.getMessage())
