"""`parscale curves`: fits and forecasts in text and JSON, a figure, and calls that are refused."""

import json
import re

import pytest

from parscale.cli.fit import curves_command
from tests.scaling.command_line import run

FILE = "results/published/tables/loss_curves.csv"
GIVEN = {"file": FILE, "where": "model_M=25", "run": "schedule", "warmup": 2160.0, "law": "annealing"}


def test_text_json_and_figure(tmp_path):
    figure = tmp_path / "curves.png"
    some = GIVEN | {"fit": "constant_24000,cosine_24000", "at": "wsd:steps=30000,peak=3e-4,warmup=2160"}
    text = run(curves_command, **some, figure=str(figure))
    body = json.loads(run(curves_command, **some, json=True))
    assert figure.read_bytes()[:4] == b"\x89PNG"
    assert set(body["laws"]) == {"annealing"}
    assert len(body["forecasts"]) == 8
    assert body["forecasts"][-1]["run"].startswith("wsd:")
    assert 3.1 < body["forecasts"][-1]["loss"] < 3.3
    assert re.search(r"\b7\b", text)
    assert f"{body['laws']['annealing']['table'][0]['estimate']:.5g}" in text


def test_our_own_curves_from_a_sweeps_folder():
    body = json.loads(
        run(curves_command, file="results/sweeps/schedules", loss="val_loss", law="annealing", json=True)
    )
    assert body["laws"]["annealing"]["table"][0]["parameter"] == "L0"
    assert body["forecasts"] == []


@pytest.mark.parametrize(("wrong", "word"), [
    ({"file": "no.csv"}, "no.csv"), ({"where": "model_M=400"}, "400"), ({"where": "size=1"}, "size"), ({"fit": "x"}, "'x'"),
    ({"at": "wsd"}, "steps"), ({"at": "saw:steps=10,peak=1"}, "saw"), ({"level": 3.0}, "level"), ({"loss": "nll"}, "nll"),
])  # fmt: skip
def test_wrong_options_are_refused(wrong, word):
    with pytest.raises(ValueError, match=word):
        run(curves_command, **GIVEN | {"fit": "constant_24000,cosine_24000"} | wrong)
