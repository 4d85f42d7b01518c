"""Copy: random letters, once more: `kqzk=kqzk`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sweeps.corpora.tasks.alphabet import ASK, FIRST_LETTER, LETTERS, NEWLINE, Codes, as_column
from sweeps.corpora.tasks.items import Keys, key_of


@dataclass(frozen=True)
class Copy:
    """Strings of `length` letters, to be repeated: the work of induction heads (Olsson et al. 2022)."""

    letters: tuple[int, ...] = (8, 16, 32)

    name = "copy"
    memory = False

    def __post_init__(self) -> None:
        """Refuse strings of no letter."""
        if not self.letters or not all(2 <= length <= 1024 for length in self.letters):
            raise ValueError(f"task copy: letters={self.letters}. Give 2 to 1024")

    @property
    def difficulties(self) -> tuple[int, ...]:
        """Letters."""
        return self.letters

    def prompt_length(self, difficulty: int) -> int:
        """The letters and `=`."""
        return difficulty + 1

    def length(self, difficulty: int) -> int:
        """And the letters again, and the line break."""
        return 2 * difficulty + 2

    def chance(self, difficulty: int) -> float:
        """Letters that are guessed."""
        return float(len(LETTERS)) ** -difficulty

    def draw(self, random: np.random.Generator, n: int, difficulty: int) -> tuple[Codes, Keys]:
        """Letters drawn evenly, known by themselves."""
        letters = random.integers(len(LETTERS), size=(n, difficulty)) + FIRST_LETTER
        told = np.concatenate(
            [letters, as_column(ASK, letters), letters, as_column(NEWLINE, letters)], axis=1
        )
        return told, key_of(letters)

    def solve(self, prompt: str) -> str:
        """Say it again."""
        return prompt.removesuffix("=") + "\n"
