"""Seal shards of tokens: read once, hash, check every id. Later they are opened without reading."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scaling.data.atomic_files import sha256
from sweeps.corpora import sealing
from sweeps.corpora.sources.token_shards import Shard, TokenShards, documents_in, hold_out
from sweeps.corpora.tokens import Ids, read_tokenizer

PIECE = 16_000_000  # ids checked at a time
SAMPLE = 2_000  # ids of each shard that are decoded and encoded again
ALIKE = 0.5  # share of the sample that must come back

Say = Callable[[str], None]


def seal_shards(
    source: TokenShards, name: str, vocab: int, tokenizer: Path | None, folder: Path, say: Say
) -> None:
    """Check the shards and write the manifest and the seal of their corpus into `folder`.

    Raises:
        ValueError: a shard of another type, an id outside the vocabulary, a shard of another tokenizer, a
            file that differs from its manifest. The message names the file.

    """
    end = source.end(tokenizer)
    parts = hold_out(source.shards, end)
    several = [*parts["train"], *parts["valid"]]
    _check_types(several)
    hashes: dict[str, str] = {}
    for shard in several:
        if str(shard.path) not in hashes:
            say(f"corpus {name}: reading {shard.path.name} ({shard.path.stat().st_size / 1e6:,.0f} MB)")
            hashes |= _hashes(shard)
    widths = _byte_counts(tokenizer)
    counts = {part: _counts(parts[part], vocab, end, widths if part == "valid" else None) for part in parts}
    for shard in several:
        _check_tokenizer(shard, tokenizer)
    identity: dict[str, Any] = {
        part: [[hashes[str(s.path)], s.offset, s.count] for s in parts[part]] for part in parts
    }
    _write(source, name, vocab, tokenizer, folder, (parts, counts, identity, hashes))


def _write(
    source: TokenShards, name: str, vocab: int, tokenizer: Path | None, folder: Path, found: tuple[Any, ...]
) -> None:
    parts, counts, identity, hashes = found
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".sealing-", dir=folder.parent))
    try:
        if tokenizer:
            shutil.copyfile(tokenizer, scratch / "tokenizer.json")
            identity["tokenizer.json"] = hashes["tokenizer.json"] = sha256(scratch / "tokenizer.json")
        told = {
            "source": "tokens",
            "folder": str(source.folder),
            "shards": len(parts["train"] + parts["valid"]),
        }
        placed = {
            part: [[str(s.path), s.dtype, s.offset, s.count] for s in shards]
            for part, shards in parts.items()
        }
        manifest = {"format": 2, "name": name, "dtype": parts["train"][0].dtype, "shards": placed, **counts}
        manifest |= {"recipe": {"vocab": vocab, "source": told}, "sha256": identity, "licences": {}}
        manifest |= {"dropped": {"unreadable": 0, "unreadable_documents": []}, "examples": {}}
        (scratch / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        sealing.seal_corpus(scratch, list(hashes), hashes)
        shutil.rmtree(folder, ignore_errors=True)  # the seal is of shards that have changed since
        scratch.chmod(0o755)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _check_types(shards: Sequence[Shard]) -> None:
    """Refuse shards of two types, and ids that only look like their type."""
    if not shards or not shards[0].count:
        raise ValueError("the shards hold no ids")
    for shard in shards:
        if shard.dtype != shards[0].dtype:
            raise ValueError(
                f"{shard.path} has ids of {shard.dtype}, {shards[0].path.name} of {shards[0].dtype}. "
                "The shards of a folder must have one tokenizer"
            )
        head = shard.open()[:10_000]
        if shard.dtype == "uint16" and len(head) > 100 and (head[1::2] == 0).mean() > 0.99:
            raise ValueError(
                f"{shard.path}: every second id is 0, as if ids of uint32 were read as uint16. "
                'Say "dtype": "uint32" in a tokens.json'
            )


def _hashes(shard: Shard) -> dict[str, str]:
    """The hash of a shard's file and of its index. Raises ValueError if a manifest has another."""
    found = {str(shard.path): sha256(shard.path)}
    if shard.sha256 not in ("", found[str(shard.path)]):
        raise ValueError(f"{shard.path} has another SHA-256 than the manifest says. Fetch or write it again")
    index = shard.path.with_suffix(".idx")
    return found | ({str(index): sha256(index)} if index.exists() else {})


def _counts(
    shards: Sequence[Shard], vocab: int, end: int | None, widths: npt.NDArray[np.int64] | None
) -> dict[str, Any]:
    """Documents, bytes and tokens of a part. None if unknown."""
    ends, size, total = 0, 0, sum(shard.count for shard in shards)
    for shard in shards:
        ids = shard.open()
        for first in range(0, shard.count, PIECE):
            piece = ids[first : first + PIECE]
            _check_range(shard, piece, first, vocab)
            ends += 0 if end is None else int((piece == end).sum())
            size += 0 if widths is None else int(widths[piece].sum())
    documents = documents_in(shards)
    documents = documents if documents is not None else None if end is None else ends
    counts = {"documents": documents, "bytes": size or None, "tokens": total}
    return {**counts, "domains": {"tokens": counts}, "spans": {"tokens": [0, total]}}


def _check_range(shard: Shard, piece: Ids, first: int, vocab: int) -> None:
    """Refuse ids that the vocabulary does not have."""
    low, high = int(piece.min()), int(piece.max())
    if low >= 0 and high < vocab:
        return
    place = int(np.argmax((piece < 0) | (piece >= vocab)))
    raise ValueError(
        f"{shard.path}: id {int(piece[place]):,} at place {first + place:,} is outside the vocabulary of "
        f"{vocab:,}. The file is not {shard.dtype}, or of another tokenizer"
    )


def _check_tokenizer(shard: Shard, tokenizer: Path | None) -> None:
    """Refuse a shard whose text, decoded and encoded again, is other ids."""
    if tokenizer is None:
        return
    read = read_tokenizer(tokenizer)
    ids = shard.open()[:SAMPLE].tolist()
    again = read.encode(read.decode(ids, skip_special_tokens=False), add_special_tokens=False).ids
    mine, theirs = (
        list(zip(ids, ids[1:], ids[2:], strict=False)),
        set(zip(again, again[1:], again[2:], strict=False)),
    )
    share = sum(three in theirs for three in mine) / max(1, len(mine))
    if mine and share < ALIKE:
        raise ValueError(
            f"{shard.path} does not look like ids of {tokenizer.name}: decoded and encoded again, {share:.0%} "
            "of them come back. Put the tokenizer that made them there, or none and #vocab=N"
        )


def _byte_counts(tokenizer: Path | None) -> npt.NDArray[np.int64] | None:
    """(vocabulary,) how many bytes of text each id means, of a byte-level tokenizer. None for another."""
    if tokenizer is None:
        return None
    read = read_tokenizer(tokenizer)
    if (json.loads(read.to_str()).get("decoder") or {}).get("type") != "ByteLevel":
        return None
    added = {i: 0 for i, token in read.get_added_tokens_decoder().items() if token.special}
    entries = read.get_vocab()
    widths = np.zeros(max(entries.values()) + 1, np.int64)
    for word, i in entries.items():
        widths[i] = added.get(i, len(word))  # a byte is a character of the entry
    return widths
