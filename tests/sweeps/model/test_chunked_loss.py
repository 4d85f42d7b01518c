"""The loss in chunks: no block of all logits."""

import pytest
import torch

from benchmarks.model import plain
from sweeps.model.chunked_loss import MIN_CHUNK
from sweeps.model.parscale import ParScaleLM
from tests.sweeps.tensor_sizes import B, Largest, T, V, model_and_batch


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_no_block_of_all_logits_lives(precision):
    model, ids, targets = model_and_batch(4)
    found = {}
    for name, loss in (("ours", ParScaleLM.loss), ("plain", plain.loss)):
        with Largest() as largest, torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            loss(model, ids, targets).backward()
        found[name] = largest.elements
    assert found == {"ours": MIN_CHUNK * V, "plain": B * T * V}
