"""The files that hold a checkpoint's weights, and the tensors in them. Nothing here unpickles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sweeps.checkpoint.hf_config import CheckpointError, read_hf_json

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
STREAMS = "streams.safetensors"
BACKBONE = "backbone"  # in STREAMS: the backbone's folder, seen from there
FINGERPRINT = "checkpoint_sha256"  # in every shard we write: which checkpoint it belongs to
NUMBERED = re.compile(r"(.+)-(\d+)-of-(\d+)\.safetensors")
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")
LFS = b"version https://git-lfs"
AGAIN = "copy or download it again"
BUFFERS = re.compile(r"rotary_emb\.\w+$|(^|\.)position_ids$")  # computed from the configuration, not learnt


def shard_map(folder: Path) -> dict[Path, set[str] | None]:
    """Each shard and the tensors the index says it holds (None where there is no index)."""
    if (folder / INDEX).exists():
        return _indexed(folder)
    if (folder / SINGLE).exists():
        return {folder / SINGLE: None}
    return dict.fromkeys(_numbered(folder))


def _indexed(folder: Path) -> dict[Path, set[str] | None]:
    """The shards that the index names."""
    weight_map = read_hf_json(folder / INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{folder / INDEX} has no weight_map. {AGAIN}")
    for shard in weight_map.values():  # a stranger's index names files in its own folder only
        if not (isinstance(shard, str) and re.fullmatch(r"[\w.-]+\.safetensors", shard)):
            raise CheckpointError(f"{folder / INDEX} names a shard {shard!r}: no safetensors file here")
    shards = sorted(set(weight_map.values()))
    if SINGLE not in shards and (folder / SINGLE).exists():
        both = f"{SINGLE} and the shards of {INDEX}"
        raise CheckpointError(
            f"{folder} holds two sets of weights, {both}. Remove the one that is out of date"
        )
    return {folder / name: {tensor for tensor, at in weight_map.items() if at == name} for name in shards}


def _numbered(folder: Path) -> list[Path]:
    """All of the shards x-00001-of-00003 that a folder without an index holds."""
    found = {path.name: path for path in folder.glob("*.safetensors")}
    numbered = [match for name in sorted(found) if (match := NUMBERED.fullmatch(name))]
    if not numbered:
        raise CheckpointError(f"{folder} {_why_no_weights(folder)}")
    stem, _, count = numbered[0].groups()
    names = [f"{stem}-{i + 1:0{len(count)}}-of-{count}.safetensors" for i in range(min(int(count), 10_000))]
    absent = [name for name in names if name not in found]
    if absent or len(numbered) != len(names):
        what = f"it lacks {absent[0]}" if absent else "its shards are of several checkpoints"
        raise CheckpointError(f"{folder} has no {INDEX}, and {what}. Copy or download them again")
    return [found[name] for name in names]


def _why_no_weights(folder: Path) -> str:
    """What a folder without weights that can be read holds instead, and what to do."""
    if (folder / "adapter_model.safetensors").exists():
        return "holds an adapter alone. Merge it into its base model and save that"
    if any(path for pattern in PICKLED for path in folder.glob(pattern)):
        return (
            "holds pickled weights only, which can run code when they are read. Load them where you trust "
            "them and save them with safe_serialization=True"
        )
    if any(folder.glob("*.gguf")):
        return "holds GGUF weights only. Use the checkpoint they were made from"
    others = ", ".join(sorted(path.name for path in folder.glob("*.safetensors")))
    holds = f" (it holds {others})" if others else ""
    return f"has neither {SINGLE} nor {INDEX}{holds}. Copy or download the weights into it"


def read_shard(path: Path) -> tuple[dict[str, Tensor], str | None]:
    """A shard's tensors and the fingerprint of the checkpoint it was written for, if it has one."""
    try:
        with safe_open(path, framework="pt") as shard:
            stamp = (shard.metadata() or {}).get(FINGERPRINT)
            return {name: shard.get_tensor(name) for name in shard.keys()}, stamp  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing: the index names it. {AGAIN}") from None
    except (SafetensorError, OSError, AttributeError) as error:  # AttributeError: a type this torch lacks
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    """Why a file of weights cannot be read."""
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(LFS)) == LFS:
                return CheckpointError(f"{path} is a pointer of Git LFS, not the weights. Run `git lfs pull`")
    return CheckpointError(f"{path} is truncated or no safetensors file: {error}. {AGAIN}")


def backbone_of(folder: Path) -> Path | None:
    """Where the backbone of a folder that holds streams alone lies: the folder above, or one next to it."""
    path = folder / STREAMS
    if not path.exists() or (folder / SINGLE).exists() or (folder / INDEX).exists():
        return None
    try:
        with safe_open(path, framework="pt") as shard:
            told = str((shard.metadata() or {}).get(BACKBONE, ".."))  # a file's word: it leads no further
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from None
    if not re.fullmatch(r"\.\.(/[\w-]+)?", told):
        raise CheckpointError(f"{path} names a backbone {told!r}: not the folder above, nor one next to it")
    return folder.resolve() / told


def read_tensors(folder: str | Path) -> dict[str, Tensor]:
    """Every tensor of a checkpoint. Shards that do not belong together are refused."""
    if backbone := backbone_of(Path(folder)):
        return read_tensors(backbone) | read_shard(Path(folder) / STREAMS)[0]
    tensors: dict[str, Tensor] = {}
    stamps: dict[str, str] = {}
    twice: list[tuple[str, Tensor, Path]] = []  # tensors that are not where the index says
    for path, promised in shard_map(Path(folder)).items():
        found, stamp = read_shard(path)
        if promised is not None and (absent := sorted(promised - set(found))):
            raise CheckpointError(f"{path} is not the index's shard: it lacks {_some(absent)}. {AGAIN}")
        if stamp is not None:
            stamps[path.name] = stamp
        strange = set(found) - promised if promised is not None else set(found) & set(tensors)
        twice += [(name, found.pop(name), path) for name in sorted(strange)]
        tensors |= found
    if len(set(stamps.values())) > 1:
        listed = ", ".join(f"{name} {stamp[:12]}" for name, stamp in stamps.items())
        raise CheckpointError(
            f"{folder}: shards of different checkpoints: {listed}. Copy one checkpoint's only"
        )
    refuse_other_copies(tensors, twice)
    return {name: tensor for name, tensor in tensors.items() if not BUFFERS.search(name)}


def tensor_places(folder: Path) -> dict[str, Path]:
    """In which file each of a checkpoint's tensors lies. Nothing is read but the files' headers."""
    backbone = backbone_of(folder)
    found: dict[str, Path] = {}
    for path in [folder / STREAMS] if backbone else shard_map(folder):
        try:
            with safe_open(path, framework="pt") as shard:
                found |= dict.fromkeys(shard.keys(), path)
        except (SafetensorError, OSError) as error:
            raise _unreadable(path, error) from None
    places = {name: path for name, path in found.items() if not BUFFERS.search(name)}
    return tensor_places(backbone) | places if backbone else places


def refuse_other_copies(tensors: Mapping[str, Tensor], twice: list[tuple[str, Tensor, Path]]) -> None:
    """Raise where a shard holds a tensor that its checkpoint does not, or holds with other values."""
    for name, copy, path in twice:
        if name not in tensors and not BUFFERS.search(name):
            raise CheckpointError(f"{path} is not the index's shard: it holds {name}, unknown there. {AGAIN}")
        if name in tensors and not torch.equal(tensors[name], copy):
            raise CheckpointError(f"{path}: {name} has other values in another shard. {AGAIN}")


def _some(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
