"""Who trains a run: a lock file with its owner's name and heartbeat, and a mutex around taking it.

A lock's owner beats by writing a higher count. Whoever wants a lock that is held watches the count:
on the owner's own machine a dead process is seen at once; from another machine an owner whose count
has not moved for a while, by the watcher's own steady clock, is dead. No wall clock is compared.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

BEAT_S = 5.0
SILENT_S = 60.0  # a remote owner silent for so long is dead


class Mutex:
    """Exclusive use of a file, by an advisory lock that the kernel drops when its holder dies."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        self._file = self.path.open("a")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def host() -> str:
    """The machine, its boot and process namespace: within them a process number names one process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        boot, space = "", ""
    return f"{socket.gethostname()} {boot} {space}".strip()


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks: tells it from a later one of the same number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _alive(pid: int, started: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not started or _started(pid) == started


class Locks:
    """The locks of one sweep folder, for one process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[str, tuple[object, float]] = {}  # run_id: (owner and count, first seen)

    def take(self, run_id: str) -> Lock | None:
        """The run's lock, or None if a living owner has it. A dead owner's lock is taken over."""
        path = self.folder / f"{run_id}.lock"
        with Mutex(self.folder / "take.mutex"):
            if self.owner(run_id) is not None:
                return None
            lock = Lock(path)
            lock.beat()
        lock.start()
        return lock

    def owner(self, run_id: str) -> dict[str, Any] | None:
        """The living owner of a run's lock, or None."""
        try:
            facts = json.loads((self.folder / f"{run_id}.lock").read_text())
            owner = {name: facts[name] for name in ("host", "pid", "started", "key", "count")}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        if owner["host"] == host():
            return owner if _alive(owner["pid"], owner["started"]) else None
        mark = (owner["key"], owner["count"])
        seen, since = self._seen.get(run_id, (None, 0.0))
        if seen != mark:
            self._seen[run_id] = (mark, time.monotonic())
            return owner
        return owner if time.monotonic() - since < SILENT_S else None


class Lock(threading.Thread):
    """A held lock, beating until it is released."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True, name=f"beat {path.stem}")
        self.path = path
        self.key = uuid.uuid4().hex
        self.count = 0
        self.lost = False  # someone else has taken it over
        self._over = threading.Event()

    def beat(self) -> None:
        """Write owner and count."""
        self.count += 1
        pid = os.getpid()
        facts = {"host": host(), "pid": pid, "started": _started(pid), "key": self.key, "count": self.count}
        temporary = self.path.with_suffix(f".{self.key}.tmp")
        temporary.write_text(json.dumps(facts))
        temporary.replace(self.path)

    def run(self) -> None:
        """Beat; stop for good if the lock is no longer ours."""
        while not self._over.wait(BEAT_S):
            try:
                with Mutex(self.path.with_name("take.mutex")):
                    if not self._ours():
                        self.lost = True
                        return
                    self.beat()
            except OSError:
                continue  # a full disk may recover; the watcher's patience is longer than one beat

    def _ours(self) -> bool:
        try:
            return bool(json.loads(self.path.read_text())["key"] == self.key)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def release(self) -> None:
        """Give the lock back."""
        self._over.set()
        if self.is_alive():
            self.join()
        if self._ours():
            self.path.unlink(missing_ok=True)
