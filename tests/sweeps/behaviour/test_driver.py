"""The command line, its trainer and its folder together: watched, stopped and gone on with."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import scaling
from sweeps.training import snapshots

ROOT = Path(__file__).parents[3]


@pytest.fixture
def parscale(documents, tmp_path):
    """Start a command. One run of the ci grid, which takes some seconds, is what `sweep` trains."""
    settings = {**os.environ, "PARSCALE_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    started = []
    grid = ["ci", "--sizes", "64x1", "--streams", "1", "--corpora", documents, "--tokens", "200K"]

    def start(command, *argv):
        words = [*grid, "--out", str(tmp_path / "out"), "--threads", "1"] if command == "sweep" else argv
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "parscale", command, *words],
                env=settings,
                stdout=subprocess.PIPE,
                text=True,
                cwd=tmp_path,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def noted(folder):
    """What its worker says of the only run there is."""
    for path in folder.glob("checkpoints/*/status.json"):
        return json.loads(path.read_text())
    return {}


@pytest.mark.slow
def test_a_sweep_is_watched_from_elsewhere_stopped_by_ctrl_c_and_gone_on_with(parscale, tmp_path):
    driver, deadline = parscale("sweep"), time.monotonic() + 120
    while not noted(tmp_path / "out").get("step") and time.monotonic() < deadline:
        time.sleep(0.05)
    said, _ = parscale("status", "out", "--json").communicate(timeout=60)
    (run,) = json.loads(said)
    assert run["state"] == "running"
    assert 0 < run["step"] < run["steps"]
    assert run["tokens_per_s"] > 0
    assert run["eta_s"] > 0
    driver.send_signal(signal.SIGINT)  # Ctrl-C
    said, _ = driver.communicate(timeout=60)
    assert driver.returncode == 1
    assert "interrupted" in said
    assert "runs.parquet" in said
    assert "Traceback" not in said
    (kept,) = (tmp_path / "out").glob("checkpoints/*/step-*.ckpt")
    assert snapshots.step_of(kept) >= run["step"]
    said, _ = parscale("status", "out").communicate(timeout=60)
    assert "1 interrupted" in said
    again = parscale("sweep")
    said, _ = again.communicate(timeout=200)
    assert again.returncode == 0, said
    assert re.search("1 .* 0 ", said)
    assert list(scaling.read_runs(tmp_path / "out").status) == ["ok"]
    log = (tmp_path / "out" / "checkpoints" / "workers.log").read_text()
    assert f"step {snapshots.step_of(kept)}" in log
