"""Accuracy and cost of answers, counted and measured."""

from dataclasses import replace

import pytest
import torch

from sweeps.inspect import inference_scaling
from sweeps.inspect.inference_scaling import Asking, question_flops, time_answering
from sweeps.model.parscale import ParScaleLM
from tests.sweeps.untrained_answers import MODEL, untrained_sweep

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def asked_sweep(tmp_path, monkeypatch):
    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(inference_scaling, "REPEATS", 1)
    return untrained_sweep(tmp_path / "s")


def test_every_way_of_answering_has_its_row(asked_sweep):
    asking = Asking(4, 6, loops=(1, 3))
    table = inference_scaling.measure_inference(asked_sweep, asking)
    ways = {"greedy", "one", "vote", "likeliest", "pass"}
    assert {*table["way"]} == ways
    assert sorted({*zip(table["P"], table["r"], table["steps"], strict=True)}) == [
        (1, 1, 2),
        (1, 2, 2),
        (1, 3, 2),
        (2, 1, 0),
    ]
    assert {*table["size"]} == {"16x3"}
    assert len(table) == 4 * (2 + 3 * 2)
    assert table["accuracy"].between(0, 1).all()
    assert (table.loc[table["way"] == "vote"].groupby(["P", "r"])["flops"].diff().dropna() > 0).all()
    found = inference_scaling.measure_inference(asked_sweep, asking)
    assert found["latency_s_1"].tolist() == table["latency_s_1"].tolist()  # not asked again
    again = inference_scaling.measure_inference(asked_sweep, Asking(2, 6))
    assert {*again["asked"]} == {str(Asking(2, 6))}


def test_flops_and_memory_are_those_of_the_model():
    run = replace(MODEL, P=2)
    whole = 9 * run.forward_flops(9)
    assert question_flops(run, 5, 5, 1) == pytest.approx(whole)
    prompt = 5 * run.forward_flops(5)
    assert question_flops(run, 5, 5, 3) == pytest.approx(prompt + 3 * (whole - prompt))
    model = ParScaleLM(run)
    with torch.inference_mode():
        seconds, held = time_answering(model, batch=2, prompt=5, tokens=4, samples=3)
    keys = 2 * run.layers * run.P * 2 * 3 * (run.K + 9) * run.kv_heads * run.head_size
    assert held == 4 * (sum(p.numel() for p in model.parameters()) + keys)
    assert seconds > 0
    with pytest.raises(ValueError, match="0 samples"):
        Asking(samples=0)
    with pytest.raises(ValueError, match="temperature 0"):
        Asking(temperature=0.0)
