"""Slurm: the script it is given, further nodes, its own words on a refusal."""

import os

import pytest

from sweeps.config.execution import Execution
from sweeps.driver.node_mailbox import VARIABLE, NodeMailbox
from sweeps.driver.slurm import SlurmLauncher, SlurmTask
from sweeps.driver.worker import Job


def test_a_run_on_several_nodes_asks_slurm_for_them(tmp_path, monkeypatch):
    for name, line in (("sbatch", "echo Submitted batch job 7"), ("srun", "exit 0"), ("scancel", "exit 0")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "checkpoints").mkdir()
    SlurmLauncher().start(Job(str(tmp_path), [], "session", Execution(num_nodes=3)), 2)
    script = next((tmp_path / "checkpoints" / "slurm").glob("*submission*.sh"))
    assert "#SBATCH --nodes=3\n" in script.read_text()
    assert "#SBATCH --ntasks-per-node=1\n" in script.read_text()


def test_further_nodes_help_until_the_first_is_done(tmp_path, monkeypatch):
    job = Job(str(tmp_path), [], "session", Execution(num_nodes=2))
    mailbox, seen = NodeMailbox(tmp_path / "checkpoints" / "slurm" / "7-0"), []

    def serve(node, text):
        seen.append(NodeMailbox.mine())
        return "full"

    monkeypatch.setattr("sweeps.driver.node.Node.serve", serve)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setenv("SLURM_NODEID", "0")
    assert SlurmTask()(job.to_json()) == "full"
    assert seen == [mailbox]
    monkeypatch.setenv("SLURM_NODEID", "1")
    assert SlurmTask()(job.to_json()) == ""  # the mailbox is closed


def test_a_refused_partition_is_named_with_slurm_s_own_words(tmp_path, monkeypatch):
    for name, line in (("sbatch", "echo 'sbatch: error: invalid partition specified: fast' >&2; exit 1"),
                       ("srun", "exit 0")):  # fmt: skip
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "checkpoints").mkdir()
    launcher = SlurmLauncher(partition="fast")
    assert launcher.share("auto", 3) == (3, 1)
    with pytest.raises(OSError, match=r"Slurm refused the jobs: sbatch: error: invalid .*: fast; look"):
        launcher.start(Job(str(tmp_path), [], "session"), 2)
