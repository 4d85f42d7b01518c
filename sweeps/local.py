"""Workers as processes of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from sweeps.execution import share_out
from sweeps.worker import EXIT_FATAL, Job

RESTARTS = 20  # of dead workers in one call; a run that kills its worker is given up long before
# glibc hands large blocks back to the kernel when they are freed, and takes them again, zeroed, a moment
# later: a sixth of a training step of a small model. Other C libraries do not read these.
KEEP_FREED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
STOP_S = 120.0  # patience for a worker to write its state


class LocalLauncher:
    """Keeps a number of worker processes going."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[str]] = []
        self.restarts = 0

    def share(self, workers: int | str, runs: int) -> tuple[int, int]:
        """(worker processes, threads each) of this machine."""
        return share_out(workers, runs)

    def start(self, job: Job, workers: int) -> None:
        """Start the workers, each with its share of the cores."""
        self.job = job
        self.processes = [self._spawn() for _ in range(workers)]

    def _spawn(self) -> subprocess.Popen[str]:
        threads = str(self.job.execution.threads or "")
        settings = {"TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1", **KEEP_FREED}
        if threads:
            settings |= {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        root = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        log: IO[str]
        with (Path(self.job.folder) / "checkpoints" / "workers.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "sweeps.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C reaches the launcher alone, which then asks the workers
                env={**os.environ, **settings, "PYTHONPATH": path},
            )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # died at once: poll() will see it
            process.stdin.write(self.job.to_json() + "\n")
            process.stdin.flush()
        return process

    def poll(self) -> bool:
        """Replace workers that died; False once all have ended."""
        going = []
        for process in self.processes:
            code = process.poll()
            if code is None:
                going.append(process)
                continue
            words = _last_words(process)
            if code == EXIT_FATAL:
                raise OSError(words)
            if code != 0:
                self.restarts += 1
                if self.restarts > RESTARTS:
                    log = Path(self.job.folder) / "checkpoints" / "workers.log"
                    raise OSError(f"workers died {self.restarts} times, the last with code {code}; see {log}")
                going.append(self._spawn())
        self.processes = going
        return bool(going)

    def stop(self) -> None:
        """Ask every worker to write its state; a second Ctrl-C, or long silence, ends them at once."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        try:
            deadline = time.monotonic() + STOP_S
            for process in self.processes:
                process.wait(max(0.1, deadline - time.monotonic()))
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            for process in self.processes:
                process.kill()
                process.wait()
        for process in self.processes:
            _last_words(process)
        self.processes = []


def _last_words(process: subprocess.Popen[str]) -> str:
    """Why an ended worker could not go on, if it said so; closes its pipes."""
    said, _ = process.communicate()
    for line in reversed(said.splitlines()):
        try:
            return str(json.loads(line)["fatal"])
        except (ValueError, KeyError, TypeError):
            continue
    return "a worker could not write to the sweep's folder"
