"""The characters that every task is written in, one token each, and their tokenizer.json."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from sweeps.corpora.tokens import END

CHARACTERS = "\n0123456789abcdefghijklmnopqrstuvwxyz+=?:>,"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SIZE = 1 + len(CHARACTERS)  # entries: END is number 0

Codes = npt.NDArray[np.int64]

_CODES = np.zeros(128, np.int64)
_CODES[[ord(c) for c in CHARACTERS]] = np.arange(1, SIZE)
NEWLINE, ASK, THEREFORE = (int(_CODES[ord(c)]) for c in "\n=:")
FIRST_LETTER, FIRST_DIGIT = int(_CODES[ord("a")]), int(_CODES[ord("0")])


def codes_of(text: str) -> Codes:
    """(characters,) the tokens of a text of these characters."""
    return _CODES[np.frombuffer(text.encode("ascii"), np.uint8)]


def text_of(codes: npt.ArrayLike) -> str:
    """The text of tokens. Nothing for END."""
    return "".join(CHARACTERS[code - 1] for code in np.asarray(codes).tolist() if code > 0)


def digits_of(numbers: Codes, width: int) -> Codes:
    """(..., width) the tokens of numbers, zeros before them."""
    powers = 10 ** np.arange(width - 1, -1, -1)
    return numbers[..., None] // powers % 10 + FIRST_DIGIT


def as_column(code: int, like: Codes) -> Codes:
    """(n, 1) one token below another, as many as `like` has rows."""
    return np.full((len(like), 1), code, np.int64)


def write_tokenizer(path: Path) -> None:
    """A tokenizer.json that gives each character its token."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    entries = {END: 0} | {character: code for code, character in enumerate(CHARACTERS, 1)}
    tokenizer = Tokenizer(models.WordLevel(entries, unk_token=END))
    tokenizer.add_special_tokens([END])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.save(str(path))
