"""What a training step computes and holds: shared work once, no block of all logits, no streams moved."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks import model_plain
from sweeps.config.model import ModelConfig
from sweeps.model.chunked_loss import MIN_CHUNK
from sweeps.model.parscale import ParScaleLM

B, T, V = 4, 128, 1 << 15
CONFIG = ModelConfig(vocab=V, width=16, ffn=32, layers=3, heads=2, kv_heads=1, prefix_tokens=3)


class Largest(TorchDispatchMode):
    """Notes how many elements the largest new tensor has: a view shares its memory with what it is given."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        given = {t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if torch.is_tensor(t)}
        for made in tree_leaves(found):
            if torch.is_tensor(made) and made.untyped_storage().data_ptr() not in given:
                self.elements = max(self.elements, made.numel())
        return found


def model_and_batch(P):
    torch.manual_seed(0)
    return ParScaleLM(replace(CONFIG, P=P)).train(), *torch.randint(V, (2, B, T))


@contextmanager
def rows_into(module):
    """Of what shapes the module's input was."""
    seen = []
    hook = module.register_forward_pre_hook(lambda _, args: seen.append(tuple(args[0].shape[:2])))
    yield seen
    hook.remove()


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_streams_share_all_that_is_the_same(checkpointing):
    """Embedding, first norm and first queries, keys and values: B rows. From there on P B."""
    model, ids, targets = model_and_batch(P=4)
    model.gradient_checkpointing = checkpointing
    first, second = model.model.layers[:2]
    shared = [
        model.model.embed_tokens,
        first.input_layernorm,
        first.self_attn.q_proj,
        first.self_attn.k_proj,
        first.self_attn.v_proj,
    ]
    apart = [first.mlp, second.input_layernorm, second.self_attn.q_proj]
    for modules, rows in ((shared, B), (apart, 4 * B)):
        for module in modules:
            with rows_into(module) as seen:
                model.loss(ids, targets)
            assert seen == [(rows, T)]


@pytest.mark.parametrize("P", [1, 4])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_no_block_of_all_logits_lives(P, precision):
    model, ids, targets = model_and_batch(P)
    found = {}
    for name, loss in (("ours", ParScaleLM.loss), ("plain", model_plain.loss)):
        with Largest() as largest, torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            loss(model, ids, targets).backward()
        found[name] = largest.elements
    assert found == {"ours": MIN_CHUNK * V, "plain": B * T * V}


@torch.no_grad()
def test_the_aggregation_leaves_the_streams_where_they_are():
    model, ids, _ = model_and_batch(P=4)
    streams = model.streams(ids)
    with Largest() as ours:
        model.aggregate(streams)
    with Largest() as released:
        streams.permute(1, 2, 3, 0).flatten(2)
    assert released.elements == streams.numel()
    assert ours.elements == B * T * model.config.width
