"""Mixtures of corpora by weight: `mix:0.7*files:a.jsonl+0.3*tokens:DIR`.

A window's number alone decides its corpus. The windows of each corpus are spread evenly: after any number of
windows its share is its weight, to within one window per corpus. The seed decides which of its windows it is, as
for a corpus by itself. So a run resumes to the bit.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.corpora.corpus import Corpus, Spans
from sweeps.corpora.tasks.items import Items
from sweeps.corpora.tasks.task_corpus import TaskWindows
from sweeps.corpora.tokens import Ids, Shards, Steps, Tokens, Windows

PREFIX = "mix:"
UNIT = 1 << 40  # weights are whole numbers of it


@dataclass(frozen=True)
class Ingredient:
    """A corpus of a mixture, by name, and its share of the tokens."""

    name: str
    weight: float


def parts_of(mixture: str) -> list[Ingredient]:
    """The corpora of `mix:W*NAME+W*NAME`, their weights scaled to a sum of 1."""
    form = "Write mix:WEIGHT*NAME+WEIGHT*NAME, e.g. mix:0.7*files:a.jsonl+0.3*stdlib"
    found = []
    for item in re.split(r"\+(?=[\d.]+\*)", mixture.removeprefix(PREFIX)):
        match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\*(.+)", item)
        if not match or float(match[1]) <= 0:
            raise ValueError(f"corpus {mixture}: {item!r} has no weight above 0. {form}")
        found.append(Ingredient(match[2], float(match[1])))
    names = [part.name for part in found]
    if len(found) < 2 or len(set(names)) < len(names):
        raise ValueError(f"corpus {mixture}: give two or more corpora, each once. {form}")
    total = math.fsum(part.weight for part in found)
    return [Ingredient(part.name, part.weight / total) for part in found]


@dataclass
class MixedWindows(Steps):
    """Which windows of several corpora each step reads."""

    parts: list[Windows | TaskWindows]
    weights: list[float]  # sum 1
    batch: int

    @property
    def count(self) -> int:
        """Windows until the first of the corpora is read through."""
        pairs = zip(self.parts, self.weights, strict=True)
        return math.floor(min(part.count / weight for part, weight in pairs))

    @property
    def tokens_held(self) -> int:
        """Tokens that are read until then."""
        return self.count * self.parts[0].seq_len

    def epochs(self, steps: int) -> float:
        """How often `steps` steps read the corpus that is read most often."""
        return max(
            read / max(1, part.count)
            for read, part in zip(self.read(steps * self.batch), self.parts, strict=True)
        )

    def read(self, windows: int) -> list[int]:
        """How many of the first `windows` windows are of each corpus."""
        return [self._before(windows, part) for part in range(len(self.weights))]

    def shares(self, steps: int) -> list[float]:
        """The share of each corpus in what `steps` steps read."""
        return [read / (steps * self.batch) for read in self.read(steps * self.batch)]

    @cached_property
    def _rates(self) -> list[int]:
        """The weight of each corpus among itself and those behind it, in units of 1 / UNIT."""
        rest = np.cumsum(self.weights[::-1])[::-1]
        return [min(UNIT, round(weight / of * UNIT)) for weight, of in zip(self.weights, rest, strict=True)]

    def _before(self, windows: int, part: int) -> int:
        """Windows of corpus `part` among the first `windows`: those that no earlier one takes, at its rate."""
        for rate in self._rates[:part]:
            windows -= (windows * rate + UNIT // 2) // UNIT
        last = part == len(self.weights) - 1
        return windows if last else (windows * self._rates[part] + UNIT // 2) // UNIT

    def window(self, index: int) -> Ids:
        """(seq_len + 1,) token ids: the next window of the corpus whose turn it is."""
        for part, windows in enumerate(self.parts):
            mine = self._before(index, part)
            if self._before(index + 1, part) > mine:
                return windows.window(mine)
        raise AssertionError("every window is of one corpus")


def shares_read(mixture: str, windows: int) -> dict[str, float]:
    """{corpus: its share of the first `windows` windows that a run on a mixture reads}, empty for 0 windows."""
    parts = parts_of(mixture)
    read = MixedWindows([], [part.weight for part in parts], 1).read(windows)
    return {part.name: count / windows for part, count in zip(parts, read, strict=True)} if windows else {}


@dataclass(frozen=True)
class MixedCorpus(Corpus):
    """Corpora read together. Their validation tokens are mixed by the same weights, domain by domain."""

    corpora: tuple[Corpus, ...] = ()
    weights: tuple[float, ...] = ()

    @property
    def tokenizer(self) -> Path | None:
        """The one tokenizer of all."""
        return next((corpus.tokenizer for corpus in self.corpora if corpus.tokenizer), None)

    def questions(self) -> dict[str, Items]:
        """The validation items of the tasks among them."""
        several = (corpus.questions() for corpus in self.corpora)
        names = (name for name, _, _ in self.manifest["mixture"])
        return {
            f"{name}/{d}": items for name, of in zip(names, several, strict=True) for d, items in of.items()
        }

    def windows(self, seq_len: int, batch: int, seed: int) -> MixedWindows:  # type: ignore[override]
        """The windows that a run reads."""
        parts: list[Windows | TaskWindows] = [c.windows(seq_len, batch, seed) for c in self.corpora]
        return MixedWindows(parts, list(self.weights), batch)


def mix_corpora(folder: Path, name: str, parts: list[Ingredient], corpora: list[Corpus]) -> MixedCorpus:
    """The mixture of open corpora."""
    pieces, valid = _held_out(parts, corpora)
    manifest = {
        "format": 2,
        "dtype": [corpus.manifest["dtype"] for corpus in corpora],
        "sha256": {
            "weights": [part.weight for part in parts],
            "corpora": [corpus.hash for corpus in corpora],
        },
        "train": [corpus.manifest["train"]["tokens"] for corpus in corpora],
        "valid": valid,
        "name": name,
        "mixture": [
            [part.name, part.weight, corpus.hash] for part, corpus in zip(parts, corpora, strict=True)
        ],
    }
    train, weights = Shards([corpus.train for corpus in corpora]), tuple(part.weight for part in parts)
    return MixedCorpus(folder, manifest, train, Shards(pieces), tuple(corpora), weights)


def _held_out(parts: list[Ingredient], corpora: list[Corpus]) -> tuple[list[Tokens], dict[str, Any]]:
    """The validation tokens of each domain and their counts: as much as the corpus allows that has least for its weight."""
    most = min(len(corpus.valid) / part.weight for part, corpus in zip(parts, corpora, strict=True))
    pieces: list[Tokens] = []
    spans: Spans = {}
    domains: dict[str, dict[str, Any]] = {}
    begin = 0
    for part, corpus in zip(parts, corpora, strict=True):
        share = most * part.weight / len(corpus.valid)
        for domain, (first, last) in corpus.valid_spans.items():
            count, label = max(1, math.floor((last - first) * share)), f"{part.name}/{domain}"
            pieces.append(corpus.valid[first : first + count])
            of = corpus.manifest["valid"]["domains"][domain]
            size = None if of["bytes"] is None else round(of["bytes"] / of["tokens"] * count)
            domains[label] = {"documents": of["documents"], "bytes": size, "tokens": count}
            spans[label] = (begin, begin + count)
            begin += count
    sizes = [counts["bytes"] for counts in domains.values()]
    total = None if None in sizes else sum(sizes)
    return pieces, {"documents": None, "bytes": total, "tokens": begin, "domains": domains, "spans": spans}
