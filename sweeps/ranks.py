"""One run as several processes, a device each: started, listened to, stopped and started again together.

The worker that holds the run's lock is their parent. It sends each one the run on standard input and
hears from rank 0, a JSON object a line on standard output; when that input closes, they stop.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweeps.config import RunConfig
from sweeps.execution import Execution
from sweeps.interrupt import Interrupted

CRASHES = 3  # deaths of a rank without progress, after which the run has failed
POLL_S = 0.1
Say = Callable[[Any], None]


def inside() -> bool:
    """True in a process that is a rank."""
    return "PARSCALE_RANK" in os.environ


def train(
    run: RunConfig,
    folder: Path,
    *,
    execution: Execution,
    stop: Callable[[], bool],
    progress: Any,
    report: Any,
) -> dict[str, Any]:
    """`sweeps.train.train` on `execution.ranks` devices; a rank's death starts all again."""
    if run.batch % (execution.ranks * run.accumulate):
        raise ValueError(
            f"batch={run.batch} does not divide by {execution.ranks} devices x {run.accumulate} micro-batches"
        )
    reached, deaths, last_death = 0, 0, -1

    def noticed(now: dict[str, Any]) -> None:
        nonlocal reached
        reached = now["step"]
        if progress:
            progress(now)

    while True:
        group = Group(run, folder, execution)
        try:
            return group.follow(stop, noticed, report or (lambda line: None))
        except RankDied as error:
            deaths = 1 if reached > last_death else deaths + 1
            last_death = max(reached, last_death)
            if deaths >= CRASHES:
                raise RuntimeError(f"{error}, {deaths} times without progress") from None
        finally:
            group.end()


class RankDied(RuntimeError):
    """A rank ended without a word."""


class Group:
    """The processes of one attempt at a run."""

    def __init__(self, run: RunConfig, folder: Path, execution: Execution) -> None:
        spec = {"run": run.to_json(), "folder": str(folder), "execution": execution.__dict__}
        port = str(_free_port())
        self.processes = [self._start(rank, port, execution) for rank in range(execution.ranks)]
        for process in self.processes:
            _send(process, json.dumps(spec))
        self.heard: list[dict[str, Any]] = []
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _start(self, rank: int, port: str, execution: Execution) -> subprocess.Popen[str]:
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "NODE_RANK": "0", "LOCAL_RANK": str(rank)}
        root = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        threads = {"OMP_NUM_THREADS": str(max(1, (execution.threads or 1) // execution.devices))}
        return subprocess.Popen(
            [sys.executable, "-m", "sweeps.ranks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if rank == 0 else subprocess.DEVNULL,
            text=True,
            env={**os.environ, **place, **threads, "PARSCALE_RANK": str(rank), "PYTHONPATH": path},
        )

    def _listen(self) -> None:
        out = self.processes[0].stdout
        assert out is not None
        for line in out:
            try:
                said = json.loads(line)
            except ValueError:
                continue  # a library's print
            if isinstance(said, dict):
                self.heard.append(said)

    def follow(self, stop: Callable[[], bool], progress: Say, report: Say) -> dict[str, Any]:
        """Pass on what rank 0 says until it has the row; Interrupted, RankDied or what it raised."""
        told = False
        while True:
            codes = [process.poll() for process in self.processes]  # before reading: no word is missed
            while self.heard:
                said = self.heard.pop(0)
                for kind, pass_on in (("progress", progress), ("report", report)):
                    if kind in said:
                        pass_on(said[kind])
                if "row" in said:
                    return dict(said["row"])
                if "interrupted" in said:
                    raise Interrupted(said["interrupted"])
                if "error" in said:
                    self._blame()
                    raise _error(said["error"])
            dead = [rank for rank, code in enumerate(codes) if code]
            if dead:
                raise RankDied(f"rank {dead[0]} ended with code {codes[dead[0]]}")
            if codes[0] == 0:
                time.sleep(POLL_S)
                if not self.heard:
                    raise RankDied("rank 0 ended without a row")
            if not told and stop():
                told = True
                for process in self.processes:
                    _send(process, "stop")
            time.sleep(POLL_S)

    def _blame(self) -> None:
        """Rank 0's error may be only the echo of another's death: RankDied if one was killed."""
        for rank, process in enumerate(self.processes[1:], 1):
            code = process.poll()
            if code is not None and code < 0:
                raise RankDied(f"rank {rank} ended with code {code}")

    def end(self) -> None:
        """End what is left of the processes, after a moment to leave by themselves."""
        for process in self.processes:
            if process.stdin and not process.stdin.closed:
                try:
                    process.stdin.close()
                except BrokenPipeError:
                    continue
        deadline = time.monotonic() + 10
        for process in self.processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.listener.join()
        if self.processes[0].stdout:
            self.processes[0].stdout.close()


def _send(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(line + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        return  # it died: poll() will tell


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _error(said: dict[str, Any]) -> Exception:
    if said["errno"]:
        return OSError(said["errno"], said["text"])
    return RuntimeError(f"{said['kind']}: {said['text']}")


def main() -> int:
    """A rank: read the run, train it, say what came of it."""
    asked = threading.Event()
    spec = json.loads(sys.stdin.readline())

    def listen() -> None:
        while os.read(0, 1):  # a word or the end: both mean stop
            break
        asked.set()

    threading.Thread(target=listen, daemon=True).start()
    say: Say = (lambda fact: print(json.dumps(fact), flush=True)) if _first() else (lambda fact: None)
    from sweeps.train import train as train_here

    run = RunConfig.from_json(spec["run"])
    try:
        row = train_here(
            run,
            Path(spec["folder"]),
            execution=Execution(**spec["execution"]),
            stop=asked.is_set,
            progress=(lambda now: say({"progress": now})) if _first() else None,
            report=lambda line: say({"report": line}),
        )
        say({"row": row})
    except Interrupted as stopped:
        say({"interrupted": str(stopped)})
    except Exception as error:
        say(
            {"error": {"kind": type(error).__name__, "text": str(error), "errno": getattr(error, "errno", 0)}}
        )
        raise
    return 0


def _first() -> bool:
    return os.environ["PARSCALE_RANK"] == "0"


if __name__ == "__main__":
    sys.exit(main())
