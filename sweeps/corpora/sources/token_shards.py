"""Existing tokens: `tokens:DIR` with shards of nanoGPT, llm.c or Megatron, or with a manifest.

- llm.c: 256 int32 (magic 20240520 and uint16, or 20240801 and uint32, then version and count), then the ids
  (karpathy/llm.c, dev/data/data_common.py)
- Megatron: X.bin with its X.idx: MMIDIDX, version 1, a code for the type, counts, then lengths, offsets and
  documents (NVIDIA/Megatron-LM, megatron/core/datasets/indexed_dataset.py)
- nanoGPT: uint16 ids and nothing else (karpathy/nanoGPT, data/*/prepare.py)
- tokens.json: {"dtype", "train": [names], "validation": [names], "vocab"?, "tokenizer"?, "end"?, "tokens"?:
  {name: count}, "sha256"?: {name: hash}} for plain files of uint16 or uint32
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scaling.data import limits
from sweeps.corpora import tokens as tokenizers
from sweeps.corpora.documents import signature

MANIFEST = "tokens.json"
KEYS = {"dtype", "train", "validation", "vocab", "tokenizer", "end", "tokens", "sha256"}
LLMC = {
    20240520: ("uint16", 50_257),
    20240801: ("uint32", 128_256),
}  # magic: type, vocabulary of its tokenizer
LLMC_HEADER = 1024  # bytes
MEGATRON = b"MMIDIDX\x00\x00"
MEGATRON_TYPES = {1: "uint8", 3: "int16", 4: "int32", 5: "int64", 8: "uint16"}  # the others hold no ids
HELD_OUT = re.compile(r"(^|[^a-z])(val|valid|validation|heldout|held_out|eval)([^a-z]|$)")
ENDS = (
    tokenizers.END,
    "<|end_of_text|>",
    "<|eot_id|>",
    "</s>",
    "<eos>",
)  # what ends a document, the first known


@dataclass(frozen=True)
class Shard:
    """One file of ids."""

    path: Path
    dtype: str
    offset: int  # bytes before the ids
    count: int  # of ids
    starts: npt.NDArray[np.int64] | None = field(default=None, compare=False)  # of documents, if known
    vocab: int | None = None  # of the format's tokenizer
    sha256: str = ""  # what a manifest says

    def open(self) -> tokenizers.Ids:
        """The ids, memory-mapped."""
        return tokenizers.open_tokens(self.path, self.dtype, self.offset, self.count)


@dataclass(frozen=True)
class TokenShards:
    """The shards of a folder, which are training text and which are held out."""

    name: str
    vocab_option: int | None = None

    @cached_property
    def folder(self) -> Path:
        """Where they lie."""
        found = Path(self.name).expanduser()
        if not found.is_dir():
            raise ValueError(f"tokens:{self.name} is not a folder. Name the one that holds the shards")
        return found.resolve()

    @cached_property
    def told(self) -> dict[str, Any]:
        """The folder's manifest. Empty if there is none."""
        path = self.folder / MANIFEST
        return _read_manifest(path) if path.exists() else {}

    @cached_property
    def shards(self) -> dict[str, list[Shard]]:
        """{"train": ..., "valid": ...}, each in the order of names or of the manifest."""
        if self.told:
            parts = {
                part: self.told.get(key, []) for part, key in (("train", "train"), ("valid", "validation"))
            }
            return {part: [_plain(self.folder / name, self.told) for name in parts[part]] for part in parts}
        paths = sorted(self.folder.rglob("*.bin"))
        if not paths:
            raise ValueError(
                f"tokens:{self.name} holds no *.bin and no {MANIFEST}. Name the folder of the shards"
            )
        found: dict[str, list[Shard]] = {"train": [], "valid": []}
        for path in paths:
            held_out = HELD_OUT.search(str(path.relative_to(self.folder)).lower())
            found["valid" if held_out else "train"].append(_shard(path))
        return found

    @cached_property
    def tokenizer(self) -> Path | None:
        """The tokenizer.json in the folder, or the one that the manifest names."""
        path = self.folder / self.told.get("tokenizer", "tokenizer.json")
        if "tokenizer" in self.told and not path.is_file():
            raise ValueError(
                f"{self.folder / MANIFEST} names the tokenizer {path.name}, which is not there. Put it there, or leave it out"
            )
        return path if path.is_file() else None

    @property
    def vocabulary(self) -> int:
        """Rows that an embedding needs, by the option, the manifest, the tokenizer or the format."""
        found = self.vocab_option or self.told.get("vocab")
        if not found and self.tokenizer:
            found = tokenizers.entries(self.tokenizer)
        found = found or max((s.vocab or 0 for part in self.shards.values() for s in part), default=0)
        if not found:
            raise ValueError(
                f"tokens:{self.name} does not say how large its vocabulary is. Put its tokenizer.json there, or "
                f"write tokens:{self.name}#vocab=N"
            )
        return int(found)

    def state(self) -> str:
        """Path, size and time of change of the shards and what describes them."""
        files = [s.path for part in ("train", "valid") for s in self.shards[part]]
        files += [path.with_suffix(".idx") for path in files if path.with_suffix(".idx").exists()]
        described = [self.folder / MANIFEST, self.tokenizer or self.folder / "tokenizer.json"]
        return signature([*files, *(path for path in described if path.exists())])

    def end(self, tokenizer: Path | None) -> int | None:
        """The id that ends a document, if known."""
        if "end" in self.told:
            return int(self.told["end"])
        if tokenizer is None:
            return None
        read = tokenizers.read_tokenizer(tokenizer)
        return next((i for i in map(read.token_to_id, ENDS) if i is not None), None)


