"""One node of a cluster: its workers go on until nothing is left, or until they are to stop."""

import pytest

from sweeps.driver.clusters import node as module
from sweeps.driver.clusters.node import Node, run_node, stop_file
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


def with_launcher(launcher):
    node = Node()
    node.launcher = launcher
    return node


def test_workers_go_on_until_nothing_is_left_and_are_stopped_once(job):
    launcher = Launcher(looks=4)
    assert with_launcher(launcher).serve(job.to_json(), 3) == ""
    assert launcher.calls == [("start", "session 7", 3), "stop"]
    assert launcher.looks == 0


def test_the_stop_file_of_this_session_ends_them(job):
    stop_file(Job(job.folder, [], "session 6")).touch()
    launcher = Launcher(looks=5)
    assert with_launcher(launcher).serve(job.to_json()) == ""
    assert launcher.looks == 0  # another session's file stops nobody
    stop_file(job).touch()
    launcher = Launcher(looks=10**9)
    assert with_launcher(launcher).serve(job.to_json()) == ""
    assert launcher.calls[-1] == "stop"


def test_why_nothing_can_go_on_is_given_back_and_workers_are_stopped(job):
    launcher = Launcher(error=OSError(28, "No space left on device"))
    assert "No space left on device" in with_launcher(launcher).serve(job.to_json())
    assert launcher.calls[-1] == "stop"


def test_a_node_that_does_not_see_the_sweep_says_so(tmp_path):
    job = Job(str(tmp_path / "elsewhere"), [], "session")
    assert str(tmp_path / "elsewhere") in run_node(job.to_json())
