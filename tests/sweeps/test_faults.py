"""A sweep whose driver and workers are killed at random moments ends as an undisturbed one does.

PARSCALE_KILLS sets how many kills (20 for a soak); PARSCALE_KILL_SEED when and whom.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch
from safetensors.torch import load_file

KILLS = int(os.environ.get("PARSCALE_KILLS", "4"))
ROOT = Path(__file__).parents[2]
SWEEP = """
import sys
from dataclasses import replace
from pathlib import Path
from sweeps.execution import Execution
from sweeps.grids import Axes, find
from sweeps.launch import run_sweep

if __name__ == "__main__":
    runs = find("ci")(Axes(streams=(1, 2), corpora=(sys.argv[2],), tokens=80_000))
    runs = [replace(run, evaluations=2, eval_tokens=2000) for run in runs]
    result = run_sweep(runs, Path(sys.argv[1]), execution=Execution(checkpoint_minutes=0.01))
    print(result.summary)
    sys.exit(not result.ok)
"""


@pytest.fixture(scope="module")
def start(documents, tmp_path_factory):
    cache = str(tmp_path_factory.mktemp("cache"))
    settings = {**os.environ, "PARSCALE_CACHE": cache, "PYTHONPATH": str(ROOT)}

    def begin(out):
        command = [sys.executable, "-c", SWEEP, str(out), documents]
        return subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, text=True)

    return begin


def kill_something(driver, generator):
    """Kill the driver, the process its workers are forked from or a worker, at once and for good."""
    try:
        processes = [psutil.Process(driver.pid), *psutil.Process(driver.pid).children(recursive=True)]
        victim = generator.choice(processes)
        victim.kill()
    except psutil.NoSuchProcess:
        return False
    if victim.pid == driver.pid:
        driver.wait()
    return True


@pytest.mark.slow
def test_kills_at_random_moments_change_nothing(start, tmp_path):
    calm = start(tmp_path / "calm")
    said, _ = calm.communicate(timeout=300)
    assert calm.returncode == 0, said

    generator = random.Random(int(os.environ.get("PARSCALE_KILL_SEED", "11")))
    driver, killed, deadline = start(tmp_path / "rough"), 0, time.monotonic() + 60 + 45 * KILLS
    while killed < KILLS and time.monotonic() < deadline:
        time.sleep(generator.uniform(1.0, 12.0))
        killed += kill_something(driver, generator)
        if driver.poll() is not None:
            driver.communicate()
            driver = start(tmp_path / "rough")
    said, _ = driver.communicate(timeout=300)
    assert driver.returncode == 0, said
    assert killed == KILLS

    tables = [pd.read_parquet(tmp_path / name / "runs.parquet") for name in ("calm", "rough")]
    same = ["run_id", "N", "P", "loss", "loss_se", "train_loss", "status", "config"]
    pd.testing.assert_frame_equal(tables[0][same], tables[1][same], check_exact=True)
    curves = [
        pd.read_parquet(tmp_path / name / "curves.parquet").sort_values(["run_id", "step"], ignore_index=True)
        for name in ("calm", "rough")
    ]
    pd.testing.assert_frame_equal(curves[0], curves[1], check_exact=True, check_like=True)
    for run_id in tables[0].run_id:
        weights = [
            load_file(tmp_path / name / "checkpoints" / run_id / "model.safetensors")
            for name in ("calm", "rough")
        ]
        assert weights[0].keys() == weights[1].keys()
        assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert not list((tmp_path / "rough").rglob("step-*.ckpt"))
