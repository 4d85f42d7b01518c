"""The cost model against the published grid, and refusals."""

import doctest
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.costs.hardware import H100
from analysis.inference_cost import GIB, estimate

PUBLISHED = Path(__file__).parents[2] / "results" / "published"


def test_agrees_with_the_published_grid_to_its_printed_digits():
    grid = pd.read_csv(PUBLISHED / "cost_grid_sample.csv")
    cost = estimate(
        width=grid["hidden"],
        ffn=grid["intermediate"],
        P=grid["P"],
        batch=grid["batch"],
        input_tokens=grid["input_len"],
        output_tokens=grid["output_len"],
    )
    assert len(grid) == 32
    np.testing.assert_allclose(cost.memory_gib, grid["memory_GiB"], atol=5.01e-7, rtol=0)
    np.testing.assert_allclose(cost.latency_s, grid["latency_s"], atol=5.01e-7, rtol=0)


def test_scalars_give_scalars_and_parts_add_up():
    cost = estimate(width=1536, ffn=8320, P=4, batch=3, input_tokens=100, output_tokens=70)
    assert np.ndim(cost.memory_bytes) == 0
    assert cost.memory_bytes == pytest.approx(cost.weight_bytes + cost.kv_cache_bytes + cost.activation_bytes)
    assert cost.latency_s == pytest.approx(cost.prompt_s + cost.decode_s)
    assert cost.memory_gib == cost.memory_bytes / GIB


def test_arguments_broadcast():
    cost = estimate(width=1024, ffn=5504, P=np.array([1, 2, 5])[:, None], batch=np.array([1, 7]))
    assert cost.latency_s.shape == cost.memory_bytes.shape == (3, 2)
    single = estimate(width=1024, ffn=5504, P=5, batch=7)
    assert cost.latency_s[2, 1] == pytest.approx(single.latency_s)


def test_more_of_anything_costs_more_and_faster_hardware_costs_less():
    start = {"width": 1280, "ffn": 6912, "P": 2, "batch": 2, "input_tokens": 90, "output_tokens": 110}
    base = estimate(**start)
    for name in start:
        more = estimate(**{**start, name: start[name] * 2})
        assert more.latency_s > base.latency_s, name
        assert more.memory_bytes > base.memory_bytes, name
    assert estimate(**start, hardware=H100).latency_s < base.latency_s
    assert estimate(**start, dtype="fp32").weight_bytes == pytest.approx(2 * base.weight_bytes)


def test_a_prefix_costs_as_the_tokens_it_is_of():
    shape = {"width": 128, "ffn": 700, "vocab": 2048, "P": np.array([1, 4])}
    short = estimate(**shape, input_tokens=60, prefix_tokens=[0, 4])
    assert short.kv_cache_bytes[1] == estimate(**shape, input_tokens=16).kv_cache_bytes[1]  # 48 + 16 tokens
    plain = estimate(**shape, input_tokens=60)
    assert short.latency_s[0] == plain.latency_s[0]
    assert short.memory_bytes[1] < plain.memory_bytes[1]
    alone = estimate(**shape | {"P": 1}, input_tokens=60, prefix_tokens=4)  # a control: a prefix at P = 1
    assert alone.kv_cache_bytes > short.kv_cache_bytes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"P": 0}, "P.*0.*1"),
        ({"width": float("nan")}, "width.*nan"),
        ({"batch": [1, -3]}, "batch.*-3"),
        ({"dtype": "fp4"}, "dtype='fp4'"),
        ({"prefix_tokens": -2}, "prefix_tokens.*-2.*0"),
        ({"hardware": "A100"}, "hardware.*'A100'.*Hardware"),
    ],
)
def test_refusals_name_the_value(change, message):
    with pytest.raises(ValueError, match=message):
        estimate(**{"width": 896, "ffn": 4864, **change})


def test_the_example_prints_what_it_shows():
    (test,) = doctest.DocTestFinder(recurse=False).find(estimate, "estimate")
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0
