"""Configurations of models: what they count, and those that cannot be built."""

from dataclasses import replace

import pytest

from scaling.accounting import forward_flops_per_token
from sweeps.config.model import ModelConfig

DENSE = ModelConfig(vocab=61, width=24, ffn=40, layers=2, heads=4, kv_heads=2, prefix_tokens=5)
EXPERTS = replace(DENSE, experts=4, experts_per_token=2)


def test_streams_count_their_prefixes_and_their_aggregation():
    assert replace(DENSE, P=1).K == 0
    grown = replace(DENSE, P=3)
    assert grown.K == 5
    prefixes = 3 * 2 * 5 * 2 * 6 * 2  # P, keys and values, tokens, KV heads, head size, layers
    aggregation = 3 * 24 * 24 + 24 + 24 * 3 + 3
    assert prefixes + aggregation == grown.N - DENSE.N


def test_a_prefix_at_one_stream_is_counted_where_it_is_asked_for():
    behind = replace(DENSE, prefix_at_one=True)
    assert (behind.K, behind.N - DENSE.N) == (5, 2 * 5 * 2 * 6 * 2)


def test_norms_of_queries_and_keys_are_one_gain_each_a_layer():
    assert replace(DENSE, qk_norm=True).N - DENSE.N == 2 * 2 * 6


def test_a_mixture_has_every_expert_in_N_and_those_chosen_in_active_N():
    mlp, router = 3 * 24 * 40, 24 * 4
    assert 2 * (3 * mlp + router) == EXPERTS.N - DENSE.N
    assert EXPERTS.N - EXPERTS.active_N == 2 * 2 * mlp
    assert DENSE.active_N == DENSE.N


@pytest.mark.parametrize("config", [DENSE, replace(DENSE, P=3)])
def test_flops_of_a_dense_model_are_those_of_its_shape(config):
    assert config.forward_flops(16) == forward_flops_per_token(config.shape, 16)


def test_flops_of_a_mixture_are_those_of_the_chosen_experts_and_the_router():
    wide = forward_flops_per_token(replace(DENSE, ffn=80).shape, 16)
    assert EXPERTS.forward_flops(16) == wide + 2 * 2 * 24 * 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"vocab": 0},
        {"P": 0},
        {"P": 2, "prefix_tokens": 0},
        {"prefix_at_one": True, "prefix_tokens": 0},
        {"kv_heads": 3},
        {"width": 26},
        {"head_dim": 5},
        {"smoothing": 1.5},
        {"experts": 2, "experts_per_token": 3},
        {"experts": 2, "experts_per_token": 0},
    ],
)
def test_a_model_that_cannot_be_built_is_refused_with_the_value(wrong):
    value = list(wrong.values())[-1]
    with pytest.raises(ValueError, match=rf"\b{value}\b"):
        replace(DENSE, **wrong)


def test_what_would_be_wrong_elsewhere_is_no_fault_where_it_is_unused():
    assert replace(DENSE, prefix_tokens=0).K == 0
    assert replace(DENSE, experts_per_token=9).active_N == DENSE.N
    assert replace(DENSE, width=26, head_dim=6).shape.head_size == 6


MODEL = ModelConfig(vocab=300, width=32, ffn=96, layers=2, heads=2, kv_heads=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"P": 2.5}, "P=2.5"),
        ({"width": "32"}, "width='32'"),
        ({"prefix_tokens": True}, "prefix_tokens=True"),
        ({"head_dim": 8.0}, "head_dim=8.0"),
    ],
)
def test_models_of_wrong_types_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(MODEL, **change)
    assert replace(MODEL, head_dim=None, prefix_std=1, smoothing=0).smoothing == 0
