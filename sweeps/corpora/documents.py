"""What a corpus is made of: documents, those that could not be read, and sources that supply them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

DROPPED = {  # the names that `described` gives to the counts of cleaning
    "duplicate": "duplicates",
    "near_duplicate": "near-duplicates",
    "generated": "generated",
    "empty": "empty",
    "unreadable": "unreadable",
}
LISTED = 8  # licences and unreadable documents that it lists


@dataclass(frozen=True)
class Document:
    """One text and what is known of it."""

    name: str  # unique within the source
    text: str
    domain: str
    licence: str = "unknown"
    code: bool | None = None  # whether it is code. None: its content decides


@dataclass(frozen=True)
class Unreadable:
    """A document that could not be read: skipped, counted, listed in the manifest."""

    name: str
    reason: str


class Source(Protocol):
    """A named supply of documents."""

    @property
    def val_share(self) -> float:
        """Share of the documents held out, by content hash."""

    def recipe(self) -> dict[str, Any]:
        """Everything that decides which documents come out."""

    def state(self) -> str | None:
        """The state of its files, without reading them. "" if they never change, None if they are gone."""

    def documents(self, folder: Path) -> Iterator[Document | Unreadable]:
        """The documents, in a fixed order. `folder` is scratch and download space."""


def signature(paths: Iterable[Path]) -> str:
    """Path, size and time of change of files, as one hash. While it stays, they count as unchanged."""
    found = hashlib.sha256()
    for path in paths:
        stat = path.stat()
        found.update(f"{path.absolute()} {stat.st_size} {stat.st_mtime_ns}\n".encode("utf-8", "replace"))
    return found.hexdigest()


def decode(
    name: str, raw: bytes, domain: str, licence: str, code: bool | None = None
) -> Document | Unreadable:
    """A document from its bytes, if they are UTF-8."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Unreadable(name, f"not UTF-8: {error.reason} at byte {error.start}")
    return Document(name, text.replace("\r\n", "\n"), domain, licence, code)


def domains_of(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Documents, bytes and tokens of each domain, held out or not. None if unknown."""
    found: dict[str, dict[str, Any]] = {}
    for part in ("train", "valid"):
        for domain, counts in manifest[part]["domains"].items():
            seen = found.setdefault(domain, dict.fromkeys(counts, 0))
            for key, count in counts.items():
                seen[key] = None if None in (seen[key], count) else seen[key] + count
    return found


def described(manifest: dict[str, Any]) -> list[str]:
    """What was dropped, the licences, the unreadable documents and the source, in a few lines."""
    dropped = dict(manifest["dropped"])
    listed, unlisted = dropped.pop("unreadable_documents"), dropped.pop("unreadable_unlisted", 0)
    told = [f"{words} {dropped[name]:,}" for name, words in DROPPED.items() if dropped.get(name)]
    licences: Counter[str] = Counter()
    for key, count in manifest["licences"].items():
        licences[key.partition(": ")[2]] += count
    names = [f"{name} ({count:,})" for name, count in licences.most_common(LISTED)]
    names += [f"{len(licences) - LISTED} more"] * (len(licences) > LISTED)
    lines = [f"dropped: {', '.join(told) or 'nothing'}"]
    lines += [f"{DROPPED[why]}: {each[0]}" for why, each in manifest.get("examples", {}).items() if each]
    lines += [f"licences (documents): {', '.join(names)}"] if names else []
    lines += [f"unreadable: {name}: {reason}" for name, reason in listed[:LISTED]]
    if (more := len(listed) - LISTED + unlisted) > 0:
        lines.append(f"unreadable: {more:,} more, --json lists the first {len(listed):,}")
    source = manifest["recipe"]["source"]
    facts = [
        f"{len(of):,} {name}" if isinstance(of, list) else f"{name} {of}"
        for name, of in source.items()
        if name != "content" and of not in ("", 0)
    ]
    return [*lines, ", ".join(facts)]
