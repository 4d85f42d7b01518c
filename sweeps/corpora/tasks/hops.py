"""Hops: where k steps along the arrows of a graph lead, the graph in the prompt: `ac,cb,ba,?2ab`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sweeps.corpora.tasks.alphabet import (
    FIRST_DIGIT,
    FIRST_LETTER,
    LETTERS,
    NEWLINE,
    THEREFORE,
    Codes,
    as_column,
    codes_of,
)
from sweeps.corpora.tasks.items import Keys, key_of

COMMA, QUESTION = (int(code) for code in codes_of(",?"))


def steps_shown(count: int, of: int) -> list[int]:
    """Which of the results 1 to `of` - 1 before the last are written down when `count` are: evenly spread."""
    count = min(count, of - 1)
    return [round(of * (i + 1) / (count + 1)) for i in range(count)]


@dataclass(frozen=True)
class Hops:
    """A cycle through `nodes` letters drawn again for each item, its arrows in any order. k hops are asked for.

    An arrow is its two letters, so that the question ends as an arrow begins. `steps` of the nodes on the way are
    written before the answer, evenly spread: 0 none, k - 1 all.
    """

    hops: tuple[int, ...] = (1, 2, 3, 4)
    nodes: int = 8
    steps: int = 0

    name = "hops"
    memory = False

    def __post_init__(self) -> None:
        """Refuse a graph that has no such question."""
        if not 3 <= self.nodes <= len(LETTERS):
            raise ValueError(f"task hops: nodes={self.nodes}. Give 3 to {len(LETTERS)}")
        most = min(9, self.nodes - 1)
        if not self.hops or not all(1 <= k <= most for k in self.hops):
            raise ValueError(f"task hops: hops={self.hops} among {self.nodes} nodes. Give 1 to {most}")

    @property
    def difficulties(self) -> tuple[int, ...]:
        """Hops."""
        return self.hops

    def prompt_length(self, difficulty: int) -> int:
        """Three tokens an arrow, and the question."""
        return 3 * self.nodes + 3

    def length(self, difficulty: int) -> int:
        """And the nodes written down, the answer, the line break."""
        written = len(steps_shown(self.steps, difficulty))
        return self.prompt_length(difficulty) + written + (written > 0) + 2

    def chance(self, difficulty: int) -> float:
        """Any node but the one that is asked about."""
        return 1 / (self.nodes - 1)

    def draw(self, random: np.random.Generator, n: int, difficulty: int) -> tuple[Codes, Keys]:
        """Cycles, known by themselves: a validation graph is trained on in no order and with no question."""
        share = random.random((n, len(LETTERS)), np.float32)
        cycle = random.permuted(share.argpartition(self.nodes - 1, axis=1)[:, : self.nodes], axis=1)
        rows, start = np.arange(n), random.integers(self.nodes, size=n)

        def at(k: int) -> Codes:
            return (cycle[rows, (start + k) % self.nodes] + FIRST_LETTER)[:, None]

        way = [at(k) for k in steps_shown(self.steps, difficulty)]
        question, hops, therefore, end = (
            as_column(code, cycle) for code in (QUESTION, FIRST_DIGIT + difficulty, THEREFORE, NEWLINE)
        )
        told = [*way, *([therefore] if way else []), at(difficulty), end]
        parts = [_graph(random, cycle), question, hops, at(0), *told]
        lowest = cycle.argmin(axis=1)
        turned = cycle.take(
            (lowest[:, None] + np.arange(self.nodes)) % self.nodes + self.nodes * rows[:, None]
        )
        return np.concatenate(parts, axis=1), key_of(turned)

    def solve(self, prompt: str) -> str:
        """Follow the arrows."""
        *arrows, asked = prompt.split(",")
        after = {arrow[0]: arrow[1] for arrow in arrows}
        k, node = int(asked[1]), asked[2]
        way = []
        for _ in range(k):
            node = after[node]
            way.append(node)
        written = "".join(way[i - 1] for i in steps_shown(self.steps, k))
        return f"{written}:{node}\n" if written else f"{node}\n"


def _graph(random: np.random.Generator, cycle: Codes) -> Codes:
    """(n, 3 nodes) the arrows of cycles (n, nodes), in any order."""
    n, nodes = cycle.shape
    order = random.permuted(np.broadcast_to(np.arange(nodes), (n, nodes)), axis=1)
    at = order + nodes * np.arange(n)[:, None]
    letters = cycle + FIRST_LETTER
    arrows = np.empty((n, nodes, 3), np.int64)
    arrows[..., 0] = letters.take(at)
    arrows[..., 1] = np.concatenate([letters[:, 1:], letters[:, :1]], axis=1).take(at)
    arrows[..., 2] = COMMA
    return arrows.reshape(n, -1)
