"""`parscale predict`: losses and equivalent sizes from a fit file."""

import json
from pathlib import Path

import pytest

from parscale.cli.fit import fit_command, predict_command
from tests.scaling.command_line import run
from tests.scaling.own_shapes import written


@pytest.mark.slow
def test_predict(folder: Path) -> None:
    file = str(folder / "parallel-stack-v2-python.json")
    text = run(predict_command, fit=file, N="2.8B", P="4")
    assert "loss 1.015" in text  # a published page prints 1.01548
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
    with pytest.raises(ValueError, match="--P"):
        run(predict_command, fit=file, N="2.8B")


def test_an_own_law_predicts_at_its_own_axes(tmp_path: Path) -> None:
    law, table = written(tmp_path)
    run(fit_command, runs=table, law=law, out=str(tmp_path))
    file = str(tmp_path / "fits" / "DepthLaw-all.json")
    text = run(predict_command, fit=file, law=law, at="width=512,depth=8,64")
    assert "width = 512, depth = 8: loss" in text
    assert "drift along depth" in text.partition("depth = 64")[2]
    for at, says in (
        ("width=3", "--at.*depth="),
        ("width=3,depth=8,N=2", " --N "),
        ("width=x,depth=8", "'x'"),
    ):
        with pytest.raises(ValueError, match=says):
            run(predict_command, fit=file, law=law, at=at)
