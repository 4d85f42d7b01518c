"""What lessens the spread over seeds: the laptop grid's rule with one thing changed, at 64x3.

    parscale sweep results/grids/noise.py:short --out results/sweeps/noise/short

`short` reads windows of 64 tokens, as many of them a step as keep its tokens the same: less of a window can
be copied from earlier in it. The other corpus and more tokens need no file: `parscale sweep laptop
--corpora text`, `--tokens 8M`. results/LOG.md has what came.
"""

from dataclasses import replace

from sweeps.config.run import RunConfig
from sweeps.grids.axes import Axes
from sweeps.grids.grids import LAPTOP, Grid, product

RULE = replace(LAPTOP, batch=32, seq_len=64)


def point(size: str, P: int, corpus: str, seed: int, axes: Axes) -> RunConfig:
    """One run with short windows."""
    return RULE.run("noise-short", size, P, corpus, seed, axes)


DEFAULT = Axes(("64x3",), (1, 2), ("code",), (0, 1), tokens=4_000_000)
short = Grid("noise-short", RULE.describe(), product(DEFAULT, point))
