"""Texts to token ids: three times the library's rate for byte-level BPE, in bounded memory for any length.

Byte-level BPE cuts a text into words by a regular expression and encodes each by itself. So a word's ids
are looked up where it has been seen before, and the library encodes the others. A tokenizer of another make
is the library's alone. The ids are the library's either way, but where a text of a million characters has
no place at which it can be cut, such as one run of blanks.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sweeps.corpora.tokens import whole_texts

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PIECE = 1_000_000  # characters encoded at a time: a longer text is cut
CONTEXT = 256  # characters on either side of a cut by which it is judged
TRIES = 16  # places tried of each kind
REMEMBERED = 300_000  # words whose ids are kept
LONGEST = 64  # characters of a word that is kept
# The split of GPT-2's tokenizer, which a byte-level one has unless its file says another.
GPT2_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CUTS = (r"\n(?=\w)", r"\w(?= \w)", r"\w(?=[^\w\s])", r".")  # a cut is after a match, best kinds first

Split = Callable[[str], list[str]]


class Encoder:
    """A tokenizer that encodes texts of any length.

    `literal`: special tokens inside a text are text, so that no document can end itself.
    """

    def __init__(self, tokenizer: Tokenizer, literal: bool = True) -> None:
        self.tokenizer = whole_texts(tokenizer)
        self.tokenizer.encode_special_tokens = literal
        added = tokenizer.get_added_tokens_decoder().values()
        self.marks = [token.content for token in added if not (literal and token.special)]
        self.words = _Words(tokenizer)
        self.split, self.normal = _word_split(json.loads(tokenizer.to_str()))
        self.agreed = set(map(chr, range(128)))  # characters at which both ways are known to agree
        self.odd: set[str] = set()
        if self.split and not self._same_words("".join(map(chr, range(128)))):
            self.split = None

    def ids(self, text: str) -> npt.NDArray[np.uint32]:
        """(tokens,) ids of a text."""
        fast = self.split is not None and self._agrees(text)
        encode = self._fast if fast else lambda piece: np.array(self._library(piece), np.uint32)
        found = [encode(piece) for piece in self._pieces(text)]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _fast(self, text: str) -> npt.NDArray[np.uint32]:
        if self.normal and not text.isascii():
            text = unicodedata.normalize("NFC", text)
        assert self.split
        return np.frombuffer(b"".join(map(self.words.__getitem__, self.split(text))), np.uint32)

    def _library(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids
        return ids

    def _agrees(self, text: str) -> bool:
        """Whether the words of a text are cut as the library cuts them: each character is tried once."""
        if any(mark in text for mark in self.marks):
            return False
        if text.isascii():
            return True
        seen = set(text)
        for character in seen - self.agreed - self.odd:
            (self.agreed if self._same_words(character) else self.odd).add(character)
        return not seen & self.odd

    def _same_words(self, characters: str) -> bool:
        """Whether both ways cut the same words where each character stands beside all kinds of others."""
        assert self.split
        assert self.tokenizer.pre_tokenizer
        probe = "".join(
            f"a{c}b 1{c}2 {c}{c} x {c}y\n{c}\t{c}3.{c}'{c}  {c}\n\n{c}'a{c}'s" for c in characters
        )
        probe = unicodedata.normalize("NFC", probe) if self.normal else probe
        words = [probe[a:b] for _, (a, b) in self.tokenizer.pre_tokenizer.pre_tokenize_str(probe)]
        return self.split(probe) == words

    def _pieces(self, text: str) -> Iterator[str]:
        """A long text in pieces, cut where the tokens of either side do not depend on the other's."""
        start = 0
        while len(text) - start > PIECE:
            cut = self._cut(text, start + PIECE)
            yield text[start:cut]
            start = cut
        yield text[start:]

    def _cut(self, text: str, near: int) -> int:
        """The first place at which both sides have the same tokens apart as together; `near` if none has."""
        for place in _places(text, near):
            before, after = text[place - CONTEXT : place], text[place : place + CONTEXT]
            if self._library(before + after) == self._library(before) + self._library(after):
                return place
        return near


class _Words(dict[str, bytes]):
    """The ids of words, as the bytes of uint32, asked of the library once while there is room."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def __missing__(self, word: str) -> bytes:
        ids = np.array(self.tokenizer.encode(word, add_special_tokens=False).ids, np.uint32).tobytes()
        if len(word) <= LONGEST:
            if len(self) >= REMEMBERED:
                self.clear()
            self[word] = ids
        return ids


def _places(text: str, near: int) -> Iterator[int]:
    """Where a text may be cut before `near`: ends of lines, then of words, then anywhere."""
    begin = near - PIECE // 10
    for kind in CUTS:
        found = [begin + match.end() for match in re.finditer(kind, text[begin:near], re.DOTALL)]
        yield from reversed(found[-TRIES:])


def _word_split(description: dict[str, Any]) -> tuple[Split | None, bool]:
    """The function that cuts a text into a tokenizer's words, and whether texts are normalised (NFC) first.

    None where the tokenizer is no byte-level BPE, or the package regex is not there.
    """
    normalizer = (description.get("normalizer") or {}).get("type")
    pattern = _pattern(description.get("pre_tokenizer") or {})
    if description["model"]["type"] != "BPE" or normalizer not in (None, "NFC") or pattern is None:
        return None, False
    try:
        import regex
    except ModuleNotFoundError:
        return None, False
    compiled = regex.compile(pattern)
    return (None if compiled.groups else compiled.findall), normalizer == "NFC"


def _pattern(step: dict[str, Any]) -> str | None:
    """The regular expression of a byte-level pre-tokenizer, None of another."""
    steps = step.get("pretokenizers") or [step]
    last = steps[-1]
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        return None
    if len(steps) == 1:
        return GPT2_SPLIT if last.get("use_regex", True) else None
    split = steps[0]
    isolated = split.get("type") == "Split" and split.get("behavior") == "Isolated"
    if len(steps) > 2 or last.get("use_regex", True) or not isolated or split.get("invert"):
        return None
    found: str | None = split["pattern"].get("Regex")
    return found
