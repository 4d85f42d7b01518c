"""`parscale compare`: laws ranked on the same runs."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from parscale.cli.fit import backtest_command, compare_command, predict_command
from parscale.cli.fit.compare_command import compared
from scaling import AdditiveLaw, ParallelLaw
from tests.scaling.command_line import run
from tests.scaling.own_shapes import written


def test_a_folder_of_runs_is_no_fit_and_few_runs_are_said_once(losses: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="parscale fit"):
        run(predict_command, fit=str(tmp_path), N="1e9", P="2")
    losses[:3].to_csv(tmp_path / "three.csv")
    text = run(compare_command, runs=str(tmp_path / "three.csv"), laws="parallel,dense")
    assert "too few runs" in text
    losses[:2].assign(status=["ok", "diverged"]).to_csv(tmp_path / "one.csv")
    said = r"\b1 .*\b3 .*DenseLaw \(1 "
    with pytest.raises(scaling.FitError, match=said):
        run(compare_command, runs=str(tmp_path / "one.csv"), laws="parallel,dense")


def test_compare(losses: pd.DataFrame) -> None:
    body = json.loads(run(compare_command, objective="least-squares", by="corpus", json=True))
    assert body["pile"]["laws"]["ParallelLaw"]["delta_aicc"] > 20
    assert body["pile"]["adequacy"]["ParallelLaw"]["structure_p"] < 0.01
    assert "ChinchillaLaw" not in body["pile"]["laws"]  # D does not vary
    text = run(
        compare_command, objective="least-squares", where="corpus=pile", laws="parallel,dense", holdout="P"
    )
    assert re.search(r"ParallelLaw.*AICc", text)
    assert re.search(r"\bP\b", text)
    with pytest.raises(ValueError, match="'cubic'"):
        run(compare_command, laws="parallel,cubic")


def test_where_takes_numbers_as_they_are_written(tmp_path: Path) -> None:
    for value in ("P=1", "P=1.0"):
        text = run(compare_command, where=f"{value},corpus=pile")
        assert "DenseLaw (converged)" in text
        assert "ParallelLaw" not in text
    with pytest.raises(scaling.FitError, match=r"\bN\b.*\bP\b"):
        run(compare_command, where="N=535813376,corpus=pile")


def test_a_verdict_says_what_its_fits_are_worth(tmp_path: Path) -> None:
    sizes = [1e6 * 2**i for i in range(6)]
    flat = pd.DataFrame({"N": sizes * 2, "P": [1] * 6 + [2] * 6, "loss": 2.5})
    flat.to_csv(tmp_path / "flat.csv")
    text = run(compare_command, runs=str(tmp_path / "flat.csv"), laws="dense,parallel")
    assert "AICc" not in text.splitlines()[-1]
    text = run(backtest_command, runs=str(tmp_path / "flat.csv"))
    assert re.search(r"\((at bound|not identifiable|starts disagree)\)", text)


def test_numbers_in_json_are_whole(pile):
    found = compared(scaling.compare([ParallelLaw, AdditiveLaw], pile))
    assert found["laws"]["ParallelLaw"]["rmse"] == scaling.compare([ParallelLaw], pile).table["rmse"].iloc[0]
    assert np.isfinite(found["laws"]["ParallelLaw"]["rmse"])


@pytest.mark.slow
def test_laws_are_chosen_by_the_axes_that_vary(tmp_path: Path) -> None:
    law, table = written(tmp_path)
    body = json.loads(run(compare_command, runs=table, laws=f"{law},{law}:E=1.7", holdout="depth", json=True))
    assert set(body["all"]["laws"]) == {"DepthLaw", "DepthLaw(E=1.7)"}
    N, experts = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 4), [1, 4, 16]))
    loss = 1.5 + (300 / (N * experts**0.3)) ** 0.3 + 1e-3 * np.sin(np.arange(N.size))
    pd.DataFrame({"N": N, "experts": experts, "D": 1e9, "loss": loss}).to_csv(tmp_path / "experts.csv")
    text = run(compare_command, runs=str(tmp_path / "experts.csv"))
    assert "ExpertsLaw" in text
    assert re.search(r"\bN\b.*\bexperts\b", text)
    assert "ParallelLaw" not in text
