"""Tasks as corpora: rows of whole items, drawn as they are read, and validation items to be asked.

A row is a pure function of the seed and its number, as the windows of other corpora are. Shapes: T tokens that
a run reads at a time, L tokens of an item.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scaling.data.atomic_files import sha256
from sweeps.corpora import sealing
from sweeps.corpora.corpus import Corpus, manifest_hash, read_manifest
from sweeps.corpora.tasks.alphabet import SIZE, Codes, write_tokenizer
from sweeps.corpora.tasks.items import Items, Task, questions, training_items
from sweeps.corpora.tasks.task_names import task_of
from sweeps.corpora.tokens import Steps

VERSION = 1  # of how items are drawn: part of a corpus's identity
ROWS = 64  # drawn at once


@dataclass
class TaskWindows(Steps):
    """Rows of items of one difficulty each, without end."""

    task: Task
    every: bool  # whether prompts are learnt too
    seq_len: int
    batch: int
    seed: int
    _rows: tuple[int, Codes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse a row that is shorter than an item."""
        longest = max(self.task.difficulties, key=self.task.length)
        if self.task.length(longest) > self.seq_len + 1:
            raise ValueError(
                f"task {self.task.name}: an item of difficulty {longest} has {self.task.length(longest)} tokens, "
                f"a run reads {self.seq_len} at a time. Leave it out or raise seq_len"
            )

    @property
    def count(self) -> int:
        """Rows there are: more than any run reads."""
        return 1 << 60

    @property
    def tokens_held(self) -> int:
        """Tokens there are."""
        return self.count * self.seq_len

    def epochs(self, steps: int) -> float:
        """How often `steps` steps read the corpus: nothing is read again but by chance."""
        return 0.0

    def window(self, index: int) -> Codes:
        """(seq_len + 1,) tokens of a row, ~id where one is not learnt."""
        block, place = divmod(index, ROWS)
        found: Codes = self._block(block)[place]
        return found

    def step(self, step: int, rank: int = 0, ranks: int = 1) -> Codes:
        """(batch / ranks, seq_len + 1) the rows of a step, cut out of their blocks."""
        first, end = step * self.batch, (step + 1) * self.batch
        blocks = range(first // ROWS, (end - 1) // ROWS + 1)
        parts = [self._block(block)[max(first - block * ROWS, 0) : end - block * ROWS] for block in blocks]
        return np.concatenate(parts)[rank::ranks]

    def _block(self, block: int) -> Codes:
        """(ROWS, seq_len + 1) the rows of a block. The last one is kept."""
        if self._rows is None or self._rows[0] != block:
            self._rows = (block, self._drawn(block))
        return self._rows[1]

    def _drawn(self, block: int) -> Codes:
        """(ROWS, seq_len + 1) the rows of a block, the end of each filled up."""
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, block, VERSION])))
        which = random.integers(len(self.task.difficulties), size=ROWS)
        rows = np.full((ROWS, self.seq_len + 1), ~0, np.int64)
        for number, difficulty in enumerate(self.task.difficulties):
            length = self.task.length(difficulty)
            mine, each = np.flatnonzero(which == number), (self.seq_len + 1) // length
            ids = training_items(self.task, random, len(mine) * each, difficulty)
            prompt = 0 if self.every else self.task.prompt_length(difficulty)
            ids[:, :prompt] = ~ids[:, :prompt]
            rows[mine, : each * length] = ids.reshape(len(mine), each * length)
        return rows


@dataclass(frozen=True)
class TaskCorpus(Corpus):
    """A task, its validation items, and what of them is learnt."""

    every: bool = False

    def questions(self) -> dict[str, Items]:
        """Held-out items of each difficulty, by the name of their domain: `hops 2`."""
        task, _ = task_of(self.manifest["name"])
        return {f"{task.name} {level}": questions(task, level) for level in task.difficulties}

    def windows(self, seq_len: int, batch: int, seed: int) -> TaskWindows:  # type: ignore[override]
        """The rows that a run reads."""
        return TaskWindows(*task_of(self.manifest["name"]), seq_len, batch, seed)


def open_task(name: str, vocab: int, tokenizer: str, root: Path) -> Path:
    """The folder of a task's corpus in the cache, made if need be."""
    task, every = task_of(name)
    if vocab < SIZE:
        raise ValueError(f"corpus {name}: its characters are {SIZE} tokens, the model has {vocab:,}")
    identity = {"task": repr(task), "all": every, "version": VERSION}
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    folder = root / "corpora" / f"task-{task.name}-{key}"
    with sealing.one_builder(root, f"corpora-{key}"):
        if not folder.exists() or sealing.fault(folder):
            shutil.rmtree(folder, ignore_errors=True)
            _write(name, task, identity, folder)
    if tokenizer != "bpe" and sha256(Path(tokenizer)) != sha256(folder / "tokenizer.json"):
        raise ValueError(
            f"corpus {name} has characters of its own, which {tokenizer} does not give. Leave it out"
        )
    sealing.keep_hash(root, manifest_hash(read_manifest(folder)), folder)
    return folder


def _write(name: str, task: Task, identity: dict[str, Any], folder: Path) -> None:
    """Write the validation tokens, the tokenizer, the manifest and the seal."""
    held = {f"{task.name} {level}": questions(task, level).ids for level in task.difficulties}
    ends = np.cumsum([ids.size for ids in held.values()]).tolist()
    domains = {d: {"documents": len(ids), "bytes": ids.size, "tokens": ids.size} for d, ids in held.items()}
    spans = {d: [end - held[d].size, end] for d, end in zip(held, ends, strict=True)}
    whole = {key: sum(of[key] for of in domains.values()) for key in ("documents", "bytes", "tokens")}
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".task-", dir=folder.parent))
    np.concatenate([ids.ravel() for ids in held.values()]).astype(np.uint16).tofile(scratch / "valid.bin")
    (scratch / "train.bin").write_bytes(b"")
    write_tokenizer(scratch / "tokenizer.json")
    names = ("train.bin", "valid.bin", "tokenizer.json")
    hashes = {file: sha256(scratch / file) for file in names}
    nothing = dict.fromkeys(("documents", "bytes", "tokens"), 0)
    manifest = {
        "format": 2,
        "name": name,
        "dtype": "uint16",
        "sha256": {**hashes, **identity},
        "train": {**nothing, "domains": {}, "spans": {}},
        "valid": {**whole, "domains": domains, "spans": spans},
        "recipe": {"vocab": SIZE, "source": {"source": "task", "drawn": "as it is read", "task": repr(task)}},
        "licences": {},
        "dropped": {"unreadable": 0, "unreadable_documents": []},
        "examples": {},
    }
    (scratch / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    sealing.seal_corpus(scratch, names, hashes)
    scratch.chmod(0o755)
    scratch.rename(folder)


def open_task_folder(folder: Path) -> TaskCorpus:
    """The corpus in a folder that `open_task` wrote."""
    manifest = read_manifest(folder)
    parts = [np.fromfile(folder / f"{part}.bin", manifest["dtype"]) for part in ("train", "valid")]
    return TaskCorpus(folder, manifest, parts[0], parts[1], task_of(manifest["name"])[1])
