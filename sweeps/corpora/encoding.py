"""Texts to token ids by tiktoken, at six times the rate of tokenizers, in bounded memory for any length.

tiktoken does byte-level BPE alone. It encodes a text if the merges and split of the tokenizer.json and the text's
characters guarantee that both libraries agree. Otherwise tokenizers does. The ids are those of tokenizers, except in
200,000 characters without a place to cut, such as one run of blanks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sweeps.corpora.tokens import END, QWEN2_SPLIT, whole_texts

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PIECE = 200_000  # characters encoded at a time: a longer text is cut. tiktoken fails on a million blanks
CONTEXT = 256  # characters on either side of a cut that decide whether it is safe
TRIES = 16  # places tried of each kind
# The split of GPT-2's tokenizer, which a byte-level one has unless its file says another.
GPT2_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CLASSES = (r"\p{L}", r"\p{N}", r"\s")  # of both splits: the class of a character decides where it is cut
FOLDED = {"\u017f", "\u212a"}  # long s and the sign of kelvin, which equal s and k if case is ignored
OTHERWISE = ("dropout", "continuing_subword_prefix", "end_of_word_suffix")  # what tiktoken has not
CUTS = (r"\n(?=\w)", r"\w(?= \w)", r"\w(?=[^\w\s])", r".")  # a cut is after a match, best kinds first


class Encoder:
    """A tokenizer that encodes texts of any length.

    `literal`: special tokens inside a text are text, so that no document can end itself.
    """

    def __init__(self, tokenizer: Tokenizer, literal: bool = True) -> None:
        self.tokenizer = whole_texts(tokenizer)
        self.tokenizer.encode_special_tokens = literal
        added = tokenizer.get_added_tokens_decoder().values()
        self.marks = [token.content for token in added if not (literal and token.special)]
        self.tiktoken = _as_tiktoken(tokenizer, {token.content for token in added})
        self.characters = Characters() if self.tiktoken else None

    def ids(self, text: str) -> npt.NDArray[np.uint32]:
        """(tokens,) ids of a text."""
        normal = text
        if self.tiktoken and self.tokenizer.normalizer and not text.isascii():
            normal = self.tokenizer.normalizer.normalize_str(text)
        agreed = self.characters is not None and self.characters.agree(normal)
        if agreed and not any(mark in text or mark in normal for mark in self.marks):
            found = [self._by_tiktoken(piece) for piece in self._pieces(normal)]
        else:
            found = [self._by_tokenizers(piece) for piece in self._pieces(text)]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _by_tiktoken(self, text: str) -> npt.NDArray[np.uint32]:
        found: npt.NDArray[np.uint32] = self.tiktoken.encode_to_numpy(text, disallowed_special=())
        return found

    def _by_tokenizers(self, text: str) -> npt.NDArray[np.uint32]:
        (found,) = self.tokenizer.encode_batch_fast([text], add_special_tokens=False)
        return np.array(found.ids, np.uint32)

    def _pieces(self, text: str) -> Iterator[str]:
        """A long text in pieces, cut where the tokens of either side do not depend on the other's."""
        start = 0
        while len(text) - start > PIECE:
            cut = self._cut(text, start + PIECE)
            yield text[start:cut]
            start = cut
        yield text[start:]

    def _cut(self, text: str, near: int) -> int:
        """The first place where both sides have the same tokens separately as together, else `near`."""
        for place in _places(text, near):
            before, after = text[place - CONTEXT : place], text[place : place + CONTEXT]
            apart = np.concatenate([self._by_tokenizers(before), self._by_tokenizers(after)])
            if np.array_equal(self._by_tokenizers(before + after), apart):
                return place
        return near


def _places(text: str, near: int) -> Iterator[int]:
    """Where a text may be cut before `near`: ends of lines, then of words, then anywhere."""
    begin = near - PIECE // 2
    for kind in CUTS:
        found = [begin + match.end() for match in re.finditer(kind, text[begin:near], re.DOTALL)]
        yield from reversed(found[-TRIES:])


