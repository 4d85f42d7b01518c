"""A task of the user's own: `files:GLOB#prompt=COLUMN#answer=COLUMN`, a prompt and its answer a row.

Tokens are a tokenizer's, learnt from the pairs unless another is named. END follows each answer. Shapes: n items.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scaling.data.atomic_files import sha256
from sweeps.corpora import sealing, tokens
from sweeps.corpora.corpus import manifest_hash, open_folder, read_manifest
from sweeps.corpora.documents import Unreadable
from sweeps.corpora.sources import huggingface
from sweeps.corpora.sources.user_files import UserFiles
from sweeps.corpora.tasks.items import Items
from sweeps.corpora.tasks.task_corpus import TaskCorpus

FILES = ("train.bin", "valid.bin", "pairs.json", "tokenizer.json")
HELD_OUT = 20  # one prompt in so many, by its hash
FORM = re.compile(
    r"files:(?P<glob>[^#]+)((#prompt=(?P<prompt>[^#]+))|(#answer=(?P<answer>[^#]+))|(#loss=(?P<loss>answer|all)))+"
)


def is_pairs(name: str) -> bool:
    """Whether a corpus name means prompts and answers."""
    return name.startswith("files:") and "#answer=" in name


@dataclass(frozen=True)
class Pair:
    """A row: its place, its domain, its prompt, its answer."""

    place: str
    domain: str
    prompt: str
    answer: str


def read_pairs(name: str) -> Iterator[Pair]:
    """The rows of every matching file. One without an answer is refused by its place."""
    found = FORM.fullmatch(name)
    if not found:
        raise ValueError(
            f"corpus {name}: write files:GLOB#prompt=COLUMN#answer=COLUMN, and #loss=all to learn prompts"
        )
    columns = (found["prompt"] or "prompt", found["answer"])
    prompts, answers = (UserFiles(found["glob"], column).documents(Path()) for column in columns)
    for prompt, answer in zip(prompts, answers, strict=True):
        for one in (prompt, answer):
            if isinstance(one, Unreadable):
                raise ValueError(f"corpus {name}: {one.name}: {one.reason}")
        assert not isinstance(prompt, Unreadable)
        assert not isinstance(answer, Unreadable)
        if not prompt.text or not answer.text:
            raise ValueError(
                f"corpus {name}: {prompt.name} has no {'answer' if prompt.text else 'prompt'}. Fill it in"
            )
        if not prompt.name.rpartition(":")[2].isdecimal():
            raise ValueError(
                f"corpus {name}: {prompt.name} has no rows. Prompts and answers come as jsonl or parquet"
            )
        yield Pair(prompt.name, prompt.domain, prompt.text, answer.text)


@dataclass
class PairWindows(tokens.Steps):
    """Rows of whole pairs, packed once and read in another order each epoch. The end of each is filled up."""

    ids: npt.NDArray[np.int64]  # every pair after the other, ~id where not learnt
    ends: npt.NDArray[np.int64]  # (n,) one past each pair's last token
    seq_len: int
    batch: int
    seed: int
    rows: list[npt.NDArray[np.int64]] = field(init=False, repr=False)  # which pairs are in each

    def __post_init__(self) -> None:
        """Pack."""
        self.starts = np.concatenate([[0], self.ends[:-1]])
        lengths = (self.ends - self.starts).tolist()
        order = np.random.Generator(np.random.Philox(self.seed)).permutation(len(lengths)).tolist()
        rows: list[list[int]] = [[]]
        left = self.seq_len + 1
        for pair in order:
            if lengths[pair] > left:
                rows.append([])
                left = self.seq_len + 1
            rows[-1].append(pair)
            left -= lengths[pair]
        self.rows = [np.array(row) for row in rows]

    @property
    def count(self) -> int:
        """Rows of an epoch."""
        return len(self.rows)

    @property
    def tokens_held(self) -> int:
        """Tokens of an epoch, fillings counted."""
        return self.count * self.seq_len

    def epochs(self, steps: int) -> float:
        """How often `steps` steps read the pairs."""
        return steps * self.batch / self.count

    def window(self, index: int) -> npt.NDArray[np.int64]:
        """(seq_len + 1,) tokens of a row."""
        epoch, place = divmod(index, self.count)
        order = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, epoch])))
        pairs = self.rows[int(order.permutation(self.count)[place])]
        found = np.full(self.seq_len + 1, ~0, np.int64)
        told = np.concatenate([self.ids[self.starts[pair] : self.ends[pair]] for pair in pairs])
        found[: len(told)] = told
        return found


@dataclass(frozen=True)
class PairCorpus(TaskCorpus):
    """Pairs in the cache: next to the tokens, each pair's domain, prompt and length."""

    def _table(self, part: str) -> list[tuple[str, int, int]]:
        found: list[tuple[str, int, int]] = json.loads((self.folder / "pairs.json").read_text())[part]
        return found

    def questions(self) -> dict[str, Items]:
        """The validation pairs of each domain, filled up to the longest."""
        table = self._table("valid")
        ends = np.cumsum([length for _, _, length in table])
        found = {}
        for domain in dict.fromkeys(domain for domain, _, _ in table):
            mine = [i for i, row in enumerate(table) if row[0] == domain]
            lengths = np.array([table[i][2] for i in mine])
            ids = np.zeros((len(mine), lengths.max()), np.int64)
            for row, i in enumerate(mine):
                ids[row, : lengths[row]] = self.valid[ends[i] - lengths[row] : ends[i]]
            found[domain] = Items(ids, np.array([table[i][1] for i in mine]), lengths)
        return found

    def windows(self, seq_len: int, batch: int, seed: int) -> PairWindows:  # type: ignore[override]
        """The rows that a run reads."""
        table = self._table("train")
        lengths = np.array([length for _, _, length in table])
        if lengths.max() > seq_len + 1:
            raise ValueError(
                f"corpus {self.manifest['name']}: prompt and answer number {lengths.argmax() + 1} have "
                f"{lengths.max():,} tokens, a run reads {seq_len:,} at a time. Leave it out or raise seq_len"
            )
        ends, ids = np.cumsum(lengths), self.train[:].astype(np.int64)
        if not self.every:
            place = np.arange(len(ids)) - np.repeat(ends - lengths, lengths)
            asked = place < np.repeat(np.array([prompt for _, prompt, _ in table]), lengths)
            ids = np.where(asked, ~ids, ids)
        return PairWindows(ids, ends, seq_len, batch, seed)


