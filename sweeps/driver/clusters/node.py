"""One node of a cluster: a worker on it until the sweep has nothing left for it, or it is to stop.

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


def run_node(text: str, stop: Callable[[], bool] = lambda: False) -> str:
    """Keep a worker on a job (its JSON) until nothing is left or `stop` says so. Returns why it cannot, or nothing."""
    job, launcher = Job.from_json(text), LocalLauncher()
    if not (Path(job.folder) / "sweep.json").exists():
        where = socket.gethostname()
        return f"{where} does not see {job.folder}: put the sweep on a file system that all nodes share"
    try:
        launcher.start(job, workers=1)
        while launcher.poll() and not (stop() or stop_file(job).exists()):
            time.sleep(LOOK_S)
    except OSError as error:
        return str(error)
    finally:
        launcher.stop()
    return ""
