"""A run's training state on disk: written whole, checked when read, the last two kept.

The file's name carries its step and its checksum, so one rename makes both true at once.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scaling.data.atomic_files import sha256
from sweeps.config.run import RunConfig
from sweeps.store.checksums import set_aside

NAME = re.compile(r"step-(\d{9})-([0-9a-f]{16})\.ckpt")
KEPT = 2


class SnapshotError(ValueError):
    """A snapshot that must not be continued from. The message says what to do."""


def checksum(path: Path) -> str:
    """The first 16 hex digits of the SHA-256 of the file, or of a folder's file names and hashes."""
    if path.is_dir():  # a sharded snapshot
        parts = "".join(f"{part.name} {checksum(part)}\n" for part in sorted(path.iterdir()))
        return hashlib.sha256(parts.encode()).hexdigest()[:16]
    return sha256(path)[:16]


def remove(path: Path) -> None:
    """Delete a snapshot, whole or sharded, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Force a file or a folder's entries to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish(temporary: Path, step: int) -> Path:
    """Give a finished temporary file its final name, then drop all but the last snapshots."""
    for part in temporary.iterdir() if temporary.is_dir() else ():
        sync(part)
    sync(temporary)
    final = temporary.parent / f"step-{step:09d}-{checksum(temporary)}.ckpt"
    temporary.replace(final)
    sync(final.parent)
    for old in _by_step(final.parent)[KEPT:]:
        remove(old)
    return final


def step_of(path: Path | None) -> int:
    """The step a snapshot was taken after. 0 of none."""
    match = NAME.fullmatch(path.name) if path else None
    return int(match[1]) if match else 0


def _by_step(folder: Path) -> list[Path]:
    """Snapshots, newest first."""
    found = [path for path in folder.glob("step-*.ckpt") if NAME.fullmatch(path.name)]
    return sorted(found, reverse=True)


def latest(folder: Path) -> tuple[Path | None, list[Path]]:
    """The newest snapshot that passes its checksum, and those set aside because they do not."""
    aside: list[Path] = []
    for path in _by_step(folder):
        match = NAME.fullmatch(path.name)
        if match and checksum(path) == match[2]:
            return path, aside
        aside.append(set_aside(path))
    return None, aside


def choose(run: RunConfig, folder: Path, say: Callable[[str], None]) -> Path | None:
    """Where a run goes on from. None at the beginning. What a killed writer left half written is removed."""
    for path in folder.glob(".snapshot-*.tmp"):  # whoever holds the run's lock is its only writer
        remove(path)
    snapshot, damaged = latest(folder)
    for path in damaged:
        say(f"{path}: fails its checksum and is set aside")
    if snapshot is not None:
        check_snapshot(snapshot, run)
        say(f"run {run.run_id}: goes on from step {step_of(snapshot)}")
    return snapshot


def check_snapshot(path: Path, run: RunConfig) -> None:
    """Refuse a snapshot of another configuration or another torch: it would not go on exactly."""
    import torch  # only a snapshot that is gone on from is opened

    file = path / "meta.pt" if path.is_dir() else path  # Lightning's name, in a sharded snapshot
    state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    if RunConfig.from_json(state["run"]).identity != run.identity:
        raise SnapshotError(f"{path}: a snapshot of another configuration. Delete it to start the run again")
    if state["torch"] != str(torch.__version__):
        raise SnapshotError(
            f"{path}: written with torch {state['torch']}, this is {torch.__version__}. "
            "Install that version to go on, or delete the file to start the run again"
        )