def _read_manifest(path: Path) -> dict[str, Any]:
    """A manifest, refused with the key that is wrong."""
    try:
        found = json.loads(limits.read_json(path))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
    if not isinstance(found, dict) or (strange := set(found) - KEYS):
        keys = ", ".join(sorted(strange)) if isinstance(found, dict) else type(found).__name__
        raise ValueError(f"{path}: {keys}: it has the keys {', '.join(sorted(KEYS))}")
    if found.get("dtype") not in ("uint16", "uint32"):
        raise ValueError(f"{path}: dtype {found.get('dtype')!r}. Give uint16 or uint32")
    for key in ("train", "validation"):
        names = found.get(key, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{path}: {key} is no list of file names")
    return found


def _plain(path: Path, told: dict[str, Any]) -> Shard:
    """A shard of a manifest. Raises ValueError if the manifest does not match it."""
    if not path.is_file():
        raise ValueError(
            f"{path.parent / MANIFEST} names {path.name}, which is not there. Put it there, or leave it out"
        )
    size, item = path.stat().st_size, np.dtype(told["dtype"]).itemsize
    count, said = size // item, told.get("tokens", {}).get(path.name)
    if size % item or said not in (None, count):
        raise ValueError(
            f"{path}: {size:,} bytes are {size / item:,g} ids of {told['dtype']}, "
            f"{MANIFEST} says {said if said is not None else 'whole ones'}. Write one of them again"
        )
    return Shard(path, told["dtype"], 0, count, sha256=told.get("sha256", {}).get(path.name, ""))


def _shard(path: Path) -> Shard:
    """A shard as described by its first bytes or its .idx file, else plain uint16."""
    if path.with_suffix(".idx").exists():
        return _megatron(path)
    size = path.stat().st_size
    header = np.fromfile(path, "<i4", count=3)
    if len(header) == 3 and int(header[0]) in LLMC:
        dtype, vocab = LLMC[int(header[0])]
        count = int(header[2])
        if size != LLMC_HEADER + count * np.dtype(dtype).itemsize:
            raise ValueError(
                f"{path}: its header says {count:,} ids of {dtype}, its size {size:,} bytes does not. "
                "It was cut short, or written by another program"
            )
        return Shard(path, dtype, LLMC_HEADER, count, vocab=vocab)
    if size % 2:
        raise ValueError(
            f"{path}: {size:,} bytes are no uint16 ids, and no known header. Describe it in {MANIFEST}"
        )
    return Shard(path, "uint16", 0, size // 2)


def _megatron(path: Path) -> Shard:
    """A shard with an index, which must be that of its ids."""
    index = path.with_suffix(".idx")
    raw = np.memmap(index, np.uint8, mode="r")
    head = bytes(raw[:34])
    if len(head) < 34 or head[:9] != MEGATRON or int.from_bytes(head[9:17], "little") != 1:
        raise ValueError(
            f"{index} is not a Megatron index of version 1. Put the one that belongs to {path.name} there"
        )
    dtype = MEGATRON_TYPES.get(head[17])
    if dtype is None:
        raise ValueError(f"{index}: type code {head[17]} holds no token ids")
    sequences, documents = (int.from_bytes(head[a : a + 8], "little") for a in (18, 26))
    wanted = 34 + 12 * sequences + 8 * documents
    if len(raw) < wanted:
        raise ValueError(f"{index}: {len(raw):,} bytes, its counts ask for {wanted:,}. It was cut short")
    sizes = np.frombuffer(raw[34 : 34 + 4 * sequences], "<i4")
    first = np.frombuffer(raw[34 + 12 * sequences : wanted], "<i8")
    count, item = int(sizes.sum(dtype=np.int64)), np.dtype(dtype).itemsize
    if path.stat().st_size != count * item:
        raise ValueError(
            f"{path}: {path.stat().st_size:,} bytes, its index says {count:,} ids of {dtype}. They are not a pair"
        )
    ends = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    starts = ends[first[first < len(ends)]]
    return Shard(path, dtype, 0, count, starts=starts[starts < count])


def hold_out(shards: dict[str, list[Shard]], end: int | None) -> dict[str, list[Shard]]:
    """The shards with something held out: the named ones, else the last 1% of the training ids.

    At most ten million, starting at a document if documents are known.
    """
    if shards["valid"]:
        return shards
    total = sum(shard.count for shard in shards["train"])
    held = min(max(total // 100, 2), 10_000_000)
    train, left = list(shards["train"]), held
    valid: list[Shard] = []
    while left > 0 and train:
        last = train.pop()
        if last.count > left:
            first, last = _cut(last, _document_start(last, last.count - left, end))
            train.append(first)
            left = last.count
        valid.insert(0, last)
        left -= last.count
    return {"train": train, "valid": valid}


def _cut(shard: Shard, at: int) -> tuple[Shard, Shard]:
    """A shard's first `at` ids and the others."""
    starts = shard.starts
    before, after = (None, None) if starts is None else (starts[starts < at], starts[starts >= at] - at)
    moved = shard.offset + at * np.dtype(shard.dtype).itemsize
    return replace(shard, count=at, starts=before), replace(
        shard, offset=moved, count=shard.count - at, starts=after
    )


def _document_start(shard: Shard, near: int, end: int | None) -> int:
    """The first document's start from `near` on, or `near`."""
    if shard.starts is not None:
        after = shard.starts[(shard.starts >= near) & (shard.starts < shard.count - 1)]
        return int(after[0]) if len(after) else near
    if end is None:
        return near
    found = np.flatnonzero(shard.open()[near : shard.count - 2] == end)
    return near + int(found[0]) + 1 if len(found) else near


def documents_in(shards: Sequence[Shard]) -> int | None:
    """The number of documents by the indices. None if a shard has none."""
    counts = [None if s.starts is None else len(s.starts) for s in shards]
    return None if None in counts or not counts else sum(c for c in counts if c is not None)
