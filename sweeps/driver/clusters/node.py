"""One node of a cluster: workers on it until the sweep has nothing left for them, or they are to stop.

A cluster's launcher starts `run_node` on every node it is given. The sweep's folder must be the same
folder everywhere: runs are taken from it, and a run whose node is lost goes on from its last snapshot
there, on whichever node takes it next.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

from sweeps.driver.local import LocalLauncher
from sweeps.driver.worker import Job

LOOK_S = 0.5


def stop_file(job: Job) -> Path:
    """Its existence tells every node of this session to stop: signals do not cross machines."""
    return Path(job.folder) / "checkpoints" / f"stop-{job.session}"


class Node:
    """What runs on a node."""

    def __init__(self) -> None:
        self.launcher = LocalLauncher()

    def serve(self, text: str, workers: int = 1, stop: Callable[[], bool] = lambda: False) -> str:
        """Keep the workers of a job (its JSON) going until they end or `stop` says so.

        Returns why none can go on, or nothing.
        """
        job = Job.from_json(text)
        if not (Path(job.folder) / "sweep.json").exists():
            where = socket.gethostname()
            return f"{where} does not see {job.folder}: put the sweep on a file system that all nodes share"
        try:
            self.launcher.start(job, workers)
            while self.launcher.poll() and not (stop() or stop_file(job).exists()):
                time.sleep(LOOK_S)
        except OSError as error:
            return str(error)
        finally:
            self.launcher.stop()
        return ""


def run_node(text: str, workers: int = 1) -> str:
    """`Node.serve`, for launchers that need no handle on the node."""
    return Node().serve(text, workers)
