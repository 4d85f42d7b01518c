"""The cache: its memory, its room, and calls it refuses."""

from dataclasses import replace

import pytest
import torch

from sweeps.config.model import ModelConfig
from sweeps.model.kv_cache import CacheError
from sweeps.model.parscale import ParScaleLM

pytestmark = pytest.mark.usefixtures("one_thread")
TINY = ModelConfig(vocab=61, width=24, ffn=40, layers=2, heads=4, kv_heads=2, prefix_tokens=5, init_std=0.4)


def tiny(P):
    return ParScaleLM(replace(TINY, P=P)).eval()


def test_wrong_caches():
    cache, ids = tiny(2).new_cache(1, 4), torch.ones(1, 3, dtype=torch.long)
    with pytest.raises(CacheError, match=r"P.*=.*2.*P.*=.*3"):
        tiny(3)(ids, None, cache)
    with pytest.raises(CacheError, match=r"1.*2"):
        tiny(2)(ids.repeat(2, 1), None, cache)
    with pytest.raises(CacheError, match=r"cache.*4.*0.*5"):
        tiny(2)(ids.repeat(1, 2)[:, :5], None, cache)


def test_prefix_longer_than_memory():
    with torch.device("meta"):
        model = ParScaleLM(replace(TINY, P=2, prefix_tokens=10**12))
    model.model.layers[0].self_attn.q_proj.weight = torch.nn.Parameter(torch.zeros(24, 24))
    with pytest.raises(CacheError, match=r"1000000000000.*4.*GiB"):
        model.new_cache(1, 4)


def test_cache_memory():
    cache = tiny(3).new_cache(2, 7)
    assert cache.memory_bytes == 2 * 2 * (3 * 2) * 2 * (5 + 7) * 6 * 4


def test_a_model_larger_than_memory_is_refused_before_it_is_built():
    with pytest.raises(CacheError, match=r"P.*=.*2.*1000000000000.*GiB"):
        ParScaleLM(replace(TINY, P=2, prefix_tokens=10**12))
