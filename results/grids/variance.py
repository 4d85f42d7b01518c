"""How far seeds part: one size, P in {1, 4}, paired by seed, as the laptop grid trains them.

    parscale sweep results/grids/variance.py [--sizes 64x4] [--tokens 10M] [--corpora text]

Written to results/sweeps/variance unless --out says otherwise.
"""

from collections.abc import Sequence
from dataclasses import replace

from sweeps.axes import Axes
from sweeps.config import RunConfig
from sweeps.grids import LAPTOP, product

RULE = replace(LAPTOP, settings=(("compile", True), ("evaluations", 4)))


def point(size: str, P: int, corpus: str, seed: int, axes: Axes) -> RunConfig:
    """The laptop grid's rule, compiled, with four evaluations on the way."""
    return RULE.run("variance", size, P, corpus, seed, axes)


DEFAULT = Axes(sizes=("32x4",), streams=(1, 4), corpora=("code",), seeds=(0, 1, 2), tokens=5_000_000)


def grid(axes: Axes) -> Sequence[RunConfig]:
    """Seed spread at one size: the laptop grid's rule, compiled, with four evaluations on the way."""
    return product(DEFAULT, point)(axes)
