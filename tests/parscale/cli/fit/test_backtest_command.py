"""`parscale backtest`: small runs fitted, large ones predicted."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from parscale.cli.fit import backtest_command
from tests.scaling.command_line import run
from tests.scaling.own_shapes import written


@pytest.mark.slow
def test_backtest() -> None:
    text = run(backtest_command, by="corpus")
    assert all(f"== {corpus} ==" in text for corpus in ("pile", "stack-v2-python"))
    body = json.loads(run(backtest_command, where="corpus=pile", along="P", json=True))
    assert body["all"]["windows"][-1]["up_to"] == 4
    assert len(body["all"]["points"]) == 6 + 12
    with pytest.raises(ValueError, match=r"--along Q: .* N, P, D, C"):
        run(backtest_command, along="Q")


def test_without_a_law_it_takes_that_of_the_axes_that_vary(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    N, D = (a.ravel() for a in np.meshgrid([1e7, 3e7, 1e8, 3e8], [1e9, 4e9, 2e10], indexing="ij"))
    loss = scaling.ChinchillaLaw(E=1.7, A=400, B=1200, alpha=0.34, beta=0.36).predict(N=N, D=D)
    pd.DataFrame({"N": N, "D": D, "loss": loss}).to_csv(table, index=False)
    body = json.loads(run(backtest_command, runs=str(table), json=True))
    assert body["all"]["law"] == "ChinchillaLaw"


@pytest.mark.slow
def test_an_own_law_is_backtested_along_its_own_axis(tmp_path: Path) -> None:
    law, table = written(tmp_path)
    body = json.loads(run(backtest_command, runs=table, law=law, along="depth", json=True))
    assert {window["up_to"] for window in body["all"]["windows"]} <= {4, 8, 16}
    assert re.search(r"DepthLaw\(E=1.7\).*\bwidth\b", run(backtest_command, runs=table, law=f"{law}:E=1.7"))
    with pytest.raises(ValueError, match=r"--along.*colour.*P.*width.*depth"):
        run(backtest_command, runs=table, law=law, along="colour")