def open_pairs(name: str, vocab: int, tokenizer: str, root: Path) -> Path:
    """The folder of the pairs' corpus in the cache, built if need be."""
    pairs = list(read_pairs(name))
    content = hashlib.sha256(
        json.dumps(sorted((p.domain, p.prompt, p.answer) for p in pairs)).encode()
    ).hexdigest()
    path = "bpe" if tokenizer == "bpe" else str(huggingface.tokenizer_file(tokenizer))
    identity = {
        "pairs": content,
        "vocab": vocab,
        "tokenizer": tokens.recipe(path),
        "all": "#loss=all" in name,
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    folder = root / "corpora" / f"pairs-v{vocab}-{key}"
    with sealing.one_builder(root, f"corpora-{key}"):
        if not folder.exists() or sealing.fault(folder):
            tokens.check_vocabulary(tokenizer, vocab, path)
            shutil.rmtree(folder, ignore_errors=True)
            _write(name, pairs, identity, folder, path)
    sealing.keep_hash(root, manifest_hash(read_manifest(folder)), folder)
    return folder


Table = dict[str, list[tuple[str, int, int]]]  # of each part the pairs' domain, tokens of the prompt, tokens


def _encoded(name: str, pairs: list[Pair], read: Any) -> tuple[Table, dict[str, list[int]]]:
    """The pairs of each part, domain after domain, and their tokens. A prompt is on one side of the split."""
    table: Table = {"train": [], "valid": []}
    ids: dict[str, list[int]] = {"train": [], "valid": []}
    end = int(read.token_to_id(tokens.END))
    for pair in sorted(pairs, key=lambda pair: (pair.domain, _mark(pair.prompt + pair.answer))):
        texts = (pair.prompt, pair.answer)
        prompt, answer = (read.encode(text, add_special_tokens=False).ids for text in texts)
        part = "train" if int(_mark(pair.prompt), 16) % HELD_OUT else "valid"
        table[part].append((pair.domain, len(prompt), len(prompt) + len(answer) + 1))
        ids[part] += [*prompt, *answer, end]
    if not all(table.values()):
        raise ValueError(
            f"corpus {name}: {len(pairs)} pairs are too few to hold some out. Give some hundreds"
        )
    return table, ids


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write(name: str, pairs: list[Pair], identity: dict[str, Any], folder: Path, tokenizer: str) -> None:
    """Tokenise, split and write."""
    texts = [text for pair in pairs for text in (pair.prompt, pair.answer)]
    learnt = tokenizer == "bpe"
    read = tokens.train_tokenizer(texts, identity["vocab"]) if learnt else tokens.read_tokenizer(tokenizer)
    table, ids = _encoded(name, pairs, read)
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".pairs-", dir=folder.parent))
    dtype = "uint16" if identity["vocab"] <= 1 << 16 else "uint32"
    for part, several in ids.items():
        np.array(several, dtype).tofile(scratch / f"{part}.bin")
    (scratch / "pairs.json").write_text(json.dumps(table))
    read.save(str(scratch / "tokenizer.json"))
    hashes = {file: sha256(scratch / file) for file in FILES}
    manifest = {"format": 2, "name": name, "dtype": dtype, "sha256": {**hashes, "all": identity["all"]}}
    manifest |= {part: _counts(rows) for part, rows in table.items()}
    manifest |= {"recipe": {"vocab": identity["vocab"], "source": {"source": "pairs", "pairs": len(pairs)}}}
    manifest |= {"licences": {}, "dropped": {"unreadable": 0, "unreadable_documents": []}, "examples": {}}
    (scratch / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    sealing.seal_corpus(scratch, FILES, hashes)
    scratch.chmod(0o755)
    scratch.rename(folder)


def _counts(rows: list[tuple[str, int, int]]) -> dict[str, Any]:
    """Pairs and tokens of a part, whole and by domain, and where each domain is."""
    domains: dict[str, dict[str, Any]] = {}
    spans: dict[str, list[int]] = {}
    end = 0
    for domain, _, length in rows:
        of = domains.setdefault(domain, {"documents": 0, "bytes": None, "tokens": 0})
        of["documents"] += 1
        of["tokens"] += length
        spans[domain] = [spans.get(domain, [end])[0], end + length]
        end += length
    return {"documents": len(rows), "bytes": None, "tokens": end, "domains": domains, "spans": spans}


def open_pairs_folder(folder: Path) -> PairCorpus:
    """The corpus in a folder that `open_pairs` wrote."""
    whole = open_folder(folder)
    return PairCorpus(folder, whole.manifest, whole.train, whole.valid, whole.manifest["sha256"]["all"])
