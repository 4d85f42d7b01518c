"""`parscale advise`: what to take, its interval, and no answer as exit code 1."""

import json
import re

import pandas as pd
import pytest

import parscale
import scaling


def test_the_command_says_what_to_take_with_its_interval(tmp_path, capsys, request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    words = ["advise", "--loss", "1.05", "--memory", "4GB", "--latency", "0.6s", "--out", str(tmp_path)]
    assert parscale.main(words) == 0
    said = capsys.readouterr().out
    assert re.search(
        r"take N = 1\.4B, P = 8: loss 1\.0500 \(1\.0[234]\d\d to 1\.0[567]\d\d\), 0\.127 s, 3\.06 GiB", said
    )
    assert "nan" not in said
    assert {path.name for path in tmp_path.iterdir()} == {"frontier.png", "frontier.pdf"}


@pytest.fixture(scope="module")
def fit(stack):
    return scaling.fit(scaling.ParallelLaw, stack)


def test_a_fit_of_ones_own_has_its_frontier_beside_it_and_no_answer_is_exit_1(tmp_path, capsys, fit):
    path = tmp_path / "mine/fits/parallel.json"
    path.parent.mkdir(parents=True)
    fit.save(path)
    assert parscale.main(["advise", "--fit", str(path), "--loss", "1.05", "--memory", "1MB"]) == 1
    assert "nothing meets every limit" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "mine/figures").iterdir()} == {"frontier.png", "frontier.pdf"}
    assert parscale.main(["advise", "--fit", str(path), "--loss", "0.5", "--json"]) == 1


def test_a_law_without_streams_is_refused(capsys, tmp_path):
    runs = pd.DataFrame({"N": [1e7, 4e7, 2e8, 1e9], "loss": [3.1, 2.7, 2.3, 2.1]})
    scaling.fit(scaling.DenseLaw, runs).save(tmp_path / "dense.json")
    assert parscale.main(["advise", "--fit", str(tmp_path / "dense.json"), "--loss", "2.5"]) == 2
    assert "DenseLaw is no law of N and P" in capsys.readouterr().err


def test_json_has_null_for_what_is_not_known(capsys):
    assert parscale.main(["advise", "--memory", "4GB", "--json"]) == 0
    said = capsys.readouterr().out
    assert "NaN" not in said
    assert json.loads(said)["options"][0]["N_lower"] is None
