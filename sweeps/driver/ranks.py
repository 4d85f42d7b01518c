"""One run as several processes, one per device: started, followed, stopped and restarted together.

The worker that holds the run's lock starts them through a process pool. On further nodes of the run
`serve_node` does. Rank 0 sends progress and the result.
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
from sweeps.driver.clusters.node_mailbox import NodeMailbox
from sweeps.driver.process_pool import Child, ProcessPool, Send
from sweeps.training.interrupt import Interrupted

CRASHES = 3  # deaths of a rank without progress, after which the run has failed
POLL_S = 0.1
END_S = 10.0  # for ranks to end before they are killed
LOCAL_FAILURE_S = 1.0  # until a death on this node is known
LOST = ("Connection closed by peer", "Connection reset by peer", "remote process exited")  # gloo's, NCCL's
NODE_FAILURE_S = 5.0  # until another node's report of a death has come through the shared folder


def inside() -> bool:
    """True in a process that is a rank."""
    return "PARSCALE_RANK" in os.environ


def train_on_devices(
    run: RunConfig,
    folder: Path,
    execution: Execution,
    stop: Callable[[], bool],
    progress: Any,
    report: Any,
) -> dict[str, Any]:
    """`sweeps.training.train.train` on `execution.ranks` devices. A rank's death starts all again."""
    run.check_shared(execution.ranks)
    from sweeps.training import snapshots

    reached, deaths, last_death = 0, 0, -1

    def noticed(now: dict[str, Any]) -> None:
        nonlocal reached
        reached = now["step"]
        if progress:
            progress(now)

    with _pool() as pool:
        while True:
            snapshot = snapshots.choose(run, folder, report or (lambda line: None))
            group = Group(run, folder, execution, pool, snapshot)
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
    """A rank ended without a result or an error of its own."""


class Group:
    """The processes of one attempt at a run."""

    def __init__(
        self, run: RunConfig, folder: Path, execution: Execution, pool: ProcessPool, snapshot: Path | None
    ) -> None:
        several = execution.num_nodes > 1
        self.mailbox = NodeMailbox.mine() if several else None
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
        if self.mailbox:
            self.mailbox.request(spec)
        self.pool = pool
        self.ranks = start(pool, spec, node=0)

    def follow(self, stop: Callable[[], bool], progress: Send, report: Send) -> dict[str, Any]:
        """Pass on what rank 0 sends until it has the row. Raises Interrupted, RankDied or rank 0's error."""
        stopping = False
        while True:
            self.pool.look()
            codes = [rank.code for rank in self.ranks]
            while self.ranks[0].received:
                sent = self.ranks[0].received.pop(0)
                for kind, pass_on in (("progress", progress), ("report", report)):
                    if kind in sent:
                        pass_on(sent[kind])
                if "row" in sent:
                    return dict(sent["row"])
                if "interrupted" in sent:
                    raise Interrupted(sent["interrupted"])
                if "error" in sent:
                    self._raise_if_another_died()
                    if any(words in sent["error"]["text"] for words in LOST):  # a node that died tells nobody
                        raise RankDied(f"rank 0 lost another: {sent['error']['text'].splitlines()[0]}")
                    raise _error(sent["error"])
            dead = [rank for rank, code in enumerate(codes) if code]
            if dead:
                raise RankDied(f"rank {dead[0]} ended with code {codes[dead[0]]}")
            if self.mailbox and (code := self.mailbox.failure(self.key)):
                raise RankDied(f"a rank on another node ended with code {code}")
            if codes[0] == 0:
                raise RankDied("rank 0 ended without a row")
            if not stopping and stop():
                stopping = True
                self.pool.stop()
            time.sleep(POLL_S)

    def _raise_if_another_died(self) -> None:
        """RankDied if another rank was killed: then rank 0's error only follows from that."""
        deadline = time.monotonic() + (NODE_FAILURE_S if self.mailbox else LOCAL_FAILURE_S)
        while True:
            self.pool.look()
            codes = [rank.code or 0 for rank in self.ranks[1:]]
            codes += [self.mailbox.failure(self.key)] if self.mailbox else []
            if min(codes, default=0) < 0:
                raise RankDied(f"another rank ended with code {min(codes)}")
            if time.monotonic() > deadline:
                return
            time.sleep(POLL_S)

    def end(self) -> None:
        """End what is left of the processes, those on other nodes too."""
        if self.mailbox:
            self.mailbox.withdraw()
        self.pool.end(END_S)


def _pool() -> ProcessPool:
    return ProcessPool("sweeps.training.train", {})


def start(pool: ProcessPool, spec: dict[str, Any], node: int) -> list[Child]:
    """Start a node's share of the ranks of an attempt, one per device."""
    execution = Execution(**spec["execution"])
    settings = {
        "MASTER_ADDR": spec["host"],
        "MASTER_PORT": str(spec["port"]),
        "NODE_RANK": str(node),
    }
    ranks = []
    for local in range(execution.devices):
        place = {"LOCAL_RANK": str(local), "PARSCALE_RANK": str(node * execution.devices + local)}
        ranks.append(pool.start("sweeps.driver.rank_process:run_rank", json.dumps(spec), **settings, **place))
    return ranks


def serve_node(mailbox: NodeMailbox, node: int) -> None:
    """Start this node's ranks whenever the first node requests them, until it closes the mailbox."""
    key, ranks = "", list[Child]()
    with _pool() as pool:
        while not mailbox.closed:
            spec = mailbox.requested()
            if spec.get("key", "") != key:
                pool.end(END_S)
                key = spec.get("key", "")
                ranks = start(pool, spec, node) if key else []
            pool.look()
            codes = [rank.code for rank in ranks if rank.code]
            if codes:
                mailbox.report_failure(key, min(codes))
            time.sleep(POLL_S)
        pool.end(END_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _error(sent: dict[str, Any]) -> Exception:
    if sent["errno"]:
        return OSError(sent["errno"], sent["text"], *([sent["place"]] if sent["place"] else []))
    return RuntimeError(f"{sent['kind']}: {sent['text']}")
