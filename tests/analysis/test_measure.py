"""A smoke run of the measurement: real models and clocks, with no assertion about speed."""

import re

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from analysis import measure  # noqa: E402
from analysis.costs.hardware import Hardware  # noqa: E402

HERE = Hardware("here", {"fp32": 1e11}, 2e10, 8e9, 1.0, 1.0)


@pytest.mark.slow
def test_measured_beside_predicted(tmp_path):
    configs = measure.grid(width=64, layers=2, heads=4, vocab=256, streams=(1, 2))
    table = measure.measure(configs, batches=(1,), input_tokens=8, output_tokens=4, hardware=HERE, repeats=2)
    assert table["P"].tolist() == [1, 2]
    assert (table["latency_s"] > 0).all()
    np.testing.assert_allclose(table["predicted_latency_s"], table["roofline_s"] + table["overhead_s"])
    assert (table["predicted_memory_bytes"] > 4 * 64 * 256).all()
    files = measure.write_measured(table, tmp_path, command="a test")
    assert [f.name for f in files] == ["cost.csv", "cost.md", "cost.tex", "cost.png", "cost.pdf", "cost.svg"]
    words = "--width 32 --layers 1 --heads 4 --vocab 64 --P 2 --batch 1 --input-tokens 4 --output-tokens 2"
    assert measure.main([*words.split(), "--repeats", "1", "--out", str(tmp_path / "o")]) == 0
    assert re.search(r"analysis\.measure.*--width.*32", (tmp_path / "o" / "cost.csv").read_text())
    with pytest.raises(SystemExit):
        measure.main(["--P", "0"])
    with pytest.raises(ValueError, match=r"dtype='fp8'.*fp32.*bf16.*fp16"):
        measure.measure(configs, dtype="fp8", hardware=HERE)


def test_the_median_is_taken_after_a_warm_up():
    calls = []
    measure.median_s(lambda: calls.append(1), torch.device("cpu"), repeats=3)
    assert len(calls) == 4


@pytest.mark.slow
def test_calibration_finds_positive_rates():
    found = measure.calibrate()
    assert found.reached_flops("fp32") > 1e9
    assert found.reached_bandwidth > 1e8
    assert found.name
