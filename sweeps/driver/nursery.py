"""A process that imports what training needs once, and forks processes from there.

torch and Lightning take seconds to import: paid once for all workers of a sweep, or all ranks of a run,
and not again when one dies. `python -m sweeps.driver.nursery MODULE` imports MODULE and reads a JSON object a line
from its standard input: {"key", "target", "text", "environment"} starts a child, which calls the function
`target` (module:function), {"signal"} is sent to every child. On its standard output come {"key", "pid"}
of a child that has started, {"key", "part", "last"} of the JSON it says, {"key", "code"} once it has ended.
When the nursery's input closes, or it is killed, its children are told to stop.
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
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOOK_S = 0.1
KILLED_S = 10.0  # patience with processes that were killed
STOP = signal.SIGUSR2  # Lightning answers SIGTERM with a word to all ranks, out of turn
PART = 1500  # characters of one write: a pipe keeps up to 4096 bytes together, whoever else writes

Stop = Callable[[], bool]  # True once a child is to stop
Say = Callable[[Any], None]  # takes what JSON can hold
Target = Callable[[str, Stop, Say], int]  # what a child does: (its text, ...) -> its exit code


@dataclass
class Child:
    """What is known of a child."""

    pid: int | None = None  # None until it has started
    code: int | None = None  # None until it has ended; -n: killed by signal n
    said: list[Any] = field(default_factory=list)
    saying: str = ""  # the parts heard of what comes next


class Nursery:
    """The other end: starts children, hears what they say, and of their ends."""

    def __init__(
        self, module: str, settings: dict[str, str], log: Path | None = None, cwd: Path | None = None
    ) -> None:
        """`module` is what children import, `settings` joins their environment, `log` takes their prints.

        `cwd` is the folder that they start in, by default this process's.
        """
        self.module, self.log, self.cwd = module, log, cwd
        root = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        self.environment = {**os.environ, **settings, "PYTHONPATH": path}
        self.environment["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # CUDA, once begun, does not survive a fork
        self.children: list[Child] = []
        self._open()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> None:
        with open(self.log, "a") if self.log else contextlib.nullcontext() as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sweeps.driver.nursery", self.module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C reaches the driver alone, which then tells the children
                env=self.environment,
                cwd=self.cwd,
            )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self.heard = b""

    def start(self, target: str, text: str, **environment: str) -> Child:
        """A child that calls `target` (module:function, a `Target`), as soon as the imports are done."""
        if self.process.poll() is not None:
            self.look()
            self.close()
            self._open()
        self.children.append(Child())
        key = len(self.children) - 1
        self._tell({"key": key, "target": target, "text": text, "environment": environment})
        return self.children[key]

    def stop(self) -> None:
        """Tell every child to stop."""
        self._tell({"signal": STOP})

    def _tell(self, command: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died: look() will see it
            self.process.stdin.write(json.dumps(command).encode() + b"\n")
            self.process.stdin.flush()

    def look(self) -> bool:
        """Bring `children` up to date; True while one of them goes on."""
        code = self.process.poll()  # before reading: no word is missed
        assert self.process.stdout is not None
        self.heard += (not self.process.stdout.closed and self.process.stdout.read()) or b""
        *lines, self.heard = self.heard.split(b"\n")
        for facts in map(json.loads, lines):
            child = self.children[facts["key"]]
            child.pid = facts.get("pid", child.pid)
            child.code = facts.get("code", child.code)
            child.saying += facts.get("part", "")
            if facts.get("last"):
                child.said.append(json.loads(child.saying))
                child.saying = ""
        if code is not None:
            for child in self.children:  # each has been told by its closing input, and is on its own now
                child.code = (code or 1) if child.code is None else child.code
        return any(child.code is None for child in self.children)

    def end(self, patience: float) -> None:
        """Tell every child to stop; silence or a Ctrl-C ends them at once."""
        with contextlib.suppress(KeyboardInterrupt):
            self._end(STOP, patience)
        self._end(signal.SIGKILL, KILLED_S)

    def _end(self, number: int, patience: float) -> None:
        if not (self.look() and any(child.pid for child in self.children)):
            return
        self._tell({"signal": number})
        deadline = time.monotonic() + patience
        while self.look() and time.monotonic() < deadline:
            time.sleep(LOOK_S)

    def close(self) -> None:
        """End the nursery; children that go on are told to stop."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):  # what was not yet written does not matter
                pipe.close()  # type: ignore[union-attr]


def main() -> int:
    """Import, then start, signal and reap children until the input closes and the last has ended."""
    if sys.platform != "darwin":  # whose libraries do not survive a fork: there each child imports for itself
        importlib.import_module(sys.argv[1])
    life, breath = os.pipe()  # children read `life`, which ends when `breath` closes: with this process
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
                    _write(1, {"key": command["key"], "pid": pid})
                else:
                    os.close(breath)
                    return _child(command, life)
        elif not open_:
            time.sleep(LOOK_S)
        _reap(going)
    return 0


def _reap(going: dict[int, int]) -> None:
    for pid in list(going):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            _write(1, {"key": going.pop(pid), "code": os.waitstatus_to_exitcode(status)})


def _child(command: dict[str, Any], life: int) -> int:
    """What a forked process does: told to stop by a signal, or by the end of the nursery."""
    os.setsid()
    asked = threading.Event()
    for number in (STOP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())

    def listen() -> None:
        os.read(life, 1)
        asked.set()

    threading.Thread(target=listen, daemon=True).start()
    voice = os.dup(1)
    os.dup2(2, 1)  # what is printed goes to the log
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    def say(said: Any) -> None:
        text = json.dumps(said)
        for start in range(0, len(text), PART):
            part, last = text[start : start + PART], start + PART >= len(text)
            _write(voice, {"key": command["key"], "part": part, "last": last})

    os.environ.update(command["environment"])
    module, _, function = command["target"].partition(":")
    target: Target = getattr(importlib.import_module(module), function)
    return target(command["text"], asked.is_set, say)


def _write(voice: int, facts: dict[str, Any]) -> None:
    """One line in one write."""
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more
        os.write(voice, json.dumps(facts).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
