"""Where a run that does not start from scratch gets its weights, and by what it knows them again.

A base is known by its tensors: their names, types, shapes and bytes, and the numbers that no shape tells. So a
base that was copied, renamed, exported again or cut into other shards is the same base.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from scaling.data.atomic_files import replacing, sha256
from sweeps.checkpoint.hf_config import from_json, read_hf_json
from sweeps.config.run import RunConfig

MOVED = "bases.json"  # in a sweep's folder: where bases lie now that its runs know under another path
UNSEEN = ("heads", "kv_heads", "rope_base", "norm_eps")  # of a model, and in none of its tensors' shapes


def folder(parent: str, checkpoints: Path) -> Path:
    """The checkpoint folder of a parent: another run of the sweep, or a folder the user named."""
    sibling = checkpoints / parent
    found = (
        sibling
        if (sibling / "config.json").exists()
        else Path(_moved(checkpoints.parent).get(parent, parent))
    )
    if not (found / "config.json").exists():
        raise ValueError(f"{parent} is no checkpoint: neither a trained run of this sweep nor a folder")
    return found


def _moved(sweep: Path) -> dict[str, str]:
    path = sweep / MOVED
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def of(run: RunConfig, checkpoints: Path) -> Path:
    """The checkpoint folder a run starts from, refused if it is not what the run was planned with."""
    found = folder(run.parent, checkpoints)
    if run.parent_hash and run.parent_hash not in (parent_fingerprint(found), files_fingerprint(found)):
        raise ValueError(f"{found} has changed since the run was planned. Plan the sweep in a new folder")
    return found


def parent_fingerprint(path: Path) -> str:
    """SHA-256 over a checkpoint's tensors and what of its configuration they do not show.

    Raises:
        CheckpointError: the folder holds no checkpoint that can be read.

    """
    # torch is loaded here alone: planning without a base does without
    from sweeps.checkpoint.shards import tensors_fingerprint
    from sweeps.checkpoint.weight_checks import tensors_one_by_one

    config = from_json(read_hf_json(path / "config.json"), str(path / "config.json"))
    unseen = (
        *UNSEEN,
        *(["smoothing"] if config.P > 1 else []),
        *(["experts_per_token"] if config.experts else []),
        *(["loops", "looped"] if config.loops > 1 else []),
    )
    numbers = {name: getattr(config, name) for name in unseen}
    tensors = tensors_fingerprint(tensors_one_by_one(path))
    return hashlib.sha256(f"{json.dumps(numbers, sort_keys=True)} {tensors}".encode()).hexdigest()


def files_fingerprint(path: Path) -> str:
    """SHA-256 over a checkpoint's files, by which runs of version 0.1 know their base."""
    total = hashlib.sha256()
    for file in sorted([*path.glob("config.json"), *path.glob("*.safetensors")]):
        total.update(f"{file.name} {sha256(file)}\n".encode())
    return total.hexdigest()


def as_recorded(planned: Iterable[RunConfig], recorded: Iterable[RunConfig], sweep: Path) -> list[RunConfig]:
    """The planned runs, each as the sweep in `sweep` already knows it where its base is the same.

    The base may lie elsewhere now, or be known by its files. The run keeps the identity it was begun with.
    """
    known = {_apart_from_place(run): run for run in recorded if run.parent_hash}
    by_files = functools.cache(lambda parent: files_fingerprint(Path(parent)))
    found, moved = [], _moved(sweep)
    for run in planned:
        old = known.get(_apart_from_place(run)) if run.parent_hash else None
        if old is None or old.parent_hash not in (run.parent_hash, by_files(run.parent)):
            found.append(run)
            continue
        moved |= {old.parent: run.parent} if old.parent != run.parent else {}
        found.append(old.carried_out_as(run))
    if moved != _moved(sweep):
        with replacing(sweep / MOVED) as temporary:
            temporary.write_text(json.dumps(moved, indent=1, sort_keys=True), encoding="utf-8")
    return found


def _apart_from_place(run: RunConfig) -> RunConfig:
    """A run without what tells where its base lies. Its tokenizer is known by corpus_hash."""
    return replace(run.identity, parent="base", parent_hash="", tokenizer="", size="") if run.parent else run


def with_tokenizer(run: RunConfig, base: Path | None) -> RunConfig:
    """The run with its base's tokenizer where it lies now, if the file that the run names is gone."""
    if base is None or run.tokenizer == "bpe" or ":" in run.tokenizer or Path(run.tokenizer).exists():
        return run
    return replace(run, tokenizer=str(base / "tokenizer.json"))
