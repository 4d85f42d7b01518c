"""`parscale optimum`: three estimates, the figure, units and refusals."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from parscale.cli.decide import optimum_command
from tests.scaling.command_line import run
from tests.scaling.isoflop_runs import closed_form, isoflop_runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "iso.csv"
    pd.DataFrame(isoflop_runs(2e-3)).to_csv(path, index=False)
    return path


def test_the_estimates_are_printed_and_the_figure_written(runs: Path, tmp_path: Path) -> None:
    figure = tmp_path / "iso.svg"
    text = run(optimum_command, runs=str(runs), flops="1e22", figure=str(figure))
    assert all(name in text for name in ("isoFLOP minima", "envelope", "parametric fit"))
    assert str(figure) in text
    assert figure.read_bytes()[:4] == b"<?xm"


def test_json_holds_every_number(runs: Path) -> None:
    body = json.loads(run(optimum_command, runs=str(runs), flops="1e22", json=True))
    row = body["estimates"]["isoFLOP minima"]
    assert row["N_lower"] < closed_form(1e22) < row["N_upper"]
    assert len(body["budgets"]) == 6
    assert body["budgets"][0]["standard_error"] > 0
    assert body["flops"] == 1e22


def test_units_and_refusals(runs: Path, tmp_path: Path) -> None:
    scaled = tmp_path / "billions.csv"
    pd.read_csv(runs).assign(D=lambda t: t.D / 1e9).to_csv(scaled, index=False)
    with pytest.raises(ValueError, match=r"--units.*D=billions"):
        run(optimum_command, runs=str(scaled), flops="1e22")
    assert "parametric fit" in run(optimum_command, runs=str(scaled), flops="1e22", units="D=billions")
    days = tmp_path / "days.csv"
    pd.read_csv(runs).assign(C=lambda t: 6 * t.N * t.D / 8.64e19).to_csv(days, index=False)
    read, told = (run(optimum_command, runs=str(days), flops="1e22", units=u) for u in (None, "C=PF-days"))
    assert re.search(r"C.*PF-days", read)
    assert told == read
    with pytest.raises(ValueError, match="D=parsecs"):
        run(optimum_command, runs=str(scaled), flops="1e22", units="D=parsecs")
    with pytest.raises(ValueError, match="--figure"):
        run(optimum_command, runs=str(runs), flops="1e22", figure="iso.doc")
    with pytest.raises(ValueError, match="--figure"):
        run(optimum_command, runs=str(runs), flops="1e22", figure=str(tmp_path / "none" / "iso.png"))
    with pytest.raises(ValueError, match="lots"):
        run(optimum_command, runs=str(runs), flops="lots")
