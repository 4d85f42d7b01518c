"""Tensors in safetensors files: split by size, named by their bytes, written."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor


def split_shards(state: Mapping[str, Tensor], shard_bytes: int) -> Iterator[dict[str, Tensor]]:
    """Consecutive tensors, at most `shard_bytes` a shard unless one tensor alone is larger."""
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in state.items():
        if shard and size + tensor.nbytes > shard_bytes:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor
        size += tensor.nbytes
    yield shard


def tensors_fingerprint(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Names a checkpoint: the hash of its tensors' names, types, shapes and bytes, given by name in order."""
    digest = hashlib.sha256()
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_shard(shard: dict[str, Tensor], path: Path, stamp: dict[str, str]) -> None:
    """A safetensors file, the same bytes for the same tensors. A full disk is the OSError it is."""
    try:
        save_file(shard, path, metadata=stamp)
    except SafetensorError as error:
        if code := re.search(r"os error (\d+)", str(error)):
            raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from error
        raise
    _sort_metadata(path)


def _sort_metadata(path: Path) -> None:
    """Put the metadata of a safetensors file in order: the library writes it in an order of chance."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(size)
        if len(text) == size:  # else the library has changed its way of writing: the file stays as it is
            file.seek(8)
            file.write(text)
