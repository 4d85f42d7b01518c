"""Tokens: tokenizers, token files on disk, and which tokens a step sees.

A training batch is a pure function of (seed, step): the token file is cut into windows of seq_len
tokens, each epoch visits every window once in an order drawn from (seed, epoch), and a step takes
the next `batch` windows. So a resumed run sees what an undisturbed one would have seen, and runs
with one seed see the same data whatever their P.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from scaling.data.atomic_files import sha256

if TYPE_CHECKING:
    from tokenizers import Tokenizer

END = "<|endoftext|>"  # follows every document, id 0
# The split of Qwen2's tokenizer (its tokenizer.json): contractions, words with one leading
# non-letter, single digits, punctuation with its newlines, line breaks, trailing and other spaces.
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TRAINING_BYTES = 10_000_000  # of text the merges are learnt from
LONG = 10_000_000  # characters from which the merges are learnt from pieces of a text

Ids = npt.NDArray[np.integer[Any]]


class Tokens(Protocol):
    """A row of token ids that is read in slices: an array, memory-mapped or not, or `Shards` of them."""

    def __len__(self) -> int:
        """How many tokens."""

    def __getitem__(self, span: slice, /) -> Any:
        """The ids of a span, as an array."""


class Shards:
    """Token arrays read as one, in their order."""

    def __init__(self, parts: Sequence[Tokens]) -> None:
        self.parts = [part for part in parts if len(part)]
        self.ends = np.cumsum([len(part) for part in self.parts])

    def __len__(self) -> int:
        return int(self.ends[-1]) if self.parts else 0

    def __getitem__(self, span: slice) -> Ids:
        """(tokens,) ids of a span. A copy if it crosses from one array into the next."""
        first, last, _ = span.indices(len(self))
        found = []
        shard = int(np.searchsorted(self.ends, first, side="right"))
        while first < last:
            begin = int(self.ends[shard]) - len(self.parts[shard])
            end = min(last, int(self.ends[shard]))
            found.append(np.asarray(self.parts[shard][first - begin : end - begin]))
            first, shard = end, shard + 1
        return found[0] if len(found) == 1 else np.concatenate([np.empty(0, np.uint16), *found])


def recipe(tokenizer: str) -> dict[str, Any]:
    """What decides the tokenizer `bpe`, or the one in a tokenizer.json."""
    if tokenizer == "bpe":
        return {"kind": "byte-level BPE", "split": QWEN2_SPLIT, "training_bytes": TRAINING_BYTES, "end": END}
    try:
        return {"kind": "file", "sha256": sha256(Path(tokenizer))}
    except OSError as error:
        raise ValueError(f"tokenizer {tokenizer}: {error.strerror}. Give bpe or a tokenizer.json") from None


def check_vocabulary(tokenizer: str, vocab: int, path: str | Path = "") -> None:
    """Refuse early what would fail later: a missing package tokenizers, a vocabulary too small.

    `path` is the file of a tokenizer other than bpe, `tokenizer` the user's name for it.
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
    """The tokenizer in a tokenizer.json. Raises ValueError naming a file that holds none."""
    from tokenizers import Tokenizer

    try:
        found: Tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more precise
        raise ValueError(f"{path} is no tokenizer.json that can be read: {error}") from None
    return found


def whole_texts(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer without the cutting and filling up that some files ask for."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def train_tokenizer(texts: Iterable[str], vocab: int) -> Tokenizer:
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
    tokenizer.train_from_iterator(_first(texts, TRAINING_BYTES), trainer=trainer)
    return tokenizer


def _first(texts: Iterable[str], size: int) -> Iterator[str]:
    """The texts up to the one with which they hold `size` bytes, a very long one in pieces."""
    for text in texts:
        step = len(text) + 1 if len(text) < LONG else LONG // 10
        for start in range(0, max(1, len(text)), step):
            piece = text[start : start + step]
            yield piece
            size -= len(piece.encode())
            if size <= 0:
                return


def open_tokens(path: Path, dtype: str, offset: int = 0, count: int | None = None) -> Ids:
    """The token file, memory-mapped read-only, from byte `offset` on."""
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=None if count is None else (count,))


class Steps:
    """Batches of windows, one window after the other."""

    batch: int

    def window(self, index: int) -> Ids:
        """(seq_len + 1,) token ids of the window that is read as number `index`."""
        raise NotImplementedError

    def step(self, step: int, rank: int = 0, ranks: int = 1) -> npt.NDArray[np.int64]:
        """(batch / ranks, seq_len + 1) token ids of `step`: inputs and, shifted by one, targets."""
        first = step * self.batch
        mine = range(first + rank, first + self.batch, ranks)
        return np.stack([self.window(index) for index in mine]).astype(np.int64)


@dataclass
class Windows(Steps):
    """Which windows of a token file each step reads."""

    tokens: Tokens  # (n,)
    seq_len: int
    batch: int
    seed: int
    _order: tuple[int, npt.NDArray[np.int64]] | None = field(default=None, repr=False)

    @property
    def count(self) -> int:
        """Windows in one epoch. Each needs one token more than seq_len, for the last target."""
        return max(0, len(self.tokens) - 1) // self.seq_len

    @property
    def tokens_held(self) -> int:
        """Tokens of the corpus."""
        return len(self.tokens)

    def epochs(self, steps: int) -> float:
        """How often `steps` steps read the corpus."""
        return steps * self.batch / self.count

    def window(self, index: int) -> Ids:
        """(seq_len + 1,) token ids. (seed, epoch) draws the order of an epoch's windows."""
        epoch, place = divmod(index, self.count)
        if self._order is None or self._order[0] != epoch:
            generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, epoch])))
            self._order = (epoch, generator.permutation(self.count))
        start = int(self._order[1][place]) * self.seq_len
        found: Ids = self.tokens[start : start + self.seq_len + 1]
        return found
