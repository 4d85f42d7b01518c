"""Slurm's commands are asked, and what they say is understood."""

import os

import pytest

from sweeps.driver.clusters import slurm_queue
from sweeps.driver.clusters.slurm_queue import Element, Refused


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Write a command of Slurm's, as a line of shell."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def write(name, line):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)

    return write


def test_elements_sizes_and_partitions_are_read(program):
    program("squeue", "echo '7 0 RUNNING'; echo '7 1 PENDING'")
    program("scontrol", "echo 'MaxArraySize            = 1001'; echo 'PartitionName=low AllowGroups=ALL'")
    assert slurm_queue.queued("mine") == [Element("7", "0", "RUNNING"), Element("7", "1", "PENDING")]
    assert slurm_queue.array_size() == 1001
    assert slurm_queue.partitions() == ["low"]
    program("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    assert slurm_queue.state_of("7") == ""


def test_a_refusal_is_in_slurm_s_words_and_a_silent_one_ends(program, monkeypatch):
    program("sbatch", "echo 'sbatch: error: Batch job submission failed: Invalid qos' >&2; exit 1")
    with pytest.raises(Refused, match=r"^Invalid qos$"):
        slurm_queue.submit([], "x.sh", [], 3)
    program("sbatch", "echo 'sbatch: error: no DNS' >&2; echo 'sbatch: fatal: no source' >&2; exit 1")
    with pytest.raises(Refused, match=r"^no source$"):
        slurm_queue.submit([], "x.sh", [], 3)
    program("sbatch", "exec sleep 5")
    monkeypatch.setattr(slurm_queue, "PATIENCE_S", 0.05)
    with pytest.raises(Refused, match="sbatch"):
        slurm_queue.submit([], "x.sh", [], 3)


def test_a_job_that_could_not_run_today_is_not_refused(program):
    program("sbatch", "echo 'allocation failure: Requested node configuration is not available' >&2; exit 1")
    slurm_queue.check_options([], "x.sh")
    program("sbatch", "echo 'allocation failure: Invalid partition name specified' >&2; exit 1")
    with pytest.raises(Refused, match="partition"):
        slurm_queue.check_options([], "x.sh")