class Characters:
    """Which characters are of the same classes to both libraries, whose editions of Unicode may differ."""

    def __init__(self) -> None:
        from tokenizers import Regex, normalizers

        every = {bytes([byte]): byte for byte in range(256)}
        self.outside = [normalizers.Replace(Regex(of), "") for of in CLASSES]
        self.inside = [_encoding(of, every) for of in CLASSES]
        self.known: set[str] = set(FOLDED)
        self.odd: set[str] = set(FOLDED)

    def agree(self, text: str) -> bool:
        """Whether the libraries agree on every character of the text. New characters are looked up."""
        if text.isascii():
            return True
        seen = set(text)
        if new := seen - self.known:
            self.known |= new
            self.odd |= self._differ("".join(new))
        return self.odd.isdisjoint(seen)

    def _differ(self, characters: str) -> set[str]:
        found: set[str] = set()
        for outside, inside in zip(self.outside, self.inside, strict=True):
            here = set(bytes(inside.encode_ordinary(characters)).decode())
            found |= here ^ (set(characters) - set(outside.normalize_str(characters)))
        return found


def _encoding(split: str, ranks: dict[bytes, int]) -> Any:
    """The encoding of a split and {bytes of a token: id}. Text that the split does not match has no token."""
    import tiktoken

    # Without a special token it searches for the empty one, which takes half its time.
    special = {END: max(ranks.values()) + 1}
    return tiktoken.Encoding("parscale", pat_str=split, mergeable_ranks=ranks, special_tokens=special)


def _as_tiktoken(tokenizer: Tokenizer, added: set[str]) -> Any:
    """The tokenizer in tiktoken's form. None if the two might differ, or without the package tiktoken."""
    description = json.loads(tokenizer.to_str())
    split = _split(description.get("pre_tokenizer") or {})
    normalizer = (description.get("normalizer") or {}).get("type")
    if split not in (GPT2_SPLIT, QWEN2_SPLIT) or normalizer not in (None, "NFC"):
        return None
    ranks = _ranks(description["model"], added)
    try:
        return None if ranks is None else _encoding(split, ranks)
    except ModuleNotFoundError:
        return None


def _split(step: dict[str, Any]) -> str | None:
    """The regular expression of a byte-level pre-tokenizer, None of another."""
    *before, last = step.get("pretokenizers") or [step]
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        return None
    if not before:
        return GPT2_SPLIT if last.get("use_regex", True) else None
    isolated = before[0].get("type") == "Split" and before[0].get("behavior") == "Isolated"
    if len(before) > 1 or last.get("use_regex", True) or not isolated or before[0].get("invert"):
        return None
    found: str | None = before[0]["pattern"].get("Regex")
    return found


def _ranks(model: dict[str, Any], added: set[str]) -> dict[bytes, int] | None:
    """{bytes of an entry: id} of a BPE in which merging the pair that makes the lowest id is what its merges say.

    That holds if each merge makes an entry of its own, ids rise with the merges, and each entry is encoded as
    itself. Then two neighbouring pieces never form an entry without being a merge.
    """
    if model["type"] != "BPE" or any(map(model.get, OTHERWISE)):
        return None
    vocab = {entry: number for entry, number in model["vocab"].items() if entry not in added}
    merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
    made = [vocab.get("".join(pair), -1) for pair in merges]
    rising = all(first < second for first, second in zip([-1, *made], made, strict=False))
    letters = _byte_letters()
    whole = set(letters) <= set(vocab) and set(letters).issuperset("".join(vocab))
    if not (rising and whole and _alone(vocab, merges)):
        return None
    return {bytes(letters[letter] for letter in entry): number for entry, number in vocab.items()}


def _alone(vocab: dict[str, int], merges: Iterable[list[str]]) -> bool:
    """Whether each entry is encoded as itself."""
    from tokenizers import Tokenizer, models

    pairs = [(first, second) for first, second in merges]
    found = Tokenizer(models.BPE(vocab, pairs)).encode_batch_fast(list(vocab), add_special_tokens=False)
    return all(of.ids == [number] for of, number in zip(found, vocab.values(), strict=True))


def _byte_letters() -> dict[str, int]:
    """{letter by which a byte-level vocabulary writes a byte: the byte}. Printable bytes map to themselves."""
    from tokenizers import pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    printed = [ord(letter) for letter in letters if ord(letter) < 256]
    others = [byte for byte in range(256) if byte not in printed]
    return dict(zip(letters, printed + others, strict=True))
