"""Facts: random values of random keys, to be remembered. For example `qkzv=gopa`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sweeps.corpora.tasks.alphabet import ASK, FIRST_LETTER, LETTERS, NEWLINE, Codes, as_column, text_of
from sweeps.corpora.tasks.items import Keys

SPARSE = 4  # as many keys could be as there are facts, at least
MOST = 5_000_000  # facts: their table is in memory


@dataclass(frozen=True)
class Facts:
    """`facts` keys, each with a value of `value` letters drawn evenly: log2(26) bits a letter to be stored."""

    facts: tuple[int, ...] = (1000,)
    value: int = 4
    table: int = 0  # which of the tables that could be drawn

    name = "facts"
    memory = True

    def __post_init__(self) -> None:
        """Refuse what is no one table."""
        if len(self.facts) != 1 or not 1 <= self.facts[0] <= MOST:
            raise ValueError(f"task facts: give one number of facts, 1 to {MOST:,}, got {self.facts}")
        if not 1 <= self.value <= 64:
            raise ValueError(f"task facts: value={self.value} letters. Give 1 to 64")

    @property
    def difficulties(self) -> tuple[int, ...]:
        """The number of facts."""
        return self.facts

    @property
    def key_letters(self) -> int:
        """Letters of a key."""
        return max(3, math.ceil(math.log(SPARSE * self.facts[0], len(LETTERS))))

    def prompt_length(self, difficulty: int) -> int:
        """The key and `=`."""
        return self.key_letters + 1

    def length(self, difficulty: int) -> int:
        """And the value and the line break."""
        return self.key_letters + self.value + 2

    def chance(self, difficulty: int) -> float:
        """A value that is guessed."""
        return float(len(LETTERS)) ** -self.value

    def bits(self, answer_loss: float) -> float:
        """Bits stored, of an answer's mean loss a token in nats: what a guess would need, less what it costs."""
        told = answer_loss * (self.value + 1) / math.log(2)
        return self.facts[0] * max(0.0, self.value * math.log2(len(LETTERS)) - told)

    @cached_property
    def rows(self) -> Codes:
        """(facts, L) every fact."""
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.table, self.facts[0]])))
        powers = len(LETTERS) ** np.arange(self.key_letters)
        numbers = random.choice(len(LETTERS) ** self.key_letters, self.facts[0], replace=False, shuffle=True)
        keys = numbers[:, None] // powers % len(LETTERS) + FIRST_LETTER
        values = random.integers(len(LETTERS), size=(self.facts[0], self.value)) + FIRST_LETTER
        return np.concatenate([keys, as_column(ASK, keys), values, as_column(NEWLINE, keys)], axis=1)

    def draw(self, random: np.random.Generator, n: int, difficulty: int) -> tuple[Codes, Keys]:
        """Facts drawn evenly."""
        which = random.integers(self.facts[0], size=n)
        return self.rows[which], which.astype(np.uint64)

    def solve(self, prompt: str) -> str:
        """The value of a key."""
        return self._values[prompt]

    @cached_property
    def _values(self) -> dict[str, str]:
        split = self.prompt_length(0)
        return {text_of(row[:split]): text_of(row[split:]) for row in self.rows}
