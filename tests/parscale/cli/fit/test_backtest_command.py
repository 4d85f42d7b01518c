"""`parscale backtest`: small runs fitted, large ones predicted."""

import json

import pytest

from parscale.cli.fit import backtest_command
from tests.scaling.command_line import run


def test_backtest() -> None:
    text = run(backtest_command, by="corpus")
    assert text.count("every one on the same side") == 2
    body = json.loads(run(backtest_command, where="corpus=pile", along="P", json=True))
    assert body["all"]["windows"][-1]["up_to"] == 4
    assert len(body["all"]["points"]) == 6 + 12
    with pytest.raises(ValueError, match=r"--along Q: no such axis or column in .*; use N, P, D, C"):
        run(backtest_command, along="Q")
