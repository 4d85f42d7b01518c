"""`parscale fit`: text for people, JSON at full precision, files saved."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import parscale
import scaling
from parscale.cli.decide import suggest_command
from parscale.cli.fit import backtest_command, compare_command, fit_command, predict_command
from tests.scaling.command_line import run


@pytest.mark.slow
def test_fit_prints_the_papers_numbers_and_saves(folder: Path, tmp_path: Path) -> None:
    text = run(fit_command, by="corpus", out=str(tmp_path), details=True)
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
    assert re.search(r"\b24\b.*\b20\b", text)
    assert re.search(r"\bk 0\.3935\b.*R2 0\.9978", " ".join(text.split()))  # the printed constants
    assert sorted(p.name for p in folder.iterdir()) == [
        "additive-beta-0.5-pile.json",
        "additive-beta-0.5-stack-v2-python.json",
        "parallel-pile.json",
        "parallel-stack-v2-python.json",
    ]
    body = json.loads(run(fit_command, where="corpus=pile", out=str(tmp_path), json=True))
    assert body["all"]["parameters"]["k"] == pytest.approx(0.33444, abs=1e-5)
    assert list(body["all"]["intervals"]) == ["E", "A", "alpha", "k"]


@pytest.mark.slow
def test_corpora_or_recipes_fitted_as_one_are_named(losses: pd.DataFrame, tmp_path: Path) -> None:
    said = "(stack-v2-python, pile)"
    squares: dict[str, Any] = {"law": "dense", "objective": "least-squares"}  # quicker, and the same is said
    assert said in run(backtest_command, **squares)
    assert said not in run(backtest_command, by="corpus", **squares)
    assert said not in run(backtest_command, where="corpus=pile", **squares)
    budgets = losses[losses["corpus"] == "pile"].assign(D=[1e9, 4e10] * 12)
    budgets.to_csv(tmp_path / "budgets.csv")
    rows: dict[str, Any] = squares | {"runs": str(tmp_path / "budgets.csv"), "out": str(tmp_path)}
    said = "(1e+09, 4e+10)"
    text = run(fit_command, **rows)
    assert said in text
    assert "--law parallel-data" in text
    assert said not in run(fit_command, **rows | {"law": "chinchilla"})
    assert said not in run(fit_command, **rows, by="D")
    losses.assign(recipe=["scratch", "peft"] * 24).to_csv(tmp_path / "runs.csv")
    text = run(fit_command, **rows | {"runs": str(tmp_path / "runs.csv")}, by="corpus")
    assert re.search(r"\(scratch, peft\).*--by recipe", text)


@pytest.mark.slow
def test_why_rows_are_in_no_fit_is_said(losses: pd.DataFrame, tmp_path: Path) -> None:
    status = ["diverged", "failed", "diverged", *["ok"] * (len(losses) - 3)]
    losses.assign(status=status).to_csv(tmp_path / "some.csv", index=False)
    said = run(fit_command, runs=str(tmp_path / "some.csv"), out=str(tmp_path))
    assert said.splitlines()[-3:].count("left out    2 diverged, 1 failed") == 1


def test_wrong_options_quote_what_was_given(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--objective.*'cubes'"):
        run(fit_command, objective="cubes", out=str(tmp_path))
    with pytest.raises(ValueError, match=r"--by.*colour"):
        run(fit_command, by="colour", out=str(tmp_path))
    with pytest.raises(ValueError, match=r"--where.*corpus=wiki"):
        run(fit_command, where="corpus=wiki", out=str(tmp_path))
    with pytest.raises(ValueError, match="NAME=VALUE"):
        run(fit_command, columns="N", out=str(tmp_path))
    with pytest.raises(ValueError, match=r"--holdout.*Q"):
        run(compare_command, holdout="Q")
    with pytest.raises(ValueError, match=r"--delta.*-1"):
        run(fit_command, delta=-1.0, out=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_options_are_named_as_they_are_given(folder: Path) -> None:
    file = str(folder / "parallel-pile.json")
    for work in (predict_command, suggest_command, backtest_command):
        with pytest.raises(ValueError, match=r"--level.*95\.0"):
            run(work, level=95.0, **({} if work is backtest_command else {"fit": file}))
    with pytest.raises(ValueError, match=r"--count.*0.*1"):
        run(suggest_command, fit=file, count=0)
    with pytest.raises(ValueError, match=r"budget.*1.*FLOPs"):
        run(suggest_command, fit=file, tokens="1B", budget="1")
    with pytest.raises(ValueError, match=r"--D.*ParallelLaw.*N.*P"):
        run(predict_command, fit=file, N="1e9", P="2", D="1e9")


def test_fixed_laws_round_trip_through_the_command(folder: Path) -> None:
    fit = scaling.Fit.load(folder / "additive-beta-0.5-pile.json")
    assert fit.form == scaling.REGISTRY["additive-half"]


@pytest.mark.slow
def test_groups_are_all_there_and_named(losses: pd.DataFrame, tmp_path: Path) -> None:
    part = losses.assign(corpus=losses.corpus.where(losses.corpus == "pile"))
    part.to_csv(tmp_path / "runs.csv")
    rows: dict[str, Any] = {
        "runs": str(tmp_path / "runs.csv"),
        "by": "corpus",
        "law": "dense",
        "out": str(tmp_path),
    }
    text = run(fit_command, **rows)
    assert "== none ==" in text
    assert "== pile ==" in text
    losses.assign(corpus=["a b", "a-b"] * 24).to_csv(tmp_path / "runs.csv")
    with pytest.raises(ValueError, match=r"b.*'a-b'"):
        run(fit_command, **rows)


def test_a_level_is_refused_before_a_file_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="level"):
        run(fit_command, level=95.0, out=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_group_too_small_does_not_end_the_others(losses: pd.DataFrame, tmp_path: Path, capsys: Any) -> None:
    rows = losses.assign(corpus=[*losses["corpus"][:-2], "tiny", "tiny"])
    rows.to_csv(tmp_path / "runs.csv", index=False)
    words = [str(tmp_path / "runs.csv"), "--by", "corpus", "--objective", "least-squares"]
    assert parscale.main(["fit", *words, "--out", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert "== pile ==" in told.out
    assert re.search(r"corpus=tiny.*2.*4", told.err)
    names = {path.name for path in (tmp_path / "fits").iterdir()}
    assert names == {"parallel-pile.json", "parallel-stack-v2-python.json"}
    for command in ("compare", "backtest"):
        assert parscale.main([command, *words, "--json"]) == 1
        told = capsys.readouterr()
        assert set(json.loads(told.out)) == {"pile", "stack-v2-python"}
        assert "corpus=tiny" in told.err
    rows[rows["corpus"] == "tiny"].to_csv(tmp_path / "runs.csv", index=False)
    assert parscale.main(["fit", *words, "--out", str(tmp_path)]) == 2  # no group could be fitted
    assert re.search(r"corpus=tiny.*2", capsys.readouterr().err)
