"""The bodies of fit, predict, compare, backtest and suggest: text for people, JSON at full precision."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import scaling
from parscale.cli import fit_commands
from tests.scaling.command_line import given


def test_fit_prints_the_papers_numbers_and_saves(folder: Path, tmp_path: Path) -> None:
    text = fit_commands.fit(given(by="corpus", out=str(tmp_path)))
    for digits in (
        "0.6912",
        "1.131e+07",
        "0.1894",
        "0.3935",
        "0.9978",
        "1.2886",
        "1.975e+08",
        "0.1963",
        "0.3344",
        "0.9987",
    ):
        assert digits in text
    assert "24 fitted, 0 left out; 20 degrees of freedom" in text
    assert "their objective is" in text  # the note on the printed constants
    assert sorted(p.name for p in folder.iterdir()) == [
        "additive-beta-0.5-pile.json",
        "additive-beta-0.5-stack-v2-python.json",
        "parallel-pile.json",
        "parallel-stack-v2-python.json",
    ]
    body = json.loads(fit_commands.fit(given(where="corpus=pile", out=str(tmp_path), json=True)))
    assert body["all"]["parameters"]["k"] == pytest.approx(0.33444, abs=1e-5)
    assert list(body["all"]["intervals"]) == ["E", "A", "alpha", "k"]


def test_corpora_or_recipes_fitted_as_one_are_named(losses: pd.DataFrame, tmp_path: Path) -> None:
    said = "rows of more than one corpus (stack-v2-python, pile) are fitted as one; --by corpus takes each"
    assert said in fit_commands.backtest(given(law="dense"))
    assert "fitted as one" not in fit_commands.backtest(given(by="corpus", law="dense"))
    assert "fitted as one" not in fit_commands.backtest(given(where="corpus=pile", law="dense"))
    budgets = losses[losses["corpus"] == "pile"].assign(D=[1e9, 4e10] * 12)
    budgets.to_csv(tmp_path / "budgets.csv")
    rows: dict[str, Any] = {"runs": str(tmp_path / "budgets.csv"), "law": "dense", "out": str(tmp_path)}
    said = "rows of more than one D (1e+09, 4e+10) are fitted as one; --law parallel-data has D in it"
    assert said in fit_commands.fit(given(**rows))
    assert "fitted as one" not in fit_commands.fit(given(**rows | {"law": "chinchilla"}))
    assert "fitted as one" not in fit_commands.fit(given(**rows, by="D"))
    losses.assign(recipe=["scratch", "peft"] * 24).to_csv(tmp_path / "runs.csv")
    text = fit_commands.fit(
        given(runs=str(tmp_path / "runs.csv"), by="corpus", law="dense", out=str(tmp_path))
    )
    assert "more than one recipe (scratch, peft) are fitted as one; --where recipe=... takes one" in text


def test_why_rows_are_in_no_fit_is_said(losses: pd.DataFrame, tmp_path: Path) -> None:
    status = ["diverged", "failed", "diverged", *["ok"] * (len(losses) - 3)]
    losses.assign(status=status).to_csv(tmp_path / "some.csv", index=False)
    said = fit_commands.fit(given(runs=str(tmp_path / "some.csv"), out=str(tmp_path)))
    assert said.splitlines()[-3:].count("left out    2 diverged, 1 failed") == 1


def test_a_folder_of_runs_is_no_fit_and_few_runs_are_said_once(losses: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a folder, not a fit file: write one with `parscale fit"):
        fit_commands.predict(given(fit=str(tmp_path), N="1e9", P="2"))
    losses[:3].to_csv(tmp_path / "three.csv")
    text = fit_commands.compare(given(runs=str(tmp_path / "three.csv"), laws="parallel,dense"))
    assert "too few runs" in text
    assert "usable rows" not in text
    losses[:2].assign(status=["ok", "diverged"]).to_csv(tmp_path / "one.csv")
    said = r"1 usable rows for the 3 parameters of DenseLaw \(1 left out\): add runs"
    with pytest.raises(scaling.FitError, match=said):
        fit_commands.compare(given(runs=str(tmp_path / "one.csv"), laws="parallel,dense"))


def test_predict(folder: Path) -> None:
    file = str(folder / "parallel-stack-v2-python.json")
    text = fit_commands.predict(given(fit=file, N="2.8B", P="4"))
    assert "loss 1.015" in text  # a published page prints 1.01548
    assert "95% interval of a new run" in text
    assert "outside the data" not in text
    body = json.loads(fit_commands.predict(given(fit=file, N="2.8e9,1e12", P="4", json=True)))
    point, far = body["points"]
    assert point["loss"] == pytest.approx(1.01548, abs=5e-5)
    assert point["lower"] < point["loss"] < point["upper"]
    assert point["new_lower"] < point["lower"]
    assert point["N at P=1"] == pytest.approx(4.33e9, rel=2e-3)
    assert point["N at P=8"] == pytest.approx(2.38e9, rel=2e-3)
    assert far["inside"] is False
    with pytest.raises(ValueError, match="needs --P as well"):
        fit_commands.predict(given(fit=file, N="2.8B"))


def test_compare(losses: pd.DataFrame) -> None:
    body = json.loads(fit_commands.compare(given(objective="least-squares", by="corpus", json=True)))
    assert body["pile"]["laws"]["ParallelLaw"]["delta_aicc"] > 20
    assert body["pile"]["adequacy"]["ParallelLaw"]["structure_p"] < 0.01
    assert "ChinchillaLaw" not in body["pile"]["laws"]  # D does not vary
    text = fit_commands.compare(
        given(objective="least-squares", where="corpus=pile", laws="parallel,dense", holdout="P")
    )
    assert "ParallelLaw has the lowest AICc." in text
    assert "hold-out in P" in text
    with pytest.raises(ValueError, match="unknown law 'cubic'"):
        fit_commands.compare(given(laws="parallel,cubic"))


def test_backtest() -> None:
    text = fit_commands.backtest(given(by="corpus"))
    assert text.count("every one on the same side") == 2
    body = json.loads(fit_commands.backtest(given(where="corpus=pile", along="P", json=True)))
    assert body["all"]["windows"][-1]["up_to"] == 4
    assert len(body["all"]["points"]) == 6 + 12
    with pytest.raises(ValueError, match=r"--along Q: no such axis or column in .*; use N, P, D, C"):
        fit_commands.backtest(given(along="Q"))


def test_wrong_options_quote_what_was_given(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--objective 'cubes': known are huber"):
        fit_commands.fit(given(objective="cubes", out=str(tmp_path)))
    with pytest.raises(ValueError, match=r"--by colour: no such column"):
        fit_commands.fit(given(by="colour", out=str(tmp_path)))
    with pytest.raises(ValueError, match=r"--where corpus=wiki: no row of .* there are pile, stack"):
        fit_commands.fit(given(where="corpus=wiki", out=str(tmp_path)))
    with pytest.raises(ValueError, match="write NAME=VALUE"):
        fit_commands.fit(given(columns="N", out=str(tmp_path)))
    with pytest.raises(ValueError, match=r"--holdout Q: no such axis or column"):
        fit_commands.compare(given(holdout="Q"))
    with pytest.raises(ValueError, match=r"--delta -1 must be a positive number"):
        fit_commands.fit(given(delta=-1.0, out=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_options_are_named_as_they_are_given(folder: Path) -> None:
    file = str(folder / "parallel-pile.json")
    for work in (fit_commands.predict, fit_commands.suggest, fit_commands.backtest):
        with pytest.raises(ValueError, match=r"--level 95\.0 must lie"):
            work(given(fit=file, level=95.0))
    with pytest.raises(ValueError, match="--count 0 must be at least 1"):
        fit_commands.suggest(given(fit=file, count=0))
    with pytest.raises(ValueError, match="a budget of 1 FLOPs pays for none of the candidates"):
        fit_commands.suggest(given(fit=file, tokens="1B", budget="1"))
    with pytest.raises(ValueError, match=r"--D: .* is ParallelLaw, a law of N, P; leave --D out"):
        fit_commands.predict(given(fit=file, N="1e9", P="2", D="1e9"))


def test_fixed_laws_round_trip_through_the_command(folder: Path) -> None:
    fit = scaling.Fit.load(folder / "additive-beta-0.5-pile.json")
    assert type(fit.law) is scaling.REGISTRY["additive-half"]


def test_groups_are_all_there_and_named(losses: pd.DataFrame, tmp_path: Path) -> None:
    part = losses.assign(corpus=losses.corpus.where(losses.corpus == "pile"))
    part.to_csv(tmp_path / "runs.csv")
    rows = given(runs=str(tmp_path / "runs.csv"), by="corpus", law="dense", out=str(tmp_path))
    text = fit_commands.fit(rows)
    assert "== none ==" in text
    assert "== pile ==" in text
    losses.assign(corpus=["a b", "a-b"] * 24).to_csv(tmp_path / "runs.csv")
    with pytest.raises(ValueError, match="'a b' and 'a-b' would be one file"):
        fit_commands.fit(rows)
    losses.assign(corpus=["a"] * 46 + ["b"] * 2).to_csv(tmp_path / "runs.csv")
    with pytest.raises(scaling.FitError, match="corpus=b: 2 usable rows"):
        fit_commands.fit(rows)


def test_where_takes_numbers_as_they_are_written(tmp_path: Path) -> None:
    for value in ("P=1", "P=1.0"):
        text = fit_commands.compare(given(where=f"{value},corpus=pile"))
        assert "DenseLaw (converged) is the only law with an AICc: there is none to prefer" in text
        assert "note: P is 1 in every run: no law of P is compared" in text
    assert "no law of P" not in fit_commands.compare(given(where="corpus=pile", laws="parallel,dense"))
    with pytest.raises(scaling.FitError, match="no law to compare: N takes one value, P takes one value"):
        fit_commands.compare(given(where="N=535813376,corpus=pile"))


def test_a_level_is_refused_before_a_file_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="level"):
        fit_commands.fit(given(level=95.0, out=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_a_verdict_says_what_its_fits_are_worth(tmp_path: Path) -> None:
    sizes = [1e6 * 2**i for i in range(6)]
    flat = pd.DataFrame({"N": sizes * 2, "P": [1] * 6 + [2] * 6, "loss": 2.5})
    flat.to_csv(tmp_path / "flat.csv")
    text = fit_commands.compare(given(runs=str(tmp_path / "flat.csv"), laws="dense,parallel"))
    assert "Every law meets the runs exactly" in text
    text = fit_commands.backtest(given(runs=str(tmp_path / "flat.csv")))
    assert "That fit is in doubt (" in text
