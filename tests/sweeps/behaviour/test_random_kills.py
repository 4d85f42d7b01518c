"""A sweep whose driver and workers are killed at random moments ends as an undisturbed one does.

Twelve kills of a trainer of a few lines, whose steps take no time to speak of, and one of the real one;
PARSCALE_KILLS sets how many of these (100 for a soak), PARSCALE_KILL_SEED when and whom.
"""

import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch
from safetensors.torch import load_file

KILLS = int(os.environ.get("PARSCALE_KILLS", "1"))
QUICK_KILLS = max(12, KILLS)
SEED = int(os.environ.get("PARSCALE_KILL_SEED", "11"))
HERE = Path(__file__).parents[1]
ROOT = HERE.parents[1]
SWEEP = """
import sys
from dataclasses import replace
from pathlib import Path
from sweeps.config.execution import Execution
from sweeps.grids import Axes, find
from sweeps.driver.run_sweep import run_sweep

if __name__ == "__main__":
    runs = find("ci")(Axes(streams=(1, 2), corpora=(sys.argv[2],), tokens=80_000))
    runs = [replace(run, evaluations=2, eval_tokens=2000) for run in runs]
    result = run_sweep(runs, Path(sys.argv[1]), execution=Execution(checkpoint_minutes=0.01))
    print(result.summary)
    sys.exit(not result.ok)
"""


@pytest.fixture(scope="module")
def start(documents, tmp_path_factory):
    """Start the real sweep."""
    cache = str(tmp_path_factory.mktemp("cache"))

    def begin(out):
        command = [sys.executable, "-c", SWEEP, str(out), documents]
        return popen(command, PARSCALE_CACHE=cache, PYTHONPATH=str(ROOT))

    return begin


def start_quick(out):
    """Start a sweep of the other trainer."""
    command = [sys.executable, str(HERE / "mortal_trainer.py"), str(out)]
    return popen(command, PYTHONPATH=f"{HERE}{os.pathsep}{ROOT}")


def popen(command, **settings):
    return subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True)


def kill_something(driver, generator):
    """Kill the driver, a worker or a helper of multiprocessing, at once and for good."""
    if driver.poll() is not None:
        return False
    try:
        processes = [psutil.Process(driver.pid), *psutil.Process(driver.pid).children(recursive=True)]
        victim = generator.choice(processes)
        victim.kill()
    except psutil.NoSuchProcess:
        return False
    if victim.pid == driver.pid:
        driver.wait()
    return True


def survive(start, folder, kills, pause, training=lambda driver, out: None):
    """A calm sweep, and rough ones as long as there are kills left: the folders of both.

    Kills come after pauses of so many seconds, once a sweep is `training`.
    """
    calm, rough = folder / "calm", [folder / "rough 1"]
    driver = start(calm)
    said, _ = driver.communicate(timeout=300)
    assert driver.returncode == 0, said

    generator = random.Random(SEED)
    driver, killed, deadline = start(rough[-1]), 0, time.monotonic() + 60 + 45 * kills
    while killed < kills and time.monotonic() < deadline:
        training(driver, rough[-1])
        time.sleep(generator.uniform(*pause))
        killed += kill_something(driver, generator)
        if driver.poll() is not None:
            driver.communicate()
            rough += [folder / f"rough {len(rough) + 1}"] * (driver.returncode == 0)
            driver = start(rough[-1])
    said, _ = driver.communicate(timeout=300)
    assert driver.returncode == 0, said
    assert killed == kills
    return calm, rough


def until_a_snapshot(driver, out):
    """Wait until one more is written, or the sweep has ended."""
    before = set(out.glob("checkpoints/*/step-*.ckpt"))
    while driver.poll() is None and set(out.glob("checkpoints/*/step-*.ckpt")) <= before:
        time.sleep(0.01)


def assert_equal_tables(calm, rough):
    """Check that the rows and curves of both sweeps are bit-identical, and return the run identifiers."""
    tables = [pd.read_parquet(out / "runs.parquet") for out in (calm, rough)]
    same = ["run_id", "N", "P", "loss", "loss_se", "train_loss", "status", "config"]
    pd.testing.assert_frame_equal(tables[0][same], tables[1][same], check_exact=True)
    curves = [
        pd.read_parquet(out / "curves.parquet").sort_values(["run_id", "step"], ignore_index=True)
        for out in (calm, rough)
    ]
    pd.testing.assert_frame_equal(curves[0], curves[1], check_exact=True, check_like=True)
    assert not [*rough.rglob("step-*.ckpt"), *rough.rglob("*.damaged")]
    return list(tables[0].run_id)


@pytest.mark.slow
def test_kills_at_random_moments_change_nothing(start, tmp_path):
    calm, several = survive(start, tmp_path, KILLS, pause=(1.0, 12.0))
    for rough in several:
        for run_id in assert_equal_tables(calm, rough):
            files = [out / "checkpoints" / run_id / "model.safetensors" for out in (calm, rough)]
            weights = [load_file(file) for file in files]
            assert weights[0].keys() == weights[1].keys()
            assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


@pytest.mark.slow
def test_many_kills_of_driver_and_workers_change_nothing(tmp_path):
    calm, several = survive(start_quick, tmp_path, QUICK_KILLS, (0.0, 0.5), until_a_snapshot)
    for rough in several:
        for run_id in assert_equal_tables(calm, rough):
            files = [out / "checkpoints" / run_id / "state.json" for out in (calm, rough)]
            assert files[0].read_text() == files[1].read_text()
    log = "".join((rough / "checkpoints" / "workers.log").read_text() for rough in several)
    # Three of the five processes, the driver and its workers, end a run when they are killed.
    assert len(re.findall(r"\bstep \d", log)) >= QUICK_KILLS // 4
