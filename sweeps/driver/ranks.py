"""One run as several processes, a device each: started, listened to, stopped and started again together.

The worker that holds the run's lock starts them through a nursery, on further nodes of the run `answer`
does. Rank 0 says what comes of the run.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweeps.config.execution import Execution
from sweeps.config.run import RunConfig
from sweeps.driver.node_mailbox import Box
from sweeps.driver.nursery import Child, Nursery
from sweeps.training.interrupt import Interrupted

CRASHES = 3  # deaths of a rank without progress, after which the run has failed
POLL_S = 0.1
END_S = 10.0  # patience with ranks that are to end
REAPED_S = 1.0  # after which a death here is known
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
    """`sweeps.training.train.train` on `execution.ranks` devices; a rank's death starts all again."""
    if run.batch % (execution.ranks * run.accumulate):
        raise ValueError(
            f"batch={run.batch} does not divide by {execution.ranks} devices x {run.accumulate} micro-batches"
        )
    from sweeps.training import snapshots

    reached, deaths, last_death = 0, 0, -1

    def noticed(now: dict[str, Any]) -> None:
        nonlocal reached
        reached = now["step"]
        if progress:
            progress(now)

    with _nursery() as nursery:
        while True:
            snapshot = snapshots.choose(run, folder, report or (lambda line: None))
            group = Group(run, folder, execution, nursery, snapshot)
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

    def __init__(
        self, run: RunConfig, folder: Path, execution: Execution, nursery: Nursery, snapshot: Path | None
    ) -> None:
        several = execution.num_nodes > 1
        self.box = Box.mine() if several else None
        self.key = uuid.uuid4().hex
        spec = {
            "run": run.to_json(),
            "folder": str(folder.resolve()),
            "execution": execution.__dict__,
            "snapshot": snapshot.name if snapshot else "",  # for all: a shared folder may show each another
            "key": self.key,
            "host": os.environ.get("MASTER_ADDR", socket.gethostname()) if several else "127.0.0.1",
            "port": _free_port(),
        }
        if self.box:
            self.box.call(spec)
        self.nursery = nursery
        self.ranks = start(nursery, spec, node=0)

    def follow(self, stop: Callable[[], bool], progress: Say, report: Say) -> dict[str, Any]:
        """Pass on what rank 0 says until it has the row; Interrupted, RankDied or what it raised."""
        told = False
        while True:
            self.nursery.look()
            codes = [rank.code for rank in self.ranks]
            while self.ranks[0].said:
                said = self.ranks[0].said.pop(0)
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
                raise RankDied("rank 0 ended without a row")
            if not told and stop():
                told = True
                self.nursery.stop()
            time.sleep(POLL_S)

    def _blame(self) -> None:
        """Rank 0's error may be only the echo of another's death: RankDied if one was killed."""
        deadline = time.monotonic() + (WORD_S if self.box else REAPED_S)
        while True:
            self.nursery.look()
            codes = [rank.code or 0 for rank in self.ranks[1:]]
            codes += [self.box.mourned(self.key)] if self.box else []
            if min(codes, default=0) < 0:
                raise RankDied(f"another rank ended with code {min(codes)}")
            if time.monotonic() > deadline:
                return
            time.sleep(POLL_S)

    def end(self) -> None:
        """End what is left of the processes, those on other nodes too."""
        if self.box:
            self.box.hang_up()
        self.nursery.end(END_S)


def _nursery() -> Nursery:
    return Nursery("sweeps.training.train", {})


def start(nursery: Nursery, spec: dict[str, Any], node: int) -> list[Child]:
    """A node's share of the ranks of an attempt, one a device."""
    execution = Execution(**spec["execution"])
    settings = {
        "MASTER_ADDR": spec["host"],
        "MASTER_PORT": str(spec["port"]),
        "NODE_RANK": str(node),
    }
    ranks = []
    for local in range(execution.devices):
        place = {"LOCAL_RANK": str(local), "PARSCALE_RANK": str(node * execution.devices + local)}
        ranks.append(nursery.start("sweeps.driver.rank_process:serve", json.dumps(spec), **settings, **place))
    return ranks


def answer(box: Box, node: int) -> None:
    """Start this node's ranks whenever its group's first node calls, until it closes the box."""
    key, ranks = "", list[Child]()
    with _nursery() as nursery:
        while not box.over:
            spec = box.wanted()
            if spec.get("key", "") != key:
                nursery.end(END_S)
                key = spec.get("key", "")
                ranks = start(nursery, spec, node) if key else []
            nursery.look()
            codes = [rank.code for rank in ranks if rank.code]
            if codes:
                box.mourn(key, min(codes))
            time.sleep(POLL_S)
        nursery.end(END_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _error(said: dict[str, Any]) -> Exception:
    if said["errno"]:
        return OSError(said["errno"], said["text"])
    return RuntimeError(f"{said['kind']}: {said['text']}")
