"""A worker: takes the next run of a sweep folder that nobody holds, trains it, publishes it, repeats.

A child of a launcher's process pool. When asked to stop, it first writes its state.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from sweeps.config.execution import Execution, free_threads
from sweeps.store.checksums import Damaged
from sweeps.store.compatibility import changed_code
from sweeps.store.locks import Locks
from sweeps.store.paused import pause, waits
from sweeps.store.store import Store
from sweeps.training.interrupt import Interrupted

FATAL_ERRNO = {errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES, errno.EPERM}
CRASHES = 3  # a run whose worker died so often without progress is given up for this session
IDLE_S = 0.5
EXIT_FATAL = 3
KEPT = ("failed_in", "threads")  # noted of a run whatever comes


class Fatal(Exception):
    """The folder cannot be written: no run of the sweep can go on."""


@dataclass(frozen=True)
class Job:
    """What a worker is asked to do."""

    folder: str
    run_ids: list[str]  # in the order they should be started
    session: str  # the launcher's. What failed in it is not tried again in it
    execution: Execution = field(default_factory=Execution)
    trainer: str = (
        "sweeps.training.train:train"  # module:function, the signature of `sweeps.training.train.train`
    )
    cwd: str = ""  # where the sweep was started: what its runs name relatively is seen from there
    threads: int = 0  # of a run that begins now and is given no number. 0 leaves torch's choice
    until: dict[str, int] = field(default_factory=dict)  # {run_id: the step at which it is to pause}
    leave: bool = False  # end when the rest is in living hands: whoever started the workers starts others

    def to_json(self) -> str:
        """One line."""
        return json.dumps({**self.__dict__, "execution": self.execution.__dict__})

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The inverse of `to_json`."""
        values = json.loads(text)
        return cls(**{**values, "execution": Execution(**values["execution"])})


def work(job: Job, stop: Callable[[], bool]) -> None:
    """Train what is left of the job's runs until all are finished, failed or `stop` says so."""
    store, locks = Store(Path(job.folder)), Locks(Path(job.folder) / "locks")
    train = _resolve(job.trainer)
    if changed := changed_code(store):
        raise Fatal(f"this worker's code is not the sweep's ({changed}): start the sweep again")
    left = dict.fromkeys(job.run_ids)
    while not stop():
        try:
            if not _next(store, locks, job, left, train, stop):
                if not left or (job.leave and _in_living_hands(store, locks, left)):
                    return
                time.sleep(IDLE_S)  # the rest is in other hands. They may yet die
        except Damaged:
            store.gather()  # sets it aside
            _log("\n".join(store.said))


def _next(
    store: Store,
    locks: Locks,
    job: Job,
    left: dict[str, None],
    train: Callable[..., dict[str, Any]],
    stop: Callable[[], bool],
) -> bool:
    """Train the first run that can be had. False if none can. Looks no further than that run.

    What is found finished or given up leaves `left`.
    """
    for run_id in list(left):
        if _over(store, run_id, job):
            del left[run_id]
        elif _parent_ready(store, run_id, job) and _attempt(store, locks, job, run_id, train, stop):
            return True
    return False


def _in_living_hands(store: Store, locks: Locks, left: dict[str, None]) -> bool:
    """Whether each run left has an owner that was seen alive, or waits for its stage 1 that is left too."""
    return all(locks.seen_alive(run_id) or store.config(run_id).parent in left for run_id in left)


def _resolve(name: str) -> Callable[..., dict[str, Any]]:
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)  # type: ignore[no-any-return]


def _given_up(store: Store, run_id: str, session: str) -> bool:
    noted = store.noted(run_id)
    return noted.get("state") == "failed" and session in noted.get("failed_in", ())


def _over(store: Store, run_id: str, job: Job) -> bool:
    """Whether this job has no more to do for a run: it is finished, failed, or paused at its step."""
    return (
        store.is_finished(run_id)
        or _given_up(store, run_id, job.session)
        or waits(store, run_id, job.until.get(run_id))
    )


def _fail(store: Store, run_id: str, session: str, error: str, **facts: Any) -> None:
    """Note that a run failed in this session, in addition to those before: there may be several drivers."""
    before = store.noted(run_id)
    failed_in = [*[one for one in before.get("failed_in", ()) if one != session][-9:], session]
    facts = {name: before[name] for name in KEPT if name in before} | facts
    told = {**facts, "session": session, "state": "failed", "failed_in": failed_in, "error": error}
    store.note(run_id, **told)


