"""A corpus that is open: its tokens, and what is known of them."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.corpora.tasks.items import Items
from sweeps.corpora.tokens import Shards, Tokens, Windows, open_tokens

SECOND = "2-"  # prefix of the hash of a corpus identified by its tokens alone
IDENTITY = ("format", "dtype", "sha256", "train", "valid")  # keys of its manifest that identify it

Spans = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Corpus:
    """Token files and their manifest."""

    folder: Path
    manifest: dict[str, Any]
    train: Tokens  # (tokens,), memory-mapped
    valid: Tokens  # (tokens,), memory-mapped, domain after domain

    @property
    def hash(self) -> str:
        """What identifies the tokens, by SHA-256: of format 1 the whole manifest, paths and all."""
        return manifest_hash(self.manifest)

    @property
    def tokenizer(self) -> Path | None:
        """Its tokenizer.json. None for tokens that came without one."""
        path = self.folder / "tokenizer.json"
        return path if path.exists() else None

    @property
    def valid_spans(self) -> Spans:
        """Where each domain is in `valid`: {domain: (first token, one past the last)}."""
        return {name: (int(a), int(b)) for name, (a, b) in self.manifest["valid"]["spans"].items()}

    def bytes_per_token(self, domain: str | None = None) -> float:
        """Bytes per token of the validation text. Bits per byte = loss / ln 2 / bytes_per_token compares tokenizers.

        NaN for tokens whose text is not known.
        """
        counts = self.manifest["valid"] if domain is None else self.manifest["valid"]["domains"][domain]
        return math.nan if counts["bytes"] is None else float(counts["bytes"] / counts["tokens"])

    def questions(self) -> dict[str, Items]:
        """Held-out items with answers, by domain: none of a corpus that is text."""
        return {}

    def windows(self, seq_len: int, batch: int, seed: int) -> Windows:
        """The windows that a run reads."""
        return Windows(self.train, seq_len, batch, seed)


def manifest_hash(manifest: dict[str, Any]) -> str:
    """SHA-256 of the manifest's identifying parts, as canonical JSON."""
    if manifest.get("format", 1) == 1:
        return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    identity = {key: manifest[key] for key in IDENTITY}
    return SECOND + hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[len(SECOND) :]


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a corpus in the cache."""
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found


def open_folder(folder: Path) -> Corpus:
    """The corpus in a folder of the cache: its own token files, or the shards that its manifest places."""
    manifest = read_manifest(folder)
    if "shards" not in manifest:
        parts = [open_tokens(folder / f"{part}.bin", manifest["dtype"]) for part in ("train", "valid")]
        return Corpus(folder, manifest, parts[0], parts[1])
    placed = {
        part: Shards([open_tokens(Path(path), *where) for path, *where in manifest["shards"][part]])
        for part in ("train", "valid")
    }
    return Corpus(folder, manifest, placed["train"], placed["valid"])
