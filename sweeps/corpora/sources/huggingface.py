"""From the Hugging Face hub: tokenizers, and documents of a dataset or of a folder it can read.

A dataset of the hub is first streamed to parquet shards in the cache. Each shard notes its place in the stream, so
that an interrupted stream resumes there.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256 as digest_of
from pathlib import Path
from typing import Any

from scaling.data.atomic_files import replacing, sha256
from sweeps.corpora.documents import Document, Unreadable, signature
from sweeps.corpora.sources.user_files import document_of

FIRST_MOST = 200_000_000  # characters read under format 1
SHARD = 64_000_000  # characters of a shard
RETRIES_S = (1.0, 4.0, 16.0)  # waits before an interrupted stream is resumed
REPORT_S = 10.0


def _hush() -> None:
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it tells of every attempt


@dataclass(frozen=True)
class HubDataset:
    """A split of NAME or NAME:CONFIGURATION, or of a folder. The text is in its column text or content.

    `most`: characters after which reading ends, 0 for all. `first`: read by the rules of format 1.
    """

    name: str
    column: str = ""
    split: str = "train"
    most: int = 0
    first: bool = False
    val_share: float = 0.05
    say: Callable[[str], None] = field(default=lambda line: None, compare=False)

    @property
    def _folder(self) -> Path:
        return Path(self.name).expanduser()

    def recipe(self) -> dict[str, Any]:
        """The name, and a folder's files. A cached dataset of the hub is not requested again."""
        files = self._files()
        entries = [[str(path.relative_to(self._folder)), sha256(path)] for path in files]
        if self.first:
            return {"source": "hf", "name": self.name, "most": FIRST_MOST, "files": entries}
        content = digest_of(json.dumps(entries).encode()).hexdigest() if files else self.name
        options = {"column": self.column, "split": self.split, "most": self.most}
        return {"source": "hf", "content": content, "files": len(files), **options}

    def _files(self) -> list[Path]:
        return sorted(path for path in self._folder.rglob("*") if path.is_file())

    def state(self) -> str | None:
        """A folder's files by size and time of change. The name of a dataset of the hub."""
        files = self._files()
        return signature(files) if files else self.name

    def documents(self, folder: Path) -> Iterator[Document | Unreadable]:
        """The rows in the dataset's order, from shards below `folder` if they come from the hub."""
        local = self.first or self._folder.is_dir()
        read, most = 0, FIRST_MOST if self.first else self.most
        for number, row in enumerate(self._open(None) if local else self._shards(folder)):
            document = self._document(number, row)
            yield document
            read += len(document.text) if isinstance(document, Document) else 0
            if most and read >= most:
                return

    def _document(self, number: int, row: dict[str, Any]) -> Document | Unreadable:
        meta = row.get("meta")
        of_pile = meta.get("pile_set_name") if isinstance(meta, dict) else None
        domain = of_pile or Path(self.name.partition(":")[0]).name
        return document_of(f"{self.name}#{number}", row, self.column, str(domain))

    def _open(self, state: dict[str, Any] | None) -> Any:
        """The dataset as a stream from the place in `state`. Raises ValueError if it cannot be read."""
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
            stream = datasets.load_dataset(path, configuration or None, split=self.split, streaming=True)
        except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            raise ValueError(
                f"cannot read hf:{self.name}: {_reason(error).rstrip('.')}. Check the name and the connection, "
                "or take files you have with files:GLOB"
            ) from None
        self._check_columns(stream)
        if state:
            stream.load_state_dict(state)
        return stream

    def _check_columns(self, stream: Any) -> None:
        """Refuse a dataset without the text column, or with one that is declared to be of another type."""
        if not stream.features:
            return
        known = self.column or next((c for c in ("text", "content") if c in stream.features), "")
        if known not in stream.features:
            raise ValueError(
                f"hf:{self.name}: no column `{self.column or 'text'}`, only {', '.join(stream.features)}. "
                f"Name the one that holds the text: hf:{self.name}#column=NAME"
            )
        kind = getattr(stream.features[known], "dtype", type(stream.features[known]).__name__)
        if kind not in ("string", "large_string", "null"):
            raise ValueError(
                f"hf:{self.name}: column `{known}` is {kind}, not string. Name another with #column=NAME"
            )

    def _shards(self, downloads: Path) -> Iterator[dict[str, Any]]:
        """The rows of the shards, once all are there."""
        import pyarrow.parquet as pq

        options = [self.name, self.column, self.split, self.most]
        folder = downloads / f"hf-{digest_of(json.dumps(options).encode()).hexdigest()[:16]}"
        self._fetch(folder)
        for path in sorted(folder.glob("*.parquet")):
            for batch in pq.ParquetFile(path).iter_batches(batch_size=256):
                yield from map(json.loads, batch.column(0).to_pylist())

    def _fetch(self, folder: Path) -> None:
        """Stream what is missing. After a break it retries, and the next call keeps what came."""
        folder.mkdir(parents=True, exist_ok=True)
        fetched = _Fetched.read(folder)
        waits = iter(RETRIES_S)
        while not fetched.ended:
            before = fetched.rows
            try:
                with _one_try():
                    self._stream(fetched)
            except Exception as error:  # those of the transport, the file formats and the library
                if not fetched.rows and isinstance(error, ValueError):
                    raise
                waits = iter(RETRIES_S) if fetched.rows > before else waits
                wait = next(waits, None)
                if wait is None:
                    raise OSError(
                        f"the stream of hf:{self.name} broke off after {fetched.rows:,} rows ({_reason(error)}). "
                        f"They are kept in {folder}, and the same command resumes there"
                    ) from None
                self.say(f"corpus hf:{self.name}: {_reason(error)}, trying again in {wait:.0f} s")
                time.sleep(wait)

    def _stream(self, fetched: _Fetched) -> None:
        """Read from the place of `fetched` to the end, shard by shard."""
        stream = self._open(fetched.place)
        began = last = time.monotonic()
        first, start = fetched.rows, fetched.characters
        try:
            for row in stream:
                fetched.add({name: value for name, value in row.items() if _plain(value)}, self.column)
                now = time.monotonic()
                if now - last > REPORT_S:
                    last, rate = now, (fetched.characters - start) / (now - began) / 1e6
                    self.say(
                        f"corpus hf:{self.name}: {fetched.rows:,} documents, "
                        f"{fetched.characters / 1e6:,.0f}M characters, {rate:.1f}M a second"
                    )
                if fetched.held >= SHARD:
                    fetched.write(stream.state_dict())
                if self.most and fetched.characters >= self.most:
                    break
            fetched.ended = True
        finally:  # a stream without a row in this call does not know its place
            fetched.write(stream.state_dict() if fetched.rows > first else fetched.place)


