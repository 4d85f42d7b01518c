"""Workers on this machine: started, replaced when they die, ended."""

from types import SimpleNamespace

import pytest

from sweeps.config.execution import Execution
from sweeps.driver import local
from sweeps.driver.local import RESTARTS, LocalLauncher
from sweeps.driver.process_pool import ProcessPool
from sweeps.driver.worker import EXIT_FATAL, Job


class Pool:
    """Children that end when a test says so."""

    def __init__(self, module, settings, log, cwd):
        self.given = (module, settings, log, cwd)
        self.children, self.ended = [], []

    def start(self, target, text, **environment):
        self.children.append(SimpleNamespace(target=target, text=text, code=None, received=[]))
        return self.children[-1]

    def look(self):
        pass

    def end(self, patience):
        self.ended.append(patience)


@pytest.fixture
def started(monkeypatch, tmp_path):
    """A launcher with two workers, their pool, and their job."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(local, "ProcessPool", Pool)

    def start(**more):
        job = Job(str(tmp_path), ["a"], "s", trainer="my.trainer:train", cwd=str(tmp_path), **more)
        launcher = LocalLauncher()
        launcher.start(job, 2)
        return launcher, launcher.pool, job

    return start


def test_each_worker_gets_the_job_and_its_share_of_the_cores(started, tmp_path):
    _, pool, job = started(threads=3)
    assert [child.text for child in pool.children] == [job.to_json()] * 2
    module, settings, log, cwd = pool.given
    assert (module, log, cwd) == ("my.trainer", tmp_path / "checkpoints" / "workers.log", tmp_path)
    assert settings["OMP_NUM_THREADS"] == settings["MKL_NUM_THREADS"] == "3"
    _, pool, _ = started(threads=3, execution=Execution(threads=1))
    assert pool.given[1]["OMP_NUM_THREADS"] == "1"  # a number that was given comes first
    _, pool, _ = started()
    assert "OMP_NUM_THREADS" not in pool.given[1]


def test_a_worker_that_is_done_is_not_replaced_and_one_that_died_is(started):
    launcher, pool, _ = started()
    pool.children[0].code, pool.children[1].code = 0, -9
    assert launcher.poll()
    assert len(pool.children) == 3
    pool.children[2].code = 0
    assert not launcher.poll()
    assert len(pool.children) == 3


def test_why_no_run_can_go_on_is_raised(started):
    launcher, pool, _ = started()
    pool.children[0].code = EXIT_FATAL
    pool.children[0].received.append({"fatal": "the disk is full"})
    with pytest.raises(OSError, match="the disk is full"):
        launcher.poll()


def test_workers_that_keep_dying_are_given_up_with_the_log(started, tmp_path):
    launcher, pool, _ = started()
    for _ in range(RESTARTS):
        pool.children[-1].code = -11
        assert launcher.poll()
    pool.children[-1].code = -11
    with pytest.raises(OSError, match=rf"{RESTARTS + 1} times.*code -11.*workers\.log"):
        launcher.poll()


def test_workers_are_ended_once(started):
    launcher, pool, _ = started()
    launcher.stop()
    launcher.stop()
    assert len(pool.ended) == 1


def test_a_worker_sees_its_own_gpu_even_after_another_died(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    launcher, started = LocalLauncher(), []

    def start(pool, target, text, **environment):
        started.append((environment, SimpleNamespace(code=None)))
        return started[-1][1]

    monkeypatch.setattr(ProcessPool, "start", start)
    (tmp_path / "checkpoints").mkdir()
    launcher.start(Job(str(tmp_path), [], "session", trainer="json:loads"), 3)
    started[1][1].code = 9
    assert launcher.poll()
    launcher.stop()
    assert [seen["CUDA_VISIBLE_DEVICES"] for seen, _ in started] == ["4", "5", "4", "5"]
