"""Run a grid: plan, dispatch, watch, gather.

    run_sweep(configs, out, name="demo", rule="...", workers="auto", launcher="local") -> SweepResult

`configs` is a list of complete configurations (`sweeps.grids.grids.find(NAME)(Axes(...))`), `out` the
sweep's folder. Runs that the folder already holds are skipped. The others are trained, largest
first, by worker processes that share the folder: the folder is the queue, a lock a run decides who
trains it, and everything `parscale status` shows is read back from it.

A wrong call raises ValueError, a folder that cannot be written OSError. What happens after training
has begun is in the result: `result.ok`, `result.failed`, `result.interrupted`, `result.summary`.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from sweeps.checkpoint import parents
from sweeps.config.execution import DEFAULT, Execution, share_out
from sweeps.config.run import RunConfig
from sweeps.config.searched_fields import searched_fields
from sweeps.corpora import build as corpora
from sweeps.driver.clusters.slurm import SlurmLauncher
from sweeps.driver.local import LocalLauncher
from sweeps.driver.progress import ENDED, View
from sweeps.driver.sweep_result import Outcome, SweepResult, result_of
from sweeps.driver.worker import Job
from sweeps.store.checksums import Damaged
from sweeps.store.compatibility import check_resumable
from sweeps.store.paused import paused_row
from sweeps.store.status import Observer, RunStatus
from sweeps.store.store import Store

Until = Callable[[Mapping[str, RunConfig]], Mapping[str, int]]

POLL_S = 0.5
GATHER_S = 5.0
PATIENCE = 20.0  # between two gatherings at least so many times what one takes


class Launcher(Protocol):
    """Something that keeps workers going on a sweep folder."""

    def share(self, workers: int | str, runs: int, execution: Execution = DEFAULT) -> tuple[int, int]:
        """(workers at a time, threads each) for so many runs. `workers` is a number or auto."""

    def start(self, job: Job, workers: int) -> None:
        """Start the workers."""

    def poll(self) -> bool:
        """Restart what died. False once every worker has ended. Raises OSError if none can go on."""

    def stop(self) -> None:
        """Ask the workers to write their state and end, and wait for them."""


def run_sweep(
    configs: Sequence[RunConfig],
    out: Path,
    *,
    name: str = "",
    rule: str = "",
    workers: int | str = "auto",
    launcher: str | Launcher = "local",
    execution: Execution = DEFAULT,
    retry_diverged: bool = False,
    fork: bool = False,
    detach: bool = False,
    until: Until = lambda runs: {},
    console: Console | None = None,
    trainer: str = "sweeps.training.train:train",
) -> SweepResult:
    """Train the configurations that a folder does not hold yet, and gather the tables.

    Args:
        configs: the runs.
        out: the sweep's folder.
        name: of the sweep, in its rows.
        rule: how the grid derived the runs, in words.
        workers: runs at a time. "auto" is what suits the launcher, at most the number of runs.
        launcher: "local", "slurm", "ray" or a launcher.
        execution: devices, threads and the like, which do not change a run's losses.
        retry_diverged: train diverged runs again.
        fork: resume although the training version, torch or the configurations have changed.
        detach: return once the workers are submitted, if the launcher can leave them alone.
        until: receives the runs by id and returns at which step each pauses. A run that has come so far is left as it
            is, and so is one at 0.
        console: where progress is shown.
        trainer: the function that trains one run, for tests.

    Returns:
        A `SweepResult`: whether every run is done, how many were trained, and what happened.

    Raises:
        ValueError: for a folder of another grid, changed configurations, or options that do not fit the launcher.
    """
    console = console or Console()
    chosen = find_launcher(launcher) if isinstance(launcher, str) else launcher
    _check_call(configs, workers, execution)
    chosen.share(
        workers, len(configs), execution
    )  # a cluster that is not there is refused before anything is written
    report = partial(console.print, highlight=False, soft_wrap=True)
    store = Store(out)
    aside = store.damaged()
    runs = _planned(store, configs, name or configs[0].sweep, rule, fork, report)
    if retry_diverged:
        store.forget(run.run_id for run in Observer(out).look(runs) if run.state == "diverged")
    steps = dict(until(runs))
    waiting = {one for one, step in steps.items() if step <= paused_row(store, one).get("ended_step", 0)}
    before, wanted = (
        store.finished() & set(runs),
        {one: run for one, run in runs.items() if one not in waiting},
    )
    todo = {run_id: config for run_id, config in wanted.items() if run_id not in before}
    outcome = Outcome()
    if todo:
        count, threads = chosen.share(workers, len(todo), execution)
        job = Job(
            str(out.resolve()), list(todo), uuid.uuid4().hex, execution, trainer, os.getcwd(), threads, steps
        )
        watch = partial(_watch, store, job, chosen, count, todo, console, runs)
        outcome = _leave(job, chosen, count) if detach else watch()
    return result_of(store, wanted, before - waiting, aside, _gathered(store, outcome), steps)


def _planned(
    store: Store,
    configs: Sequence[RunConfig],
    name: str,
    rule: str,
    fork: bool,
    report: Callable[[str], None],
) -> dict[str, RunConfig]:
    """The runs by their ids, recorded in the folder. What cannot go on in it is refused."""
    bound = corpora.bind(configs, report=report, known=_recorded(store))
    store.create(name, rule)  # what is refused up to here leaves no folder behind
    store.gather(curves=True)  # what is damaged is known before anything is trained
    bound = parents.as_recorded(bound, store.configs().values(), store.folder)
    check_resumable(store, bound, fork, report)
    store.state(name, rule)
    return store.add(sorted(bound, key=lambda config: (bool(config.parent), -config.C)))


def _gathered(store: Store, outcome: Outcome) -> Outcome:
    """The outcome once rows and curves are gathered. On a full disk they stay where they are, for the next call."""
    try:
        store.gather(curves=True)
    except OSError as error:
        return replace(outcome, fatal=outcome.fatal or f"{error.filename or store.folder}: {error.strerror}")
    return outcome


def _check_call(configs: Sequence[RunConfig], workers: int | str, execution: Execution) -> None:
    """Refuse what no launcher could carry out."""
    share_out(workers, len(configs))
    for config in configs:
        config.check_shared(execution.ranks)


def _recorded(store: Store) -> dict[str, RunConfig]:
    """The configurations that a folder holds, if there is one. What is damaged is set aside."""
    if not store.folder.is_dir():
        return {}
    try:
        return store.configs()
    except Damaged:
        store.gather(curves=True)
        return store.configs()


def find_launcher(name: str, **settings: Any) -> Launcher:
    """The launcher under a name. `settings` are the fields of its class."""
    if name == "local":
        return LocalLauncher()
    if name == "slurm":
        return SlurmLauncher(**settings)
    if name == "ray":
        from sweeps.driver.clusters.ray_cluster import RayLauncher

        return RayLauncher(**settings)
    raise ValueError(f"unknown launcher {name!r}. Choose local, slurm or ray")


def _leave(job: Job, launcher: Launcher, workers: int) -> Outcome:
    """Start the workers and leave them to themselves."""
    if not isinstance(launcher, SlurmLauncher):
        raise ValueError("only --launcher slurm can leave its workers to themselves")
    try:
        launcher.start(job, workers)
        return Outcome(left_to=launcher.detach())
    except OSError as error:
        launcher.stop()
        return Outcome(fatal=str(error))


def _watch(
    store: Store,
    job: Job,
    launcher: Launcher,
    workers: int,
    todo: dict[str, RunConfig],
    console: Console,
    runs: Mapping[str, RunConfig],
) -> Outcome:
    """Keep the workers going and the view up to date until all has ended."""
    observer = Observer(store.folder, job.session, searched_fields(runs.values()), job.until)
    next_gather, gathered = time.monotonic() + GATHER_S, 0
    with _terminate_as_interrupt(), View(console) as view:
        try:
            launcher.start(job, workers)
            while launcher.poll():
                view.show(seen := _look(observer, store, todo))
                ended = sum(run.state in ENDED for run in seen)
                if ended == len(todo):
                    break
                if ended > gathered and time.monotonic() > next_gather:
                    next_gather, gathered = _gather(store), ended
                time.sleep(POLL_S)
            view.show(_look(observer, store, todo))
            launcher.stop()
        except KeyboardInterrupt:
            console.print("stopping: the runs under way write their state ...", highlight=False)
            launcher.stop()
            return Outcome(interrupted=True)
        except OSError as error:
            launcher.stop()
            return Outcome(fatal=str(error))
        except BaseException:
            launcher.stop()
            raise
    return Outcome()


def _gather(store: Store) -> float:
    """Gather. Returns when to do so again, so that it takes a small share of the time."""
    began = time.monotonic()
    store.gather()
    return time.monotonic() + max(GATHER_S, PATIENCE * (time.monotonic() - began))


def _look(observer: Observer, store: Store, todo: dict[str, RunConfig]) -> list[RunStatus]:
    """The state of each run. What is found damaged is set aside, and seen again in what is left."""
    try:
        return observer.look(todo)
    except Damaged:
        store.gather()
        return observer.look(todo)


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, so that a driver asked to go leaves its runs resumable."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    handler: Callable[..., object] | int | None = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
