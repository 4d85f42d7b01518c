"""A search over a sweep's runs: who is stopped, what is found, and that kills and workers change nothing."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from sweeps.corpora import build as corpora
from sweeps.driver.search_sweep import search_sweep
from sweeps.grids.forecast_losers import forecast_losers
from sweeps.grids.grids import Axes, find
from sweeps.grids.search import Search, read_search
from sweeps.store.status import sweep_status
from sweeps.store.store import Store
from tests.sweeps.searched_trainer import search
from tests.sweeps.small_run import ONE, config

HERE = Path(__file__).parents[1]
ROOT = HERE.parents[1]


@pytest.fixture
def quiet(monkeypatch):
    monkeypatch.setattr(corpora, "bind", corpora.bind)  # the trainer's module replaces it
    monkeypatch.setattr("sweeps.driver.run_sweep.POLL_S", 0.05)
    monkeypatch.syspath_prepend(HERE)
    return {"console": Console(file=io.StringIO(), width=200)}


def ends(folder):
    """How every run ended, by P and learning rate."""
    table = pd.read_parquet(folder / "runs.parquet").sort_values(["P", "lr"])
    return table[["P", "lr", "status", "ended_step", "loss", "ended_why"]].reset_index(drop=True)


@pytest.mark.slow
def test_a_search_ends_losers_and_brackets_the_best_whatever_was_killed(quiet, tmp_path):
    result = search(tmp_path / "whole", **quiet)
    assert result.ok
    whole = ends(tmp_path / "whole")
    ok = whole[whole["status"] == "ok"]
    best = ok.loc[ok.groupby("P")["loss"].idxmin()].set_index("P")["lr"]
    assert best.to_dict() == {1: 0.1, 2: 0.0268}
    assert {P: max(rows["lr"]) for P, rows in ok.groupby("P")} == {
        1: 0.373,
        2: 0.1,
    }  # one beyond the range
    stopped = whole[whole["status"] == "stopped"]
    assert set(ok.groupby("P").size()) == {6}
    assert set(stopped["ended_step"]) == {5.0}
    assert stopped["ended_why"].str.contains("lr").all()
    status = sweep_status(tmp_path / "whole")
    assert sorted(status.loc[status["state"] == "stopped", "step"]) == sorted(stopped["ended_step"])
    table = Store(tmp_path / "whole").table()
    assert "lr" in table["searched"].iloc[0]
    assert not list((tmp_path / "whole").glob("checkpoints/*/step-*.ckpt"))
    again = search(tmp_path / "whole", **quiet)
    assert (again.ok, again.lines) == (True, result.lines)

    killed = 0
    while killed < 4:
        command = [sys.executable, str(HERE / "searched_trainer.py"), str(tmp_path / "killed")]
        path = f"{HERE}{os.pathsep}{ROOT}"
        driver = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": path, "SLOWLY": "0.02"}, start_new_session=True
        )
        time.sleep(1.0 + 0.6 * killed)
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
        killed += 1
    after = search(tmp_path / "killed", workers=1, **quiet)
    assert after.lines[:-1] == result.lines[:-1]
    pd.testing.assert_frame_equal(ends(tmp_path / "killed"), whole)


@pytest.mark.slow
def test_a_hopeless_learning_rate_is_ended_by_its_forecast_in_real_training(corpus, tmp_path):
    """One value hardly trains: it ends half-way with its forecast, whatever is called again, and is not trained on."""
    run = config(corpus, steps=60, log_points=30, sweep="ci")
    asked = Search("lr", (1e-6, 3e-3, 3e-2), rungs=(0.5,), around=1, hopeless=forecast_losers)
    found = [
        search_sweep([run], asked, tmp_path / "out", name="ci", workers=1, execution=ONE) for _ in range(2)
    ]
    assert found[0].ok
    assert found[0].lines == found[1].lines
    table = ends(tmp_path / "out").set_index("lr")
    assert (table.loc[1e-6, "status"], table.loc[1e-6, "ended_step"]) == ("stopped", 30)
    assert "%" in table.loc[1e-6, "ended_why"]
    assert (table.loc[[3e-3, 3e-2], "status"] == "ok").all()  # beyond them, at 5.2, a run may diverge
    status = sweep_status(tmp_path / "out").set_index("lr").loc[1e-6]
    assert (status["state"], status["step"], status["error"]) == ("stopped", 30, table.loc[1e-6, "ended_why"])


def test_a_point_that_diverges_everywhere_is_named_and_is_no_success(quiet, tmp_path):
    result = search(tmp_path / "out", streams=(4,), **quiet)
    assert not result.ok
    assert result.sweep.ok
    assert "0.001" in result.lines[0]
    assert "0.1" in result.lines[0]
    assert set(ends(tmp_path / "out")["status"]) == {"diverged"}
    assert set(sweep_status(tmp_path / "out")["error"]) == {"asked to"}


def test_runs_of_two_stages_are_refused(tmp_path):
    runs = find("ci")(Axes(recipe="two-stage", stage2_share=0.5))
    with pytest.raises(ValueError, match="--search"):
        search_sweep(runs, read_search("lr=0.1..1"), tmp_path / "none")
    assert not (tmp_path / "none").exists()
