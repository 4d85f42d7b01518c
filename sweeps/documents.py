"""What a corpus is made of: documents, those that could not be read, and sources that supply them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Document:
    """One text and what is known of it."""

    name: str  # unique within the source
    text: str
    domain: str
    licence: str = "unknown"


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

    def documents(self, folder: Path) -> Iterator[Document | Unreadable]:
        """The documents, in a fixed order; `folder` is scratch and download space."""


def decode(name: str, raw: bytes, domain: str, licence: str) -> Document | Unreadable:
    """A document from its bytes, if they are UTF-8."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Unreadable(name, f"not UTF-8: {error.reason} at byte {error.start}")
    return Document(name, text.replace("\r\n", "\n"), domain, licence)
