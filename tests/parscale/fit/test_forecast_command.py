"""`parscale forecast` and `parscale score`: from a table to a registered forecast and its score."""

import json

import pytest

import parscale
import scaling
from tests.scaling.command_line import LOSSES

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


def test_a_registered_forecast_is_scored(losses, tmp_path, capsys):
    small = tmp_path / "small.csv"
    losses[(losses.corpus == "pile") & (losses.N < 2e9)].to_csv(small, index=False)
    file = str(tmp_path / "forecast.json")
    sizes = losses[(losses.corpus == "pile") & (losses.P == 1)].N.iloc[-2:].map("{:.0f}".format)
    assert parscale.main(["forecast", str(small), "--N", ",".join(sizes), "--P", "1", "--save", file]) == 0
    capsys.readouterr()
    assert parscale.main(["score", file, LOSSES, *PILE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["coverage"] == 1.0


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
