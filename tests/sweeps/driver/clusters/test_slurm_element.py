"""What an element of an array does: its run, its further nodes, its requeueing."""

import os
import signal

import pytest

from sweeps.config.execution import Execution
from sweeps.driver.clusters import slurm_element as module
from sweeps.driver.clusters import slurm_queue
from sweeps.driver.clusters.node import stop_file
from sweeps.driver.clusters.node_mailbox import VARIABLE, NodeMailbox
from sweeps.driver.clusters.slurm_element import fatal_file, main, slurm_folder
from sweeps.driver.worker import EXIT_FATAL, Job


@pytest.fixture
def element(job, monkeypatch):
    """Run an element whose workers follow a script. Returns what was asked of Slurm while it said `state`."""
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR2, signal.SIGTERM)}
    slurm_folder(stop_file(job).parents[1]).mkdir(parents=True, exist_ok=True)
    (slurm_folder(stop_file(job).parents[1]) / "mine.json").write_text(job.to_json())
    monkeypatch.setenv("SLURM_JOB_ID", "7")

    def run(serve, state="RUNNING"):
        asked = []
        monkeypatch.setattr(module, "run_node", lambda text, stop: serve(stop))
        monkeypatch.setattr(slurm_queue, "ask", lambda *argv: asked.append(argv) or state)
        return main([job.folder, "mine"]), [one[0] for one in asked if one[0] == "scontrol"]

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def warned(stop):
    assert not stop()
    os.kill(os.getpid(), signal.SIGUSR2)
    return "" if stop() else "it goes on"


def test_a_warned_element_is_requeued_unless_slurm_or_the_driver_ends_it(element, job):
    assert element(lambda stop: "") == (0, [])
    assert element(warned) == (0, ["scontrol"])
    assert element(warned, "COMPLETING") == (0, [])
    stop_file(job).touch()
    assert element(warned) == (0, [])


def test_why_nothing_can_go_on_is_left_for_the_driver(element, job):
    assert element(lambda stop: "the disk is full") == (EXIT_FATAL, [])
    assert fatal_file(stop_file(job).parents[1], "mine").read_text() == "the disk is full"


def test_further_nodes_help_until_the_first_is_done(tmp_path, monkeypatch):
    job, seen = Job(str(tmp_path), [], "mine", Execution(num_nodes=3)), []
    (tmp_path / "srun").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/told\nexec sleep 60\n')
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setattr(module, "HELPERS_S", 0.2)
    monkeypatch.setattr(module, "run_node", lambda text, stop: seen.append(NodeMailbox.mine()) or "full")
    assert module._serve(job, job.to_json(), lambda: False) == "full"
    mailbox = NodeMailbox(slurm_folder(tmp_path) / "7-0")
    assert seen == [mailbox]
    assert "--nodes 2" in (tmp_path / "told").read_text()
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert main([str(tmp_path), f"mailbox={mailbox.folder}"]) == 0  # it is closed
