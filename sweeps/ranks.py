"""One run as several processes, a device each: started, listened to, stopped and started again together.

The worker that holds the run's lock is their parent, on further nodes of the run `answer` is. Each one
is sent the run on standard input, and stops when that closes; rank 0 speaks on its standard output, a
JSON object a line.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweeps.box import Box
from sweeps.config import RunConfig
from sweeps.execution import Execution
from sweeps.interrupt import Interrupted

CRASHES = 3  # deaths of a rank without progress, after which the run has failed
POLL_S = 0.1
WORD_S = 5.0  # after which another node's word of a death has come through the shared folder
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
        several = execution.num_nodes > 1
        self.box = Box.mine() if several else None
        self.key = uuid.uuid4().hex
        spec = {
            "run": run.to_json(),
            "folder": str(folder.resolve()),
            "execution": execution.__dict__,
            "key": self.key,
            "host": os.environ.get("MASTER_ADDR", socket.gethostname()) if several else "127.0.0.1",
            "port": _free_port(),
        }
        if self.box:
            self.box.call(spec)
        self.processes = start(spec, node=0)
        self.heard: list[dict[str, Any]] = []
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

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
            if self.box and (code := self.box.mourned(self.key)):
                raise RankDied(f"a rank on another node ended with code {code}")
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
        codes = [process.poll() or 0 for process in self.processes[1:]]
        deadline = time.monotonic() + WORD_S
        while self.box and self.box.mourned(self.key) == 0 and time.monotonic() < deadline:
            time.sleep(POLL_S)
        codes += [self.box.mourned(self.key)] if self.box else []
        if min(codes, default=0) < 0:
            raise RankDied(f"another rank ended with code {min(codes)}")

    def end(self) -> None:
        """End what is left of the processes, those on other nodes too."""
        if self.box:
            self.box.hang_up()
        end(self.processes)
        self.listener.join()
        if self.processes[0].stdout:
            self.processes[0].stdout.close()


def start(spec: dict[str, Any], node: int) -> list[subprocess.Popen[str]]:
    """A node's share of the ranks of an attempt, one a device."""
    execution = Execution(**spec["execution"])
    root = str(Path(__file__).resolve().parents[1])
    settings = {
        "PYTHONPATH": os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]),
        "OMP_NUM_THREADS": str(max(1, (execution.threads or 1) // execution.devices)),
        "MASTER_ADDR": spec["host"],
        "MASTER_PORT": str(spec["port"]),
        "NODE_RANK": str(node),
    }
    processes = []
    for local in range(execution.devices):
        rank = node * execution.devices + local
        place = {"LOCAL_RANK": str(local), "PARSCALE_RANK": str(rank)}
        process = subprocess.Popen(
            [sys.executable, "-m", "sweeps.rank"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if rank == 0 else subprocess.DEVNULL,
            text=True,
            env={**os.environ, **settings, **place},
        )
        _send(process, json.dumps(spec))
        processes.append(process)
    return processes


def end(processes: list[subprocess.Popen[str]]) -> None:
    """End what is left of the processes, after a moment to leave by themselves."""
    for process in processes:
        if process.stdin and not process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
    deadline = time.monotonic() + 10
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answer(box: Box, node: int) -> None:
    """Start this node's ranks whenever its group's first node calls, until it closes the box."""
    key, processes = "", list[subprocess.Popen[str]]()
    while not box.over:
        spec = box.wanted()
        if spec.get("key", "") != key:
            end(processes)
            key = spec.get("key", "")
            processes = start(spec, node) if key else []
        codes = [code for process in processes if (code := process.poll())]
        if codes:
            box.mourn(key, min(codes))
        time.sleep(POLL_S)
    end(processes)


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