@contextmanager
def _one_try() -> Iterator[None]:
    """The library tries once: it would try for ten minutes and say nothing."""
    from datasets import config

    before, config.STREAMING_READ_MAX_RETRIES = config.STREAMING_READ_MAX_RETRIES, 1
    try:
        yield
    finally:
        config.STREAMING_READ_MAX_RETRIES = before


def _plain(value: Any) -> bool:
    """Whether a column's value is kept: texts and numbers, and the Pile's `meta`."""
    return isinstance(value, str | int | float | bool | dict | list)


def _reason(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@dataclass
class _Fetched:
    """The fetched part of a dataset, and the place in its stream where the last shard ends."""

    folder: Path
    rows: int = 0
    characters: int = 0
    shards: int = 0
    ended: bool = False
    place: dict[str, Any] | None = None
    held: int = 0  # characters of rows that are in no shard yet
    pending: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> _Fetched:
        """What an earlier call left."""
        path = folder / "state.json"
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return cls(folder, **known)

    def add(self, row: dict[str, Any], column: str) -> None:
        """One row more."""
        text = row.get(column or "text", row.get("content"))
        size = len(text) if isinstance(text, str) else 0
        self.pending.append(json.dumps(row, default=str))
        self.rows += 1
        self.characters += size
        self.held += size

    def write(self, place: dict[str, Any] | None) -> None:
        """Write the held rows to a shard, then note the place in the stream."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self.pending:
            with replacing(self.folder / f"{self.shards:06}.parquet") as temporary:
                pq.write_table(pa.table({"row": self.pending}), temporary, compression="zstd")
            self.shards += 1
        self.pending, self.held, self.place = [], 0, place
        known = {name: getattr(self, name) for name in ("rows", "characters", "shards", "ended", "place")}
        with replacing(self.folder / "state.json") as temporary:
            temporary.write_text(json.dumps(known), encoding="utf-8")


def tokenizer_file(tokenizer: str) -> Path:
    """The tokenizer.json of a path or hf:NAME. The hub is asked for what its cache lacks."""
    name = tokenizer.removeprefix("hf:")
    if name == tokenizer:
        if not Path(tokenizer).is_file():
            raise ValueError(f"tokenizer {tokenizer}: no such file. Give bpe, a tokenizer.json, or hf:NAME")
        return Path(tokenizer)
    from huggingface_hub import hf_hub_download

    _hush()
    reason = ""
    for cached in (True, False):  # the cache first: changes on the hub do not affect a sweep in progress
        try:
            return Path(hf_hub_download(name, "tokenizer.json", local_files_only=cached))
        except Exception as error:  # those of its transport too
            reason = _reason(error).partition(". ")[0]
    raise ValueError(
        f"cannot fetch tokenizer {tokenizer}: {reason.rstrip('.')}. Check the name, run once where there is "
        "a connection (the hub's cache keeps the file), or give the path of its tokenizer.json"
    )
