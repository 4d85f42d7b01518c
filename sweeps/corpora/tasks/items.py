"""What a task is made of: items, a prompt and the completion that it asks for, as rows of tokens.

In a row that a run reads, a token that costs nothing to predict wrongly is written as its complement ~id, a
negative number: a prompt's, and what fills a row up. Shapes: n items, L tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sweeps.corpora.tasks.alphabet import Codes

HELD_OUT = 16  # one identity in so many is never trained on
QUESTIONS = 1024  # validation items of a difficulty, at most
TRIES = 200  # draws for as many different ones

Keys = npt.NDArray[np.uint64]
GOLDEN, LAST = np.uint64(0x9E3779B97F4A7C15), np.uint64(31)
MIXING = [(np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB))]


@dataclass(frozen=True)
class Items:
    """Items of one length: `ids` (n, L) prompt and completion. The completion ends with a line break."""

    ids: Codes
    prompt: npt.NDArray[np.int64]  # (n,) tokens of the prompt
    lengths: npt.NDArray[np.int64]  # (n,) tokens of the item, what fills it up not counted

    @property
    def answers(self) -> npt.NDArray[np.bool_]:
        """(n, L) which tokens are of the completion."""
        place = np.arange(self.ids.shape[1])
        return (place >= self.prompt[:, None]) & (place < self.lengths[:, None])

    def masked(self, every: bool) -> Codes:
        """(n, L) the tokens, ~id where they are not learnt: of the prompt (unless `every`) and the filling."""
        place = np.arange(self.ids.shape[1])
        learnt = place < self.lengths[:, None] if every else self.answers
        return np.where(learnt, self.ids, ~self.ids)

    def first(self, count: int) -> Items:
        """The first `count` of them."""
        return Items(self.ids[:count], self.prompt[:count], self.lengths[:count])


class Task(Protocol):
    """A task that draws items of a difficulty."""

    name: str
    difficulties: tuple[int, ...]
    memory: bool  # its items are to be remembered: what is asked was trained on

    def prompt_length(self, difficulty: int) -> int:
        """Tokens of a prompt."""

    def length(self, difficulty: int) -> int:
        """Tokens of an item, the line break at its end included."""

    def draw(self, random: np.random.Generator, n: int, difficulty: int) -> tuple[Codes, Keys]:
        """(n, L) items, and (n,) what each is known by, whatever order its parts are in."""

    def chance(self, difficulty: int) -> float:
        """The accuracy of a guess among the answers that there are."""

    def solve(self, prompt: str) -> str:
        """The completion of a prompt, worked out one character at a time: to check the items by."""


def key_of(parts: Codes) -> Keys:
    """(n,) a number for each row of `parts` (n, m), the same for equal rows. Mixed as in SplitMix64."""
    found = np.zeros(len(parts), np.uint64)
    for part in np.ascontiguousarray(parts.T, np.uint64):
        found ^= part
        found += GOLDEN
        for shift, factor in MIXING:
            found ^= found >> shift
            found *= factor
        found ^= found >> LAST
    return found


def _kept(
    task: Task, difficulty: int, draw: Callable[[int], tuple[Codes, Keys]], held_out: bool, n: int
) -> tuple[Codes, Keys]:
    """About n drawn items on one side of the split."""
    share = 1 if task.memory else HELD_OUT if held_out else HELD_OUT / (HELD_OUT - 1)
    ids, keys = draw(int(n * share * 1.05) + 16)
    side = (keys % np.uint64(HELD_OUT) == 0) == held_out if not task.memory else np.ones(len(ids), bool)
    return ids[side], keys[side]


def training_items(task: Task, random: np.random.Generator, n: int, difficulty: int) -> Codes:
    """(n, L) items that are not held out."""
    found = np.empty((0, task.length(difficulty)), np.int64)
    for _ in range(TRIES):
        ids, _ = _kept(task, difficulty, lambda m: task.draw(random, m, difficulty), False, n - len(found))
        found = np.concatenate([found, ids])
        if len(found) >= n:
            return found[:n]
    raise ValueError(f"task {task.name} of difficulty {difficulty} is too small to hold items out: raise it")


def questions(task: Task, difficulty: int, most: int = QUESTIONS) -> Items:
    """Held-out items, all different, at most `most`: the same whenever they are asked for.

    Of a task of memory, items that are trained on.
    """
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([0, difficulty])))
    found: dict[int, Codes] = {}
    for _ in range(TRIES):
        ids, keys = _kept(task, difficulty, lambda m: task.draw(random, m, difficulty), True, most)
        before = len(found)
        for key, row in zip(keys.tolist(), ids, strict=True):
            found.setdefault(key, row)
        if len(found) >= most or len(found) == before:
            break
    if not found:
        raise ValueError(
            f"task {task.name} of difficulty {difficulty} is too small to hold items out: raise it"
        )
    ids = np.stack(list(found.values())[:most])
    same = np.full(len(ids), task.length(difficulty))
    return Items(ids, np.full(len(ids), task.prompt_length(difficulty)), same)
