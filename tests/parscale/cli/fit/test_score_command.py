"""`parscale score`: a registered forecast against the runs."""

import json

import parscale
from tests.scaling.command_line import LOSSES

PILE = ("--where", "corpus=pile")


def test_a_registered_forecast_is_scored(losses, tmp_path, capsys):
    small = tmp_path / "small.csv"
    losses[(losses.corpus == "pile") & (losses.N < 2e9)].to_csv(small, index=False)
    file = str(tmp_path / "forecast.json")
    sizes = losses[(losses.corpus == "pile") & (losses.P == 1)].N.iloc[-2:].map("{:.0f}".format)
    assert parscale.main(["forecast", str(small), "--N", ",".join(sizes), "--P", "1", "--save", file]) == 0
    capsys.readouterr()
    assert parscale.main(["score", file, LOSSES, *PILE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["coverage"] == 1.0
