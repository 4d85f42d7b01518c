"""One node of a cluster: its worker goes on until nothing is left, or until it is to stop."""

import pytest

from sweeps.driver.clusters import node as module
from sweeps.driver.clusters.node import run_node, stop_file
from sweeps.driver.worker import Job


class Launcher:
    """Workers that are done after so many looks."""

    def __init__(self, looks=1, error=None):
        self.looks, self.error, self.calls = looks, error, []

    def start(self, job, workers):
        self.calls.append(("start", job.session, workers))

    def poll(self):
        if self.error:
            raise self.error
        self.looks -= 1
        return self.looks > 0

    def stop(self):
        self.calls.append("stop")


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "sweep.json").write_text("{}")
    return Job(str(tmp_path), ["a", "b"], "session 7")


@pytest.fixture
def served(job, monkeypatch):
    """Serve the job with a launcher. Returns why it cannot go on, and the launcher."""

    def serve(**launcher):
        made = Launcher(**launcher)
        monkeypatch.setattr(module, "LocalLauncher", lambda: made)
        return run_node(job.to_json()), made

    return serve


def test_a_worker_goes_on_until_nothing_is_left_and_is_stopped_once(served):
    why, launcher = served(looks=4)
    assert why == ""
    assert launcher.calls == [("start", "session 7", 1), "stop"]
    assert launcher.looks == 0


def test_the_stop_file_of_this_session_ends_it(served, job):
    stop_file(Job(job.folder, [], "session 6")).touch()
    why, launcher = served(looks=5)
    assert why == ""
    assert launcher.looks == 0  # another session's file stops nobody
    stop_file(job).touch()
    why, launcher = served(looks=10**9)
    assert why == ""
    assert launcher.calls[-1] == "stop"


def test_why_nothing_can_go_on_is_given_back_and_the_worker_is_stopped(served):
    why, launcher = served(error=OSError(28, "No space left on device"))
    assert "No space left on device" in why
    assert launcher.calls[-1] == "stop"


def test_a_node_that_does_not_see_the_sweep_says_so(tmp_path):
    job = Job(str(tmp_path / "elsewhere"), [], "session")
    assert str(tmp_path / "elsewhere") in run_node(job.to_json())
