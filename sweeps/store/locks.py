"""Who owns a run, or a table while it is rewritten: numbered files, made once, with the owner's heartbeat.

`locks/<name>/<n>.lock` is made by a hard link (by exclusive creation where the disk has no links), which one
process wins on every shared disk: no advisory lock of the kernel is asked, which network disks may lack or
keep to one machine. The highest number owns. Whoever finds its owner dead makes the next number, so that two
who find it dead at once, or one who looked long ago, cannot both own.

An owner beats by writing a higher count. On the owner's own machine a dead process is seen at once. From
another machine an owner is dead once its count has not moved for a while, by the watcher's own steady clock.
No wall clock is compared.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BEAT_S = 5.0
SILENT_S = 60.0  # a remote owner silent for so long is dead
WAIT_S = 0.05  # between two looks at a lock that is waited for


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


def _numbers(place: Path) -> list[int]:
    """The numbers of the lock files in a folder, lowest first."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(int(path.stem) for path in place.glob("*.lock") if path.stem.isdecimal())
    return []


def _make_once(path: Path, text: str) -> bool:
    """Make a file that nobody has made. False if somebody has."""
    temporary = path.with_name(f"{uuid.uuid4().hex}.tmp")
    temporary.write_text(text)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return temporary.stat().st_nlink == 2  # a network disk may repeat a call whose answer was lost
    except OSError:  # no hard links here
        try:
            with path.open("x") as file:
                file.write(text)
        except FileExistsError:
            return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


class Locks:
    """The locks of one sweep folder, for one process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[str, tuple[object, float]] = {}  # name: (owner and count, first seen)
        self._beating: set[str] = set()  # names whose owner has been seen to beat from another machine

    def take(self, name: str) -> Lock | None:
        """The lock of that name, or None if a living owner has it. A dead owner's lock is taken over."""
        place = self.folder / name
        place.mkdir(exist_ok=True)
        numbers = _numbers(place)
        if self.owner(name) is not None:
            return None
        lock = Lock(place, max(numbers, default=0) + 1)
        if not lock.claim():
            return None
        lock.start()
        return lock

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[Lock]:
        """Wait for a lock, and have it."""
        while (lock := self.take(name)) is None:
            time.sleep(WAIT_S)
        try:
            yield lock
        finally:
            lock.release()

    def owner(self, name: str) -> dict[str, Any] | None:
        """The living owner of a lock, or None. A file whose owner has yet to write its name is one's."""
        place = self.folder / name
        number = max(_numbers(place), default=0)
        try:
            text = (place / f"{number}.lock").read_text()
            facts: dict[str, Any] = json.loads(text) if text else {"host": "", "key": number, "count": 0}
            here, mark = facts["host"] == host(), (facts["key"], facts["count"])
            if here:
                return facts if _alive(facts["pid"], facts["started"]) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        seen, since = self._seen.get(name, (None, 0.0))
        if seen != mark:
            self._seen[name] = (mark, time.monotonic())
            (self._beating.add if seen else self._beating.discard)(name)
            return facts
        if time.monotonic() - since < SILENT_S:
            return facts
        self._beating.discard(name)
        return None

    def seen_alive(self, name: str) -> bool:
        """Whether a lock has an owner that is sure to live: on this machine, or seen to beat since the first look."""
        facts = self.owner(name)
        return facts is not None and (facts["host"] == host() or name in self._beating)


class Lock(threading.Thread):
    """A held lock, beating until it is released."""

    def __init__(self, place: Path, number: int) -> None:
        super().__init__(daemon=True, name=f"beat {place.name}")
        self.path = place / f"{number}.lock"
        self.number = number
        self.key = uuid.uuid4().hex
        self.count = 0
        self.lost = False  # someone else has taken it over
        self._over = threading.Event()

    def claim(self) -> bool:
        """Make this number's file, if nobody has made it or a higher one. Drop those that it makes useless."""
        if not _make_once(self.path, self._facts()):
            return False
        if not self.ours():
            self.path.unlink(missing_ok=True)
            return False
        for number in _numbers(self.path.parent):
            if number < self.number - 1:  # the one before stays: who saw its owner dead finds this one made
                (self.path.parent / f"{number}.lock").unlink(missing_ok=True)
        return True

    def _facts(self) -> str:
        """Owner and count, one higher at every call."""
        self.count += 1
        pid = os.getpid()
        facts = {"host": host(), "pid": pid, "started": _started(pid), "key": self.key, "count": self.count}
        return json.dumps(facts)

    def beat(self) -> None:
        """Write owner and count."""
        temporary = self.path.with_suffix(f".{self.key}.tmp")
        temporary.write_text(self._facts())
        temporary.replace(self.path)

    def run(self) -> None:
        """Beat. Stop for good if the lock is no longer ours."""
        while not self._over.wait(BEAT_S):
            try:
                if not self.ours():
                    self.lost = True
                    return
                self.beat()
            except OSError:
                continue  # a full disk may recover. The watcher's patience is longer than one beat

    def ours(self) -> bool:
        """Whether nobody has taken the lock over."""
        return max(_numbers(self.path.parent), default=0) == self.number

    def release(self) -> None:
        """Give the lock back."""
        self._over.set()
        if self.is_alive():
            self.join()
        if self.ours():
            self.path.unlink(missing_ok=True)
