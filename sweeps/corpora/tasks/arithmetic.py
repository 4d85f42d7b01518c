"""Arithmetic: sums of numbers of several digits `27+85=112`, or of several numbers modulo one `27+85+60=75`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from sweeps.corpora.tasks.alphabet import ASK, NEWLINE, THEREFORE, Codes, as_column, codes_of, digits_of
from sweeps.corpora.tasks.hops import steps_shown
from sweeps.corpora.tasks.items import Keys, key_of

PLUS = int(codes_of("+")[0])


@dataclass(frozen=True)
class Arithmetic:
    """Sums of two numbers of `digits` digits. With `mod` sums of `terms` numbers below it, modulo it.

    With `steps` so much of the work is written before the answer: of digits, the digit and carry of so many columns
    from the right. Modulo, so many of the running sums, evenly spread.
    """

    digits: tuple[int, ...] = (1, 2, 3)
    mod: int = 0
    terms: tuple[int, ...] = (2, 4, 8)
    steps: int = 0

    name = "arithmetic"
    memory = False

    def __post_init__(self) -> None:
        """Refuse sums that are none."""
        if self.mod and not 2 <= self.mod <= 10**6:
            raise ValueError(f"task arithmetic: mod={self.mod}. Give 2 to 1000000, or leave it out")
        if self.mod and not all(2 <= m <= 64 for m in self.terms):
            raise ValueError(f"task arithmetic: terms={self.terms}. Give 2 to 64")
        if not all(1 <= d <= 18 for d in self.digits):
            raise ValueError(f"task arithmetic: digits={self.digits}. Give 1 to 18")

    @property
    def difficulties(self) -> tuple[int, ...]:
        """Digits, or terms where sums are modulo a number."""
        return self.terms if self.mod else self.digits

    def _width(self, difficulty: int) -> int:
        return len(str(self.mod - 1)) if self.mod else difficulty

    def _count(self, difficulty: int) -> int:
        return difficulty if self.mod else 2

    def prompt_length(self, difficulty: int) -> int:
        """The numbers, a sign behind each."""
        return self._count(difficulty) * (self._width(difficulty) + 1)

    def length(self, difficulty: int) -> int:
        """And the work, the answer, the line break."""
        width = self._width(difficulty)
        answer = width if self.mod else width + 1
        written = (
            width * len(steps_shown(self.steps, difficulty - 1)) if self.mod else 2 * min(self.steps, width)
        )
        return self.prompt_length(difficulty) + written + (written > 0) + answer + 1

    def chance(self, difficulty: int) -> float:
        """Any residue. Of digits, any sum."""
        return 1 / (self.mod or 2 * 10**difficulty - 1)

    def draw(self, random: np.random.Generator, n: int, difficulty: int) -> tuple[Codes, Keys]:
        """Numbers drawn evenly, known by themselves."""
        width, count = self._width(difficulty), self._count(difficulty)
        numbers = random.integers(self.mod or 10**width, size=(n, count))
        signs = np.full((n, count, 1), PLUS)
        signs[:, -1] = ASK
        asked = np.concatenate([digits_of(numbers, width), signs], axis=2).reshape(n, -1)
        work, answer = self._sums(numbers, difficulty) if self.mod else self._columns(numbers, width)
        told = [
            *work,
            *([as_column(THEREFORE, numbers)] if work else []),
            answer,
            as_column(NEWLINE, numbers),
        ]
        return np.concatenate([asked, *told], axis=1), key_of(numbers)

    def _sums(self, numbers: Codes, difficulty: int) -> tuple[list[Codes], Codes]:
        """The running sums that are written down, and the last."""
        sums, width = numbers.cumsum(axis=1) % self.mod, self._width(difficulty)
        work = [digits_of(sums[:, i], width) for i in steps_shown(self.steps, difficulty - 1)]
        return work, digits_of(sums[:, -1], width)

    def _columns(self, numbers: Codes, width: int) -> tuple[list[Codes], Codes]:
        """The digit and carry of the columns that are written down, from the right, and the sum."""
        carry, work = np.zeros(len(numbers), np.int64), []
        for place in range(min(self.steps, width)):
            total = (numbers // 10**place % 10).sum(axis=1) + carry
            carry = total // 10
            work += [digits_of(total % 10, 1), digits_of(carry, 1)]
        return work, digits_of(numbers.sum(axis=1), width + 1)

    def solve(self, prompt: str) -> str:
        """Add up."""
        parts = prompt.removesuffix("=").split("+")
        numbers, width = [int(part) for part in parts], len(parts[0])
        if self.mod:
            sums = [total % self.mod for total in accumulate(numbers)]
            work = "".join(f"{sums[i]:0{width}d}" for i in steps_shown(self.steps, len(sums) - 1))
            answer = f"{sums[-1]:0{width}d}"
        else:
            carry, work = 0, ""
            columns = list(zip(*(reversed(part) for part in parts), strict=True))
            for a, b in columns[: self.steps]:
                carry, digit = divmod(int(a) + int(b) + carry, 10)
                work += f"{digit}{carry}"
            answer = f"{sum(numbers):0{width + 1}d}"
        return f"{work}:{answer}\n" if work else f"{answer}\n"
