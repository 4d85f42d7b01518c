"""Ray tasks without a cluster: how many, lost ones started again, what is refused."""

import socket
import sys
from types import SimpleNamespace

import pytest

from sweeps.driver.clusters.node import stop_file
from sweeps.driver.clusters.ray_cluster import RETRIES, RayLauncher
from sweeps.driver.worker import Job


class RayError(Exception):
    """The error of a lost task."""


class Ray:
    """What the launcher asks of ray. `outcomes` of tasks in the order they are started."""

    exceptions = SimpleNamespace(RayError=RayError)

    def __init__(self, outcomes=(), **resources):
        self.outcomes, self.resources = list(outcomes), resources
        self.started, self.cancelled, self.asked = [], [], {}

    def is_initialized(self):
        return True

    def cluster_resources(self):
        return self.resources

    def remote(self, function):
        def options(**asked):
            self.asked = asked
            return SimpleNamespace(remote=start)

        def start(text):
            self.started.append(text)
            return self.outcomes.pop(0) if self.outcomes else None  # None: still running

        return SimpleNamespace(options=options)

    def wait(self, tasks, num_returns, timeout):
        return [t for t in tasks if t is not None], [t for t in tasks if t is None]

    def get(self, task):
        if isinstance(task, Exception):
            raise task
        return task

    def cancel(self, task, force):
        self.cancelled.append(force)


@pytest.fixture
def ray(monkeypatch):
    def made(*outcomes, **resources):
        found = Ray(outcomes, **resources)
        monkeypatch.setitem(sys.modules, "ray", found)
        return found

    return made


@pytest.mark.parametrize(
    ("launcher", "workers", "tasks"),
    [
        (RayLauncher(cpus=4), "auto", 4),
        (RayLauncher(cpus=4, gpus=1.0), "auto", 3),
        (RayLauncher(cpus=1, gpus=0.5), "auto", 6),
        (RayLauncher(cpus=4), 2, 2),
        (RayLauncher(cpus=1), "auto", 9),  # no more than there are runs
    ],
)
def test_as_many_tasks_as_the_cluster_has_room_for(ray, launcher, workers, tasks):
    ray(CPU=17.0, GPU=3.0)
    assert launcher.share(workers, 9) == (tasks, launcher.cpus)


@pytest.mark.parametrize("launcher", [RayLauncher(cpus=32), RayLauncher(cpus=1, gpus=1.0)])
def test_a_run_that_is_larger_than_the_cluster_is_refused(ray, launcher):
    ray(CPU=17.0)
    with pytest.raises(ValueError, match=r"17 CPUs.*0 GPUs"):
        launcher.share("auto", 9)


def test_tasks_claim_what_a_run_takes_and_lost_ones_start_again(ray, job, store):
    cluster, launcher = ray(RayError("node lost"), "", None), RayLauncher(cpus=3, gpus=0.5)
    launcher.start(job, 2)
    assert (cluster.asked["num_cpus"], cluster.asked["num_gpus"]) == (3, 0.5)
    assert all(Job.from_json(text).leave for text in cluster.started)
    assert launcher.poll()  # one was lost and runs again, one is done
    assert len(cluster.started) == 4  # another takes its place: three runs are free
    launcher.tasks = [""]
    for run_id in job.run_ids:
        store.note(run_id, state="failed", failed_in=["mine"])
    launcher.next_look = 0.0
    assert not launcher.poll()


def test_a_reason_that_ends_the_sweep_is_raised(ray, job):
    ray("the disk is full")
    launcher = RayLauncher()
    launcher.start(job, 1)
    with pytest.raises(OSError, match="the disk is full"):
        launcher.poll()


def test_a_cluster_that_loses_every_task_is_given_up(ray, job):
    cluster, launcher = ray(*[RayError("node lost")] * (2 * RETRIES)), RayLauncher()
    launcher.start(job, 1)
    with pytest.raises(OSError, match=f"{RETRIES + 1} tasks"):
        all(launcher.poll() for _ in range(2 * RETRIES))
    assert len(cluster.started) == RETRIES + 1


def test_tasks_are_told_to_stop_and_those_that_do_not_are_cancelled(ray, job, monkeypatch):
    cluster, launcher = ray(), RayLauncher()
    launcher.stop()  # nothing was started
    launcher.start(job, 2)
    monkeypatch.setattr("sweeps.driver.clusters.ray_cluster.STOP_S", 0.0)
    launcher.stop()
    assert stop_file(job).exists()
    assert cluster.cancelled == [True, True]
    assert launcher.tasks == []


def test_an_address_nobody_listens_at_is_refused_before_ray_tries(ray, monkeypatch):
    cluster = ray()
    monkeypatch.setattr(cluster, "is_initialized", lambda: False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ValueError, match=f"--ray-address {address}"):
            RayLauncher(address=address).share("auto", 1)
    with pytest.raises(ValueError, match="--ray-address"):
        RayLauncher(address="host:port").share("auto", 1)
