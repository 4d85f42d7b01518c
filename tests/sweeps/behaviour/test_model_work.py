"""What a training step computes and holds: shared work once, no streams moved."""

from contextlib import contextmanager

import pytest
import torch

from tests.sweeps.tensor_sizes import B, Largest, T, model_and_batch


@contextmanager
def rows_into(module):
    """Of what shapes the module's input was."""
    seen = []
    hook = module.register_forward_pre_hook(lambda _, args: seen.append(tuple(args[0].shape[:2])))
    yield seen
    hook.remove()


@pytest.mark.slow
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
