"""A process that imports what training needs once, and forks the workers of this machine.

torch and Lightning take seconds to import: paid once for all workers of a sweep, and not again when one
dies. `python -m sweeps.nursery MODULE`, started by `Nursery`, imports MODULE and reads a JSON object a
line from its standard input: {"key", "job"} starts a worker on that job, {"signal"} is sent to every
worker. It answers on its standard output: {"key", "pid"} of a worker that has started, {"key", "fatal"}
of one that says why no run can go on, {"key", "code"} of one that has ended. When its input closes, or it
is killed, its workers write their state and end.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOK_S = 0.1
KILLED_S = 10.0  # patience with a process that was killed


@dataclass
class Worker:
    """What is known of a worker."""

    pid: int | None = None  # None until it has started
    code: int | None = None  # None until it has ended; -n: killed by signal n
    fatal: str = ""  # why no run can go on, in its own words


class Nursery:
    """The launcher's end: starts workers, hears of their ends."""

    def __init__(self, module: str, log: Path, settings: dict[str, str]) -> None:
        """`module` is what workers import, `log` takes their prints, `settings` joins their environment."""
        root = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        with log.open("a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sweeps.nursery", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C reaches the launcher alone, which then asks the workers
                env={**os.environ, **settings, "PYTHONPATH": path},
            )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self.workers: list[Worker] = []
        self.heard = b""

    def start(self, job: str) -> Worker:
        """A worker on a job (its JSON), as soon as the imports are done."""
        self.workers.append(Worker())
        self._tell({"key": len(self.workers) - 1, "job": job})
        return self.workers[-1]

    def _tell(self, command: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died: look() will see it
            self.process.stdin.write(json.dumps(command).encode() + b"\n")
            self.process.stdin.flush()

    def look(self) -> bool:
        """Bring `workers` up to date; True while one of them goes on."""
        code = self.process.poll()  # before reading: no word is missed
        assert self.process.stdout is not None
        self.heard += self.process.stdout.read() or b""
        *lines, self.heard = self.heard.split(b"\n")
        for line in lines:
            facts = json.loads(line)
            worker = self.workers[facts.pop("key")]
            for name, value in facts.items():
                setattr(worker, name, value)
        if code is not None:
            for worker in self.workers:  # each has been told by its closing input, and is on its own now
                worker.code = (code or 1) if worker.code is None else worker.code
        return any(worker.code is None for worker in self.workers)

    def close(self, patience: float) -> None:
        """Ask every worker to write its state and end; silence or another Ctrl-C ends them at once."""
        try:
            self._end(signal.SIGTERM, patience)
        except KeyboardInterrupt:
            self._end(signal.SIGKILL, KILLED_S)
        else:
            self._end(signal.SIGKILL, KILLED_S)
        finally:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()  # type: ignore[union-attr]

    def _end(self, number: int, patience: float) -> None:
        if self.look() and any(worker.pid for worker in self.workers):
            self._tell({"signal": number})
            self._wait(patience)

    def _wait(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while self.look() and time.monotonic() < deadline:
            time.sleep(LOOK_S)


def main() -> int:
    """Import, then start, signal and reap workers until the input closes and the last has ended."""
    module = sys.argv[1]
    if (
        sys.platform != "darwin"
    ):  # where system libraries do not survive a fork: each worker imports for itself
        importlib.import_module("sweeps.worker")
        importlib.import_module(module)
    life, breath = os.pipe()  # a worker reads `life`, which ends when `breath` closes: with this process
    going: dict[int, int] = {}  # {pid: key}
    pending, open_ = b"", True
    while open_ or going:
        if open_ and select.select([0], [], [], LOOK_S)[0]:
            piece = os.read(0, 1 << 16)
            *lines, pending = (pending + piece).split(b"\n")
            if not piece:
                open_ = False
                os.close(breath)
            for command in map(json.loads, lines):
                if "signal" in command:
                    for pid in going:
                        os.kill(pid, command["signal"])
                elif pid := os.fork():
                    going[pid] = command["key"]
                    _say({"key": command["key"], "pid": pid})
                else:
                    return _worker(command, life, breath)
        elif not open_:
            time.sleep(LOOK_S)
        _reap(going)
    return 0


def _worker(command: dict[str, Any], life: int, breath: int) -> int:
    """What a forked process does: its prints go to the log, and its input ends with the nursery."""
    os.setsid()
    os.close(breath)
    voice = os.dup(1)
    os.dup2(life, 0)
    os.dup2(2, 1)
    from sweeps import worker

    def say(fatal: str) -> None:
        _say({"key": command["key"], "fatal": fatal}, voice)

    return worker.serve(worker.Job.from_json(command["job"]), say)


def _reap(going: dict[int, int]) -> None:
    for pid in list(going):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            _say({"key": going.pop(pid), "code": os.waitstatus_to_exitcode(status)})


def _say(facts: dict[str, Any], voice: int = 1) -> None:
    """One line in one write: lines of several processes do not mix."""
    with contextlib.suppress(BrokenPipeError):  # the launcher is gone
        os.write(voice, json.dumps(facts).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
