"""`parscale status`: the state of a sweep as a table and as JSON."""

import json
import re
from pathlib import Path

import pytest

from parscale.cli.train import status_command


def test_json_of_a_sweep_is_at_full_precision_and_null_where_nothing_is_known(monkeypatch):
    losses = [2.123456789012345, float("inf"), float("nan")]
    states = status_command.states
    monkeypatch.setattr(status_command, "states", lambda folder: states(folder).head(3).assign(loss=losses))
    folder = Path(__file__).parents[4] / "results/sweeps/laptop-two-stage"
    text = status_command.run(status_command.Options(sweep=str(folder), json=True))
    rows = json.loads(text, parse_constant=pytest.fail)
    assert [row["loss"] for row in rows] == [2.123456789012345, None, None]
    assert [row["eta_s"] for row in rows] == [None] * 3
    assert all(isinstance(row["N"], int) for row in rows)


def test_status_fits_a_terminal_and_counts(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    folder = Path(__file__).parents[4] / "results/sweeps/laptop-two-stage"
    assert status_command.run(status_command.Options(sweep=str(folder))) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(re.search(r"two-stage +64x3 +8 +0 +done +195/195 +3\.1356", line) for line in lines)
    assert lines[-1] == "5 runs: 5 done"
