"""The cost model against the published grid, the headline ratios, and refusals."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import parscale
from analysis.costs.cost_ratios import break_even, cost_ratio, headline_ratios, ratio_grid
from analysis.costs.hardware import A100, H100, Hardware, read_hardware
from analysis.costs.shapes import shape_of
from analysis.costs.training_cost import training_cost, training_costs
from analysis.inference_cost import GIB, estimate
from scaling.accounting import training_flops

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
    ("words", "says"),
    [
        ("--P inf", "--P inf: inf is no whole number of at least 1"),
        ("--P 1,nan", "--P 1,nan: nan is no whole number of at least 1"),
        ("--batch two", "--batch: 'two' is not a number"),
        ("--N 1.6B,foo", "--N: 'foo' is not a number"),
        ("--train foo", "--train: 'foo' is not a number"),
    ],
)
def test_a_wrong_option_of_cost_is_named(words, says, capsys):
    assert parscale.main(["cost", *words.split()]) == 2
    assert says in capsys.readouterr().err


def test_headline_ratios_under_both_interpolations(stack, architectures):
    table = headline_ratios(stack, architectures).set_index(["quantity", "batches"])
    expected = {
        ("memory", "1"): (22.5, 21.7, 1),
        ("latency", "1"): (6.4, 6.2, 1),
        ("memory", "1, 2, 4, 8"): (7.3, 7.1, 1),
        ("latency", "1, 2, 4, 8"): (1.77, 1.70, 2),
    }
    for key, (linear, log, digits) in expected.items():
        assert round(table.loc[key, "linear"], digits) == linear
        assert round(table.loc[key, "log_cost"], digits) == log


def test_where_the_headlines_fail(stack, architectures):
    at_8 = [cost_ratio(stack, architectures, batches=(8,), log_cost=log).latency for log in (True, False)]
    assert [round(r, 2) for r in at_8] == [0.84, 0.88]
    grid = ratio_grid(stack, architectures, batches=(1, 8), lengths=(64, 512), streams=(2, 8))
    memory = grid.set_index(["P", "batch", "length"])["memory_ratio"]
    assert round(memory[8, 1, 64]) == 40
    assert round(memory[8, 1, 512], 1) == 13.5
    assert len(grid) == 8
    failing = break_even(grid).set_index(["P", "length"])["first_failing_batch"]
    assert failing[8, 512] == 8
    assert failing.isna()[2, 64]
    p2 = cost_ratio(stack, architectures, P=2)
    assert (round(p2.memory), round(p2.latency)) == (34, 16)


def test_a_loss_beyond_the_one_stream_points_is_refused(stack, architectures):
    with pytest.raises(ValueError, match=r"4\.4B at P=8 has loss 0\.9794, outside"):
        cost_ratio(stack, architectures, size="4.4B")
    with pytest.raises(ValueError, match="size '9B' at P=8 has 0 rows"):
        cost_ratio(stack, architectures, size="9B")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"P": 0}, "P is 0; give a number of at least 1"),
        ({"width": float("nan")}, "width is nan"),
        ({"batch": [1, -3]}, "batch is -3"),
        ({"dtype": "fp4"}, "dtype='fp4' is not known"),
        ({"prefix_tokens": -2}, "prefix_tokens is -2; give a number of at least 0"),
        ({"hardware": "A100"}, "hardware is 'A100'; give a Hardware"),
    ],
)
def test_refusals_name_the_value(change, message):
    with pytest.raises(ValueError, match=message):
        estimate(**{"width": 896, "ffn": 4864, **change})


def test_hardware_from_a_file(tmp_path):
    file = tmp_path / "mine.json"
    content = {"name": "mine", "flops": {"bf16": 5e13}, "bandwidth": 6e11, "memory_bytes": 2.4e10}
    file.write_text(json.dumps(content))
    assert read_hardware(file) == Hardware("mine", {"bf16": 5e13}, 6e11, 2.4e10)
    assert read_hardware("A100") is A100
    for missing in content:
        file.write_text(json.dumps({k: v for k, v in content.items() if k != missing}))
        with pytest.raises(ValueError, match=f"field '{missing}' is missing; add it"):
            read_hardware(file)
    for wrong, message in [
        ({**content, "bandwith": 1}, "field 'bandwith' is not known"),
        ({**content, "bandwidth": "fast"}, "bandwidth is 'fast'; give a positive number"),
        ({**content, "flops": 3e14}, "give a JSON object whose flops is"),
        ({**content, "flops": {"fp7": 3e14}}, "dtype 'fp7'"),
    ]:
        file.write_text(json.dumps(wrong))
        with pytest.raises(ValueError, match=message):
            read_hardware(file)
    file.write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        read_hardware(file)
    with pytest.raises(ValueError, match=r"neither known \(a100, h100, h200, laptop\)"):
        read_hardware("b300")
    with pytest.raises(ValueError, match="has no rate for dtype 'int8'"):
        estimate(width=896, ffn=4864, hardware=Hardware("x", {"bf16": 1e12}, 1e9, 1e9), dtype="int8")


def test_shapes_published_and_in_between(architectures):
    published = shape_of("1.6B", architectures)
    assert (published.width, published.ffn, published.N) == (1536, 8320, 1571472384)
    for row in architectures.itertuples():
        between = shape_of(row.nonembedding_params_P1)
        assert between.width == pytest.approx(row.hidden, rel=0.005)
        assert shape_of(row.nonembedding_params_P1, architectures).accounting().N == between.N
    for bad in (-3, "nan", 0.0):
        with pytest.raises(ValueError, match="give a positive number of parameters"):
            shape_of(bad)


def test_training_cost_with_and_without_checkpointing(architectures):
    shape = shape_of("0.7B", architectures).accounting()
    plain, kept = (training_cost(shape, D=3e9, batch=3, checkpointing=c) for c in (False, True))
    assert plain.flops == training_flops(shape, 3e9, 2048)
    assert kept.flops == pytest.approx(plain.flops * 4 / 3)
    assert kept.memory_bytes < plain.memory_bytes
    assert plain.seconds == pytest.approx(plain.flops / (312e12 * 0.7))
    costs = training_costs(shape, D=3e9, batch=3, devices=4)
    assert [(c.P, c.checkpointing) for c in costs] == [(P, c) for P in (1, 2, 4, 8) for c in (False, True)]
    with pytest.raises(ValueError, match="devices is 0"):
        training_cost(shape, D=3e9, batch=3, devices=0)
    with pytest.raises(ValueError, match="give a Hardware"):
        training_cost(shape, D=3e9, batch=3, hardware="A100")
