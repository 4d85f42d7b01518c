"""Processes that start quickly: the standard library's fork server imports torch once and forks from there.

A child calls a function with a text. Two pipes join it to its parent: through one it sends values, the
other, `parent_alive`, ends when the parent asks the child to stop, and when the parent dies.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any

POLL_S = 0.1
KILL_S = 10.0  # to wait for children that were killed
STOP_SIGNALS = {signal.SIGUSR2, signal.SIGTERM, signal.SIGINT}  # each asks a child to stop
SERVER_DIED = 255  # multiprocessing's exit code of a child whose fork server died: the child may still run
METHODS = ["spawn"] if sys.platform == "darwin" else ["forkserver", "spawn"]  # spawn if no server can start

Stop = Callable[[], bool]  # True once a child should stop
Send = Callable[[Any], None]  # sends a value to the parent
Target = Callable[[str, Stop, Send], int]  # what a child does with its text. Returns its exit code


@dataclass
class Child:
    """A process of a pool, seen from its parent."""

    process: BaseProcess
    values: Connection
    parent_alive: Connection
    received: list[Any] = field(default_factory=list)
    code: int | None = None  # None while it runs. -n: killed by signal n

    def update(self) -> None:
        """Read what the child has sent, and its exit code."""
        code, ended = self.process.exitcode, False  # the code first: then no value is missed
        try:
            while self.values.poll():
                self.received.append(self.values.recv())
        except (EOFError, OSError):
            ended = True
        if code is not None and (ended or code != SERVER_DIED):
            self.code = code
            self.values.close()


class ProcessPool:
    """Starts children and follows them. All pools of a process share the fork server of the first."""

    def __init__(
        self, module: str, settings: dict[str, str], log: Path | None = None, cwd: Path | None = None
    ) -> None:
        """The server imports `module`. `settings` are added to the environment.

        Children write to `log` (default: standard error) and start in `cwd` (default: this process's).
        """
        # torch's own check for CUDA would start it, and CUDA does not survive a fork.
        self.settings = {**settings, "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
        self.log, self.cwd = log, cwd
        self.children: list[Child] = []
        forkserver.set_forkserver_preload([module])

    def __enter__(self) -> ProcessPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, target: str, text: str, **environment: str) -> Child:
        """Start a child that calls `target` (module:function, a `Target`)."""
        given = {**os.environ, **self.settings, **environment}
        for method in METHODS:
            values, send_end = multiprocessing.Pipe(duplex=False)
            alive_end, parent_alive = multiprocessing.Pipe(duplex=False)
            arguments = (target, text, given, self.cwd, self.log, send_end, alive_end)
            process = multiprocessing.get_context(method).Process(target=_run, args=arguments)  # type: ignore[attr-defined]
            # Without the caller's __main__, which a child would otherwise import, and run if unguarded.
            with send_end, alive_end, _changed(sys.modules, __main__=ModuleType("__main__")):
                try:
                    if method == "forkserver":
                        _start_server(self.settings)
                    process.start()
                    break
                except (EOFError, OSError):
                    if method == METHODS[-1]:
                        raise
        self.children.append(Child(process, values, parent_alive))
        return self.children[-1]

    def look(self) -> bool:
        """Update the children. True while one of them runs."""
        for child in self.children:
            if child.code is None:
                child.update()
        return any(child.code is None for child in self.children)

    def stop(self) -> None:
        """Ask every child to stop."""
        for child in self.children:
            child.parent_alive.close()

    def end(self, patience: float) -> None:
        """Ask every child to stop. Kill those that run after `patience` seconds, or after a Ctrl-C."""
        self.stop()
        with contextlib.suppress(KeyboardInterrupt):
            self._wait(patience)
        for child in self.children:
            if child.code is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.process.pid or 0, signal.SIGKILL)
        self._wait(KILL_S)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.look() and time.monotonic() < deadline:
            time.sleep(POLL_S)


@contextlib.contextmanager
def _changed(mapping: MutableMapping[str, Any], **changes: Any) -> Iterator[None]:
    """Items of a mapping have other values for a while."""
    before = {name: mapping.get(name) for name in changes}
    mapping.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del mapping[name]
            else:
                mapping[name] = value


def _start_server(settings: dict[str, str]) -> None:
    """Start the fork server unless it runs: it inherits `settings`, and that stop signals are blocked."""
    resource_tracker.ensure_running()  # before signals are blocked: starting it unblocks them
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        with _changed(os.environ, PYTHONPATH=os.pathsep.join(sys.path), **settings):
            forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _run(
    target: str,
    text: str,
    environment: dict[str, str],
    cwd: Path | None,
    log: Path | None,
    values: Connection,
    parent_alive: Connection,
) -> None:
    """What a child does."""
    signals: list[int] = []
    for number in STOP_SIGNALS:
        signal.signal(number, lambda received, _: signals.append(received))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    os.setsid()  # Ctrl-C reaches the parent alone
    if log:
        os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666), 2)
    os.dup2(2, 1)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd or ".")

    def send(value: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # the parent is gone
            values.send(value)

    module, _, function = target.partition(":")
    try:
        call: Target = getattr(importlib.import_module(module), function)
        sys.exit(call(text, lambda: bool(signals) or parent_alive.poll(), send))
    finally:
        atexit._run_exitfuncs()  # which multiprocessing skips: loggers end their runs there
