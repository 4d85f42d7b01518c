"""`parscale status`: the state of a sweep as a table and as JSON."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from parscale.cli.train import status_command
from sweeps.store.store import Store

FOLDER = Path(__file__).parents[4] / "results/sweeps/laptop-two-stage"


def test_json_of_a_sweep_is_at_full_precision_and_null_where_nothing_is_known(monkeypatch):
    losses = [2.123456789012345, float("inf"), float("nan")]
    states = status_command.states
    monkeypatch.setattr(status_command, "states", lambda folder: states(folder).head(3).assign(loss=losses))
    text = status_command.run(status_command.Options(sweep=str(FOLDER), json=True))
    rows = json.loads(text, parse_constant=pytest.fail)
    assert [row["loss"] for row in rows] == [2.123456789012345, None, None]
    assert [row["eta_s"] for row in rows] == [None] * 3
    assert all(isinstance(row["N"], int) for row in rows)


def test_status_fits_a_terminal_and_counts(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert status_command.run(status_command.Options(sweep=str(FOLDER))) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(re.search(r"two-stage +64x3 +8 +0 +done +195/195 +3\.1356", line) for line in lines)
    assert lines[-1] == "5 runs: 5 done"


def test_status_tells_what_runs_have_read_of_a_mixture(capsys, monkeypatch):
    name, configs = "mix:0.7*stdlib+0.3*code", Store.configs
    told = {run_id: replace(run, corpus=name) for run_id, run in configs(Store(FOLDER)).items()}
    monkeypatch.setattr(Store, "configs", lambda store: told)
    windows = {(run.start_step + run.steps) * run.batch for run in told.values()}
    rows = json.loads(status_command.run(status_command.Options(sweep=str(FOLDER), json=True)))
    for row in rows:
        assert sum(row["mixture"].values()) == pytest.approx(1)
        assert min(abs(row["mixture"]["stdlib"] - round(0.7 * count) / count) for count in windows) < 1e-12
    status_command.run(status_command.Options(sweep=str(FOLDER)))
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith(name))
    assert re.search(r"(70\.0\d|69\.9\d)% (\D*70\.0\d% )?stdlib, .*% code$", line)
