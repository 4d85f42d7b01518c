"""The numbers behind the page: fits in doubt and missing measures are null."""

import re

import pandas as pd
import pytest

import scaling
from analysis.explorer.explored_runs import read_sources
from analysis.explorer.explorer_page import page_text
from analysis.explorer.payload import payload


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def test_a_fit_in_doubt_gets_no_interval(tmp_path):
    # Six runs of a tiny grid, trained on the standard library: k ends at zero.
    rows = {
        "N": [12448, 14850, 17220, 46400, 55298, 64132],
        "P": [1, 2, 4, 1, 2, 4],
        "loss": [4.472318, 4.46, 4.457788, 4.255118, 4.23675, 4.232655],
    }
    pd.DataFrame(rows).to_csv(tmp_path / "tiny.csv", index=False)
    (shown,) = payload(read_sources([tmp_path / "tiny.csv"]))["sources"]
    assert shown["laws"]["parallel"]["status"] == "at bound"
    assert shown["laws"]["parallel"]["sensitivities"] is None
    assert not shown["laws"]["parallel"]["sound"]
    assert [shown["laws"]["parallel"][name] for name in ("t", "noise")] == [None, None]


def test_r2_is_told_beside_that_without_p_and_the_error(stack_fits):
    sources = read_sources([stack_fits / f"{name}-stack-v2-python.json" for name in ("parallel", "dense")])
    laws = payload(sources)["sources"][0]["laws"]
    assert laws["parallel"]["withoutP"] == pytest.approx(laws["dense"]["r2"], abs=1e-6)
    assert laws["dense"]["withoutP"] is None
    text = page_text(sources, command="c", origin="o")
    static = re.search(r"<noscript>(.*?)</noscript>", text, re.DOTALL)[1]
    for said in ("R² without P", "RMSE", "<td>0.9978</td>", "<td>0.9017</td>", "<td>0.0026</td>"):
        assert said in static


def test_where_r2_is_no_number_none_is_told(stack_fits, monkeypatch):
    monkeypatch.setattr(scaling.Fit, "r2", float("nan"))
    sources = read_sources([stack_fits / "parallel-stack-v2-python.json"])
    assert payload(sources)["sources"][0]["laws"]["parallel"]["r2"] is None
    assert "<td>none</td>" in page_text(sources, command="c", origin="o")
