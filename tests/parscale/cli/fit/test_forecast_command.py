"""`parscale forecast`: what the function gives, as a command."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

import parscale
import scaling
from parscale.cli.fit import forecast_command, score_command
from tests.scaling.command_line import LOSSES, run
from tests.scaling.own_shapes import shapes, written

PILE = ("--where", "corpus=pile")


def test_the_command_gives_what_the_function_gives(losses, capsys):
    assert parscale.main(["forecast", LOSSES, *PILE, "--N", "30B", "--P", "8", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    made = scaling.forecast(losses[losses.corpus == "pile"], N="30B", P=8)
    assert told["loss"] == pytest.approx(made.loss.tolist())
    assert told["lower"] == pytest.approx(made.lower.tolist())


def test_corpora_forecast_as_one_are_named(capsys):
    assert parscale.main(["forecast", LOSSES, "--N", "30B", "--P", "8"]) == 0
    assert "corpus" in capsys.readouterr().out
    assert parscale.main(["forecast", LOSSES, *PILE, "--N", "30B", "--P", "8"]) == 0
    assert "corpus" not in capsys.readouterr().out


@pytest.mark.slow
def test_each_value_of_a_column_is_forecast_apart(losses, tmp_path, capsys):
    file = tmp_path / "far.json"
    call = ["forecast", LOSSES, "--by", "corpus", "--N", "30B", "--P", "8"]
    assert parscale.main([*call, "--json", "--save", str(file)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"pile", "stack-v2-python"}
    for corpus, one in told.items():
        made = scaling.forecast(losses[losses.corpus == corpus], N="30B", P=8)
        assert one["upper"] == pytest.approx(made.upper.tolist())
        assert scaling.Forecast.load(tmp_path / f"far-{corpus}.json").upper[0] == pytest.approx(made.upper[0])
    assert parscale.main(call) == 0
    said = capsys.readouterr().out
    assert "== pile ==" in said
    assert "--by" not in said


def test_columns_of_weights_and_runs_are_used(losses, tmp_path, capsys):
    pile = losses[losses.corpus == "pile"].assign(count=1, name=range(24))
    twice = pd.concat([pile, pile.assign(loss=pile.loss * 1.002)])
    twice.to_csv(tmp_path / "twice.csv", index=False)
    call = ["forecast", str(tmp_path / "twice.csv"), "--N", "5B", "--P", "8", "--json"]
    found = {}
    none = ("--groups", "none")
    for words in (none, ("--weights", "count", *none), ("--groups", "name")):
        assert parscale.main([*call, *words]) == 0
        found[words] = json.loads(capsys.readouterr().out)
    assert found[none]["upper"] == pytest.approx(found["--weights", "count", *none]["upper"])
    width = {words: one["upper"][0] - one["lower"][0] for words, one in found.items()}
    assert width["--groups", "name"] > 1.1 * width[none]
    assert parscale.main([*call, "--se", "absent"]) == 2
    assert "absent" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("forecast", LOSSES, *PILE),  # no point
        ("forecast", LOSSES, *PILE, "--N", "30B", "--P", "8", "--level", "1"),
        ("forecast", LOSSES, *PILE, "--N", "many", "--P", "8"),
        ("forecast", LOSSES, *PILE, "--N", "30B", "--P", "8", "--laws", "none"),
        ("forecast", LOSSES, *PILE, "--N", "30B", "--P", "8", "--save", "absent/forecast.json"),
        ("score", LOSSES, LOSSES),
        ("score", "absent.json", LOSSES),
    ],
)
def test_a_wrong_call_ends_with_2(words, capsys):
    assert parscale.main(list(words)) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_an_own_law_is_forecast_at_its_own_axes(tmp_path: Path) -> None:
    law, table = written(tmp_path)
    more = {"runs": table, "laws": law, "at": "width=4096,8192,depth=32"}
    text = run(forecast_command, **more, save=str(tmp_path / "made.json"))
    assert "width = 8192, depth = 32" in text
    made = scaling.Forecast.load(tmp_path / "made.json")
    assert made.points.width.tolist() == [4096, 8192]
    assert list(made.laws) == ["DepthLaw"]
    new = shapes()[:2].assign(width=[4096, 8192], depth=32, loss=made.loss)
    new.to_csv(tmp_path / "new.csv")
    said = run(score_command, forecast=str(tmp_path / "made.json"), runs=str(tmp_path / "new.csv"))
    assert re.search(r"\b2 .*\b2 ", said)
    with pytest.raises(ValueError, match="depth"):
        run(forecast_command, **{**more, "at": "width=4096"})
