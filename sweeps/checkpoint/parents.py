"""Where a run that does not start from scratch gets its weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

from scaling.data.atomic_files import sha256
from sweeps.config.run import RunConfig


def folder(parent: str, checkpoints: Path) -> Path:
    """The checkpoint folder of a parent: another run of the sweep, or a folder the user named."""
    sibling = checkpoints / parent
    found = sibling if (sibling / "config.json").exists() else Path(parent)
    if not (found / "config.json").exists():
        raise ValueError(f"{parent} is no checkpoint: neither a trained run of this sweep nor a folder")
    return found


def of(run: RunConfig, checkpoints: Path) -> Path:
    """The checkpoint folder a run starts from, refused if it is not what the run was planned with."""
    found = folder(run.parent, checkpoints)
    if run.parent_hash and parent_fingerprint(found) != run.parent_hash:
        raise ValueError(f"{found} has changed since the run was planned; plan the sweep in a new folder")
    return found


def parent_fingerprint(path: Path) -> str:
    """SHA-256 over a checkpoint folder's configuration and weights."""
    files = sorted([*path.glob("config.json"), *path.glob("*.safetensors")])
    if len(files) < 2:
        raise ValueError(f"{path} is no checkpoint: it needs config.json and *.safetensors")
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.name} {sha256(file)}\n".encode())
    return total.hexdigest()
