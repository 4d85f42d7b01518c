"""The numbers behind the page: fits in doubt and missing measures are null, and the point that is shown first."""

import numpy as np
import pandas as pd
import pytest

import scaling
from analysis.explorer.explored_runs import read_sources
from analysis.explorer.payload import first_point, law_payload, law_title, payload, source_payload


@pytest.mark.slow
def test_a_fit_in_doubt_gets_no_interval_and_the_page_says_why(tmp_path):
    # Six runs of a tiny grid, trained on the standard library: k ends at zero.
    rows = {
        "N": [12448, 14850, 17220, 46400, 55298, 64132],
        "P": [1, 2, 4, 1, 2, 4],
        "loss": [4.472318, 4.46, 4.457788, 4.255118, 4.23675, 4.232655],
    }
    pd.DataFrame(rows).to_csv(tmp_path / "tiny.csv", index=False)
    (shown,) = payload(read_sources([tmp_path / "tiny.csv"]))["sources"]
    law = shown["laws"]["parallel"]
    assert [law["status"], law["sound"], law["interval"]] == ["at bound", False, None]
    assert "parallel" not in shown["worth"]["laws"]


@pytest.mark.slow
def test_two_laws_of_the_same_runs(stack_fits):
    (source,) = read_sources([stack_fits / f"{name}-stack-v2-python.json" for name in ("parallel", "dense")])
    told = source_payload("s0", source)
    laws = told["laws"]
    assert laws["parallel"]["withoutP"] == pytest.approx(laws["dense"]["r2"], abs=1e-6)
    assert laws["dense"]["withoutP"] is None
    assert told["start"] == "parallel"
    assert first_point(source) == {"N": 2.8e9, "P": 4}
    assert told["axes"]["P"]["levels"] == [1, 2, 4, 8]
    assert len(told["byPoints"]["multiple"]) > 10
    assert told["atLeast"]["P"] == [4, 8]  # the runs of 2.8B that beat every run of P = 1
    assert told["atLeast"]["multiple"] == pytest.approx([4.3532 / 2.7951, 4.3532 / 2.8156], rel=5e-3)
    assert laws["parallel"]["title"].startswith("ParallelLaw: ")
    assert law_title("mine", source.fits["dense"]) == laws["dense"]["short"] == "DenseLaw"
    assert list(told["worth"]["laws"]) == ["parallel"]
    assert not laws["dense"]["lookedAt"]  # no evidence: it knows no P
    assert told["pool"]["weights"]["parallel"] == pytest.approx(source.pool.weights["parallel"], abs=1e-6)


def test_where_r2_is_no_number_none_is_told(stack, monkeypatch):
    fit = scaling.fit("dense", stack)
    source_axes = read_sources([fit])[0].axes
    monkeypatch.setattr(scaling.Fit, "r2", float("nan"))
    assert law_payload("dense", fit, source_axes, False)["r2"] is None


def test_one_size_one_stream_and_one_run_each_have_a_first_point(stack):
    one_size = stack[np.isclose(stack["N"], stack["N"].min(), rtol=0.05)]
    for rows in (one_size, stack[stack["P"] == 1]):
        (source,) = read_sources([scaling.fit("dense", rows)])
        point = first_point(source)
        assert rows["N"].min() * 0.9 <= point["N"] <= rows["N"].max() * 1.1
