"""`parscale backtest`: small runs fitted, large ones predicted."""

import json
from pathlib import Path

import pytest

from parscale.cli.fit import backtest_command
from tests.scaling.command_line import run
from tests.scaling.own_shapes import written


@pytest.mark.slow
def test_backtest() -> None:
    text = run(backtest_command, by="corpus")
    assert text.count("every one on the same side") == 2
    body = json.loads(run(backtest_command, where="corpus=pile", along="P", json=True))
    assert body["all"]["windows"][-1]["up_to"] == 4
    assert len(body["all"]["points"]) == 6 + 12
    with pytest.raises(ValueError, match=r"--along Q: no such axis or column in .*; use N, P, D, C"):
        run(backtest_command, along="Q")


@pytest.mark.slow
def test_an_own_law_is_backtested_along_its_own_axis(tmp_path: Path) -> None:
    law, table = written(tmp_path)
    body = json.loads(run(backtest_command, runs=table, law=law, along="depth", json=True))
    assert {window["up_to"] for window in body["all"]["windows"]} <= {4, 8, 16}
    assert "fitted up to width" in run(backtest_command, runs=table, law=f"{law}:E=1.7")
    with pytest.raises(ValueError, match=r"--along colour: no such axis or column.*use P, width, depth"):
        run(backtest_command, runs=table, law=law, along="colour")
