"""Workers as tasks of a Ray cluster the user has: they leave when nothing is left, lost ones start again."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from dataclasses import dataclass, replace
from typing import Any

from sweeps.config.execution import DEFAULT, Execution
from sweeps.driver.clusters.node import run_node, stop_file
from sweeps.driver.clusters.vacancies import Vacancies
from sweeps.driver.worker import Job

LOOK_S = 2.0  # between two looks whether runs have become free
RETRIES = 20  # of lost or failed tasks in one call
STOP_S = 180.0
PATIENCE_S = 30  # for a cluster's address to answer


@dataclass
class RayLauncher:
    """Tasks that each claim the resources of one run and train run after run."""

    address: str | None = None  # HOST:PORT of the cluster's head. Else $RAY_ADDRESS, else this machine's
    cpus: int = 1  # a run
    gpus: float = 0.0  # a run

    def share(self, workers: int | str, runs: int, execution: Execution = DEFAULT) -> tuple[int, int]:
        """(tasks at a time, threads each): auto is as many as the cluster has room for."""
        self._connect()
        import ray

        total: dict[str, float] = ray.cluster_resources()
        room = int(total.get("CPU", 0) // self.cpus)
        if self.gpus:
            room = min(room, int(total.get("GPU", 0) // self.gpus))
        if room < 1:
            has = f"{total.get('CPU', 0):g} CPUs and {total.get('GPU', 0):g} GPUs"
            raise ValueError(
                f"a run wants {self.cpus} CPUs and {self.gpus:g} GPUs, the Ray cluster has {has}. "
                "Lower --cpus or --gpus"
            )
        return min(room if workers == "auto" else int(workers), runs), self.cpus

    def _connect(self) -> None:
        try:
            import ray
        except ModuleNotFoundError:
            raise ValueError("ray is not installed: pip install 'parscale[cluster]'") from None
        if ray.is_initialized():
            return
        address = self.address or os.environ.get("RAY_ADDRESS") or "auto"
        _reachable(address)
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = (str(error).strip().splitlines() or ["no answer"])[0]
            raise ValueError(
                f"--ray-address {address}: no Ray cluster answers there ({reason}). Start one with "
                "`ray start --head`, or name its HOST:PORT"
            ) from None

    def start(self, job: Job, workers: int) -> None:
        """Start the tasks."""
        self._connect()
        import ray

        self.job, self.workers, self.retried = replace(job, leave=True), workers, 0
        self.vacancies, self.next_look = Vacancies(job), 0.0
        self.task = ray.remote(run_node).options(
            num_cpus=self.cpus, num_gpus=self.gpus, max_retries=0, scheduling_strategy="SPREAD"
        )
        self.tasks: list[Any] = []
        self._add(workers)

    def _add(self, count: int) -> None:
        self.tasks += [self.task.remote(self.job.to_json()) for _ in range(count)]

    def poll(self) -> bool:
        """Start lost tasks again, and new ones for runs that became free. False once every run has ended."""
        import ray

        ended, self.tasks = ray.wait(self.tasks, num_returns=len(self.tasks), timeout=0)
        for task in ended:
            try:
                fatal = ray.get(task)
            except ray.exceptions.RayError as error:
                self.retried += 1
                if self.retried > RETRIES:
                    reason = str(error).strip().splitlines()[0]
                    raise OSError(f"Ray lost {self.retried} tasks, the last: {reason}") from None
                self._add(1)
                continue
            if fatal:
                raise OSError(fatal)
        if time.monotonic() < self.next_look:
            return True
        self.next_look = time.monotonic() + LOOK_S
        return self.vacancies.fill(len(self.tasks), self.workers, self._add)

    def stop(self) -> None:
        """Tell every task to write its state and end. Cancel those that do not."""
        if not getattr(self, "tasks", None):
            return
        import ray

        with contextlib.suppress(OSError):  # on a full disk: the cancelling below still ends them
            stop_file(self.job).touch()
        deadline = time.monotonic() + STOP_S
        left = self.tasks
        while left and time.monotonic() < deadline and ray.is_initialized():
            _, left = ray.wait(left, num_returns=len(left), timeout=0.5)
        for task in left:
            ray.cancel(task, force=True)
        self.tasks = []


def _reachable(address: str) -> None:
    """Refuse a HOST:PORT nobody listens at, at once: Ray itself would try for long."""
    import socket

    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address in ("auto", "local") or not colon:
        return
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE_S).close()
    except (OSError, ValueError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(
            f"--ray-address {address}: no Ray cluster answers there ({reason}). "
            "Start one with `ray start --head`, or name its HOST:PORT"
        ) from None
