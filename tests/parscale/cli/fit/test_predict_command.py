"""`parscale predict`: losses and equivalent sizes from a fit file."""

import json
from pathlib import Path

import pytest

from parscale.cli.fit import predict_command
from tests.scaling.command_line import run


def test_predict(folder: Path) -> None:
    file = str(folder / "parallel-stack-v2-python.json")
    text = run(predict_command, fit=file, N="2.8B", P="4")
    assert "loss 1.015" in text  # a published page prints 1.01548
    assert "95% interval of a new run" in text
    assert "outside the data" not in text
    body = json.loads(run(predict_command, fit=file, N="2.8e9,1e12", P="4", json=True))
    point, far = body["points"]
    assert point["loss"] == pytest.approx(1.01548, abs=5e-5)
    assert point["lower"] < point["loss"] < point["upper"]
    assert point["new_lower"] < point["lower"]
    assert point["N at P=1"] == pytest.approx(4.33e9, rel=2e-3)
    assert point["N at P=8"] == pytest.approx(2.38e9, rel=2e-3)
    assert far["inside"] is False
    assert point["widened_by"] == ""
    assert "along N" in far["widened_by"]
    assert far["widened_by"] in run(predict_command, fit=file, N="1e12", P="4")
    with pytest.raises(ValueError, match="needs --P as well"):
        run(predict_command, fit=file, N="2.8B")
