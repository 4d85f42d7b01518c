"""Launchers of clusters: real Ray with a lost node, an element of a fake Slurm at its time limit, refusals."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pytest

import parscale
from parscale.cli.options import read_options
from parscale.cli.train import sweep_command
from sweeps.driver.clusters.ray_cluster import RayLauncher
from sweeps.driver.clusters.slurm import SlurmLauncher
from sweeps.driver.run_sweep import find_launcher

HERE = Path(__file__).parents[1]
ENDS = ["status", "ended_step", "ended_why", "loss"]
SAME = ["run_id", "N", "P", "loss", "loss_se", "train_loss", "status"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    quiet = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}
    cache = str(tmp_path_factory.mktemp("cache"))
    path = f"{HERE}{os.pathsep}{HERE.parents[1]}"
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as short:  # sockets: 107 bytes
        quiet |= {"RAY_TMPDIR": short, "RAY_NODE_IP_ADDRESS": "127.0.0.1"}
        yield {**os.environ, **quiet, "PARSCALE_CACHE": cache, "PYTHONPATH": path}


def program(*argv, settings):
    command = [sys.executable, str(HERE / "cluster_sweep.py"), *map(str, argv)]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def undisturbed(documents, settings, tmp_path_factory):
    out = tmp_path_factory.mktemp("local") / "sweep"
    assert program("local", out, documents, settings=settings)["ok"]
    return pd.read_parquet(out / "runs.parquet")[SAME]


@pytest.mark.slow
def test_a_lost_ray_node_s_run_goes_on_elsewhere(documents, settings, undisturbed, tmp_path):
    said = program("ray", tmp_path / "sweep", documents, settings=settings)
    assert said["ok"], said
    assert said["trained"] == 2
    assert (tmp_path / "sweep" / "killed").exists()
    assert re.search(r"\bstep \d", (tmp_path / "sweep" / "checkpoints" / "workers.log").read_text())
    table = pd.read_parquet(tmp_path / "sweep" / "runs.parquet")[SAME]
    pd.testing.assert_frame_equal(table, undisturbed, check_exact=True)


@pytest.mark.slow
def test_a_search_on_ray_whose_driver_is_killed_decides_as_one_on_this_machine(settings, tmp_path):
    here = [sys.executable, str(HERE / "searched_trainer.py"), str(tmp_path / "here"), "local"]
    with subprocess.Popen(here, env=settings, stdout=subprocess.DEVNULL) as undisturbed:
        said = program("search", tmp_path / "ray", "none", settings=settings)
    assert (said, undisturbed.returncode) == ({"killed": -signal.SIGKILL, "ended": 0}, 0)
    ends = [
        pd.read_parquet(tmp_path / where / "runs.parquet")[["run_id", *ENDS]] for where in ("ray", "here")
    ]
    assert set(ends[0]["status"]) == {"ok", "stopped"}
    assert ends[0]["ended_why"].str.endswith("too low").any()
    pd.testing.assert_frame_equal(*ends, check_exact=True)


@pytest.mark.slow
def test_a_warned_slurm_job_writes_its_state_and_is_requeued(documents, settings, undisturbed, tmp_path):
    said = program("slurm", tmp_path / "sweep", documents, settings=settings)
    assert said["ok"], said
    assert (tmp_path / "sweep" / "warned").exists()
    logs = [p.read_text() for p in (tmp_path / "sweep" / "checkpoints" / "slurm").glob("*.log")]
    assert any("queue" in text for text in logs), logs
    assert re.search(r"\bstep \d", (tmp_path / "sweep" / "checkpoints" / "workers.log").read_text())
    table = pd.read_parquet(tmp_path / "sweep" / "runs.parquet")[SAME]
    pd.testing.assert_frame_equal(table, undisturbed, check_exact=True)


def test_options_reach_the_launcher():
    def place(*argv):
        parsed = parscale.build_parser().parse_args(["sweep", "ci", *argv])
        name, settings = read_options(sweep_command.Options, parsed).place()
        return find_launcher(name, **settings)

    slurm = place(
        "--launcher", "slurm", "--partition", "long", "--time", "2:30", "--gpus", "2", "--cpus", "8"
    )
    assert slurm == SlurmLauncher(partition="long", minutes=150, gpus=2, cpus=8)
    ray = place("--launcher", "ray", "--ray-address", "10.0.0.1:6379", "--cpus", "4")
    assert ray == RayLauncher(address="10.0.0.1:6379", cpus=4)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--launcher", "cloud"], "--launcher cloud"),
        (["--partition", "long"], "--partition"),
        (["--gpus", "1"], "--launcher"),
        (["--launcher", "slurm", "--time", "soon"], "--time soon"),
        (["--launcher", "slurm"], "sbatch"),
        (["--launcher", "ray", "--ray-address", "127.0.0.1:9"], "--ray-address 127.0.0.1:9"),
    ],
)
def test_what_cannot_be_launched_is_one_line(tmp_path, capsys, monkeypatch, argv, says):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert parscale.main(["sweep", "ci", "--out", str(tmp_path / "out"), *argv]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert len(err.splitlines()) == 1
    assert says in err
    assert not (tmp_path / "out").exists()
