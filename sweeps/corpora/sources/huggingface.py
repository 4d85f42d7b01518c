"""What the Hugging Face hub supplies: documents of a dataset, or of a folder it can read, and tokenizers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling.data import limits
from scaling.data.atomic_files import sha256
from sweeps.corpora.documents import Document, Unreadable


def _hush() -> None:
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it tells of every attempt


@dataclass(frozen=True)
class HubDataset:
    """The split `train` of NAME or NAME:CONFIGURATION, streamed; the text is its column text or content."""

    name: str
    val_share: float = 0.05

    @property
    def _folder(self) -> Path:
        return Path(self.name).expanduser()

    def recipe(self) -> dict[str, Any]:
        """The name, and a folder's files; a hub's dataset is not asked for anew once it is cached."""
        files = sorted(path for path in self._folder.rglob("*") if path.is_file())
        entries = [[str(path.relative_to(self._folder)), sha256(path)] for path in files]
        return {"source": "hf", "name": self.name, "most": limits.HUB, "files": entries}

    def documents(self, folder: Path) -> Iterator[Document | Unreadable]:
        """The rows in the dataset's order, until limits.HUB characters have been read."""
        read = 0
        for number, row in enumerate(self._rows()):
            document = self._document(number, row)
            yield document
            read += len(document.text) if isinstance(document, Document) else 0
            if read >= limits.HUB:
                return

    def _rows(self) -> Iterator[dict[str, Any]]:
        try:
            import datasets
        except ModuleNotFoundError:
            raise ValueError(
                f"hf:{self.name} needs the package datasets: pip install 'parscale[hf]'"
            ) from None
        _hush()
        local = self._folder.is_dir()
        path, _, configuration = (str(self._folder), "", "") if local else self.name.partition(":")
        try:
            yield from datasets.load_dataset(path, configuration or None, split="train", streaming=True)
        except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ValueError(
                f"cannot read hf:{self.name}: {reason}; check the name and the connection, "
                "or take files you have with files:GLOB"
            ) from None

    def _document(self, number: int, row: dict[str, Any]) -> Document | Unreadable:
        text = row.get("text", row.get("content"))
        name = f"{self.name}#{number}"
        if not isinstance(text, str):
            return Unreadable(name, f"no string in a column text or content, only in {', '.join(row)}")
        meta = row.get("meta")
        of_pile = meta.get("pile_set_name") if isinstance(meta, dict) else None
        domain = row.get("domain") or of_pile or Path(self.name.partition(":")[0]).name
        return Document(name, text, str(domain), str(row.get("licence") or row.get("license") or "unknown"))


def tokenizer_file(tokenizer: str) -> Path:
    """The tokenizer.json that its path or hf:NAME stands for; the hub is asked for what its cache lacks."""
    name = tokenizer.removeprefix("hf:")
    if name == tokenizer:
        if not Path(tokenizer).is_file():
            raise ValueError(f"tokenizer {tokenizer}: no such file; give bpe, a tokenizer.json, or hf:NAME")
        return Path(tokenizer)
    from huggingface_hub import hf_hub_download

    _hush()
    reason = ""
    for cached in (True, False):  # the cache first: what changes on the hub changes no sweep under way
        try:
            return Path(hf_hub_download(name, "tokenizer.json", local_files_only=cached))
        except Exception as error:  # those of its transport too
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0].partition(". ")[0]
    raise ValueError(
        f"cannot fetch tokenizer {tokenizer}: {reason.rstrip('.')}; check the name, run once where there is "
        "a connection (the hub's cache keeps the file), or give the path of its tokenizer.json"
    )