def _parent_ready(store: Store, run_id: str, job: Job) -> bool:
    """False while a run's stage 1 is not finished. A run whose stage 1 left no weights fails with it."""
    parent = store.config(run_id).parent
    finished, why = bool(parent) and store.is_finished(parent), ""
    if finished and not (store.checkpoint(parent) / "config.json").exists():
        ended = store.outcome(parent).get("status")
        why = "diverged: --retry-diverged" if ended == "diverged" else "has no weights any more"
    elif parent in job.run_ids and _given_up(store, parent, job.session):
        why = "failed"
    if why:
        _fail(store, run_id, job.session, f"its stage 1, {parent}, {why}")
    return not why and (finished or not parent or parent not in job.run_ids)


def _attempt(
    store: Store,
    locks: Locks,
    job: Job,
    run_id: str,
    train: Callable[..., dict[str, Any]],
    stop: Callable[[], bool],
) -> bool:
    """Train one run if its lock can be had. True if it was (or was found finished)."""
    if stop():
        return True
    try:
        lock = locks.take(run_id)
        if lock is None:
            return False
        try:
            if not _over(store, run_id, job):
                _train(store, job, run_id, train, lambda: stop() or lock.lost)
        finally:
            lock.release()
    except OSError as error:
        if error.errno in FATAL_ERRNO:
            raise Fatal(f"{error.filename or store.folder}: {error.strerror}") from error
        raise
    return True


def _train(
    store: Store, job: Job, run_id: str, train: Callable[..., dict[str, Any]], stop: Callable[[], bool]
) -> None:
    facts, last = _before(store, job, run_id)
    execution = replace(job.execution, threads=facts["threads"], until=job.until.get(run_id))
    if (crashes := facts["crashes"]) >= CRASHES:
        _fail(store, run_id, error=f"its worker died {crashes} times without progress", **facts)
        return

    def progress(now: dict[str, Any]) -> None:
        last.update(now)
        store.note(run_id, **facts, **last, state="running")

    store.note(run_id, **facts, **last, state="running")
    config, folder = store.config(run_id), store.checkpoint(run_id)
    try:
        row = train(config, folder, execution=execution, stop=stop, progress=progress, report=_log)
    except Interrupted:
        store.note(run_id, **facts, **last, state="interrupted")
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FATAL_ERRNO:
            raise
        traceback.print_exc()
        reason = str(error).splitlines()[0] if str(error) else ""
        _fail(store, run_id, error=f"{type(error).__name__}: {reason}", **facts, **last)
    else:
        now = last | _ended(store, run_id, row, config.steps)
        store.note(run_id, **facts, **now)


def _ended(store: Store, run_id: str, row: dict[str, Any], steps: int) -> dict[str, Any]:
    """Keep a run's row: published, or next to the snapshot of a run that pauses. Returns what to note of it."""
    if row["status"] == "stopped":
        pause(store, run_id, row)
        return {"step": row["ended_step"], "loss": row["train_loss"], "state": "paused"}
    store.finish(run_id, row)
    return {"step": steps, "loss": row["loss"], "state": "done" if row["status"] == "ok" else row["status"]}


def _before(store: Store, job: Job, run_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is noted of a run whatever comes, and how far it has come. One that had ended begins again."""
    before = store.noted(run_id)
    facts = {"session": job.session, "pid": os.getpid(), **_deaths(before, job.session)}
    facts |= {name: before[name] for name in KEPT if name in before}
    # Sums depend on how many threads share them: a run goes on with as many as it began with.
    begun = before.get("threads") if store.has_snapshot(run_id) else None
    run = store.config(run_id)
    chosen = job.execution.threads or begun
    facts["threads"] = chosen or free_threads(job.threads, run.own_C / run.steps / 2) or None
    ended = before.get("state") in ("done", "diverged")
    return facts, {name: before[name] for name in ("step", "loss") if name in before and not ended}


def _deaths(before: dict[str, Any], session: str) -> dict[str, Any]:
    """How often the run's workers died in this session without progress, and at which step the last did."""
    if before.get("session") != session:
        return {"crashes": 0, "died_at": -1}
    crashes, died_at = int(before.get("crashes", 0)), int(before.get("died_at", -1))
    if before.get("state") == "running":  # yet its lock was free: whoever ran it died
        step = int(before.get("step", 0))
        crashes = crashes + 1 if step <= died_at else 1  # only deaths without progress add up
        died_at = max(step, died_at)
    return {"crashes": crashes, "died_at": died_at}


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run_worker(text: str, stop: Callable[[], bool], send: Callable[[Any], None]) -> int:
    """Work on a job (its JSON) until it is done or asked to stop. `send` why no run can go on."""
    try:
        work(Job.from_json(text), stop)
    except Fatal as fatal:
        send({"fatal": str(fatal)})
        return EXIT_FATAL
    return 0
