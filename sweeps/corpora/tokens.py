"""Tokens: a byte-level BPE, token files on disk, and which tokens a step sees.

A training batch is a pure function of (seed, step): the token file is cut into windows of seq_len
tokens, each epoch visits every window once in an order drawn from (seed, epoch), and a step takes
the next `batch` windows. So a resumed run sees what an undisturbed one would have seen, and runs
with one seed see the same data whatever their P.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from scaling.data.atomic_files import sha256
from sweeps.corpora.documents import Document

if TYPE_CHECKING:
    from tokenizers import Tokenizer

END = "<|endoftext|>"  # follows every document; id 0
# The split of Qwen2's tokenizer (its tokenizer.json): contractions, words with one leading
# non-letter, single digits, punctuation with its newlines, line breaks, trailing and other spaces.
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TRAINING_BYTES = 10_000_000  # of text the merges are learnt from
CHUNK = 2000  # documents encoded at a time

Tokens = npt.NDArray[np.integer[Any]]


def recipe(tokenizer: str) -> dict[str, Any]:
    """What decides the tokenizer `bpe`, or the one in a tokenizer.json."""
    if tokenizer == "bpe":
        return {"kind": "byte-level BPE", "split": QWEN2_SPLIT, "training_bytes": TRAINING_BYTES, "end": END}
    try:
        return {"kind": "file", "sha256": sha256(Path(tokenizer))}
    except OSError as error:
        raise ValueError(f"tokenizer {tokenizer}: {error.strerror}; give bpe or a tokenizer.json") from None


def check_vocabulary(tokenizer: str, vocab: int, path: str | Path = "") -> None:
    """Refuse what would fail once the documents are read: no package tokenizers, a vocabulary too small.

    `path` is where a tokenizer that is not bpe lies, `tokenizer` what the user calls it.
    """
    import tokenizers  # noqa: F401

    if tokenizer == "bpe":
        if vocab < 257:
            raise ValueError(f"vocabulary {vocab}: byte-level BPE needs at least 257 entries")
        return
    if (size := entries(path)) > vocab:
        raise ValueError(
            f"tokenizer {tokenizer} has {size:,} entries, the model a vocabulary of {vocab:,}: "
            f"give the model {size:,}, as --tokenizer does where it starts from nothing"
        )
    if read_tokenizer(path).token_to_id(END) is None:
        raise ValueError(f"tokenizer {tokenizer} has no entry {END}, which ends a document")


def entries(path: str | Path) -> int:
    """Rows that an embedding needs for the tokenizer in a tokenizer.json."""
    return max(read_tokenizer(path).get_vocab().values(), default=-1) + 1


def read_tokenizer(path: str | Path) -> Tokenizer:
    """The tokenizer in a tokenizer.json; ValueError names a file that holds none."""
    from tokenizers import Tokenizer

    try:
        found: Tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more precise
        raise ValueError(f"{path} is no tokenizer.json that can be read: {error}") from None
    return found


def make_tokenizer(tokenizer: str, texts: Sequence[str], vocab: int) -> Tokenizer:
    """The tokenizer `bpe`, learnt from `texts`, or the one in a tokenizer.json that `check` lets pass."""
    if tokenizer == "bpe":
        return train_tokenizer(texts, vocab)
    read = read_tokenizer(tokenizer)
    read.no_truncation()  # some files say that texts are to be cut or filled up
    read.no_padding()
    return read


def train_tokenizer(texts: Sequence[str], vocab: int) -> Tokenizer:
    """Byte-level BPE of `vocab` entries (fewer if the text has no more), from the first 10 MB of `texts`."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    check_vocabulary("bpe", vocab)
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated")
    levels = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, levels])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    ends = np.cumsum([len(text.encode()) for text in texts])
    enough = int(np.searchsorted(ends, TRAINING_BYTES)) + 1
    tokenizer.train_from_iterator(texts[:enough], trainer=trainer)
    return tokenizer


def write_tokens(
    tokenizer: Tokenizer, documents: Sequence[Document], path: Path, dtype: str
) -> dict[str, Any]:
    """Encode the documents, each followed by END, into one flat file; returns its counts.

    `spans` says where each domain stands, for documents that come domain after domain.
    """
    end = tokenizer.token_to_id(END)
    total = 0
    spans: dict[str, tuple[int, int]] = {}
    domains: dict[str, dict[str, int]] = {}
    with path.open("wb") as file:
        for start in range(0, len(documents), CHUNK):
            chunk = documents[start : start + CHUNK]
            encodings = tokenizer.encode_batch_fast([d.text for d in chunk], add_special_tokens=False)
            for document, encoding in zip(chunk, encodings, strict=True):
                np.asarray([*encoding.ids, end], dtype=dtype).tofile(file)
                count = len(encoding.ids) + 1
                seen = domains.setdefault(document.domain, {"documents": 0, "bytes": 0, "tokens": 0})
                seen["documents"] += 1
                seen["bytes"] += len(document.text.encode())
                seen["tokens"] += count
                first = spans.get(document.domain, (total, 0))[0]
                total += count
                spans[document.domain] = (first, total)
    sums = {key: sum(d[key] for d in domains.values()) for key in ("documents", "bytes", "tokens")}
    return {**sums, "domains": domains, "spans": spans}


def open_tokens(path: Path, dtype: str) -> Tokens:
    """The token file, memory-mapped read-only."""
    return np.memmap(path, dtype=dtype, mode="r")


@dataclass
class Windows:
    """Which windows of a token file each step reads."""

    tokens: Tokens  # (n,)
    seq_len: int
    batch: int
    seed: int
    _order: tuple[int, npt.NDArray[np.int64]] | None = field(default=None, repr=False)

    @property
    def count(self) -> int:
        """Windows in one epoch; each needs one token more than seq_len, for the last target."""
        return (len(self.tokens) - 1) // self.seq_len

    def epochs(self, steps: int) -> float:
        """How often `steps` steps read the corpus."""
        return steps * self.batch / self.count

    def step(self, step: int, rank: int = 0, ranks: int = 1) -> npt.NDArray[np.int64]:
        """(batch / ranks, seq_len + 1) token ids of `step`: inputs and, shifted by one, targets."""
        first = step * self.batch
        mine = range(first + rank, first + self.batch, ranks)
        starts = [self._window(index) * self.seq_len for index in mine]
        rows = [self.tokens[start : start + self.seq_len + 1] for start in starts]
        return np.stack(rows).astype(np.int64)

    def _window(self, index: int) -> int:
        epoch, place = divmod(index, self.count)
        if self._order is None or self._order[0] != epoch:
            generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, epoch])))
            self._order = (epoch, generator.permutation(self.count))
        return int(self._order[1][place])
