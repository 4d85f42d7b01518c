"""The grid for one GPU: up to thirty times the laptop grid's N, deeper shapes, the larger `code` corpus.

    parscale sweep results/grids/gpu.py:muon_double --workers 8 --out results/sweeps/gpu

The recipe is the laptop grid's but for what the size asks: bfloat16, 16,384 tokens a step in windows of 512,
heads of 32. Its two learning rates were tried before any run of the grid, at 128x8 with 10M tokens:

    parscale sweep results/grids/gpu.py:same --sizes 128x8 --streams 1,4 --tokens 10M
        --out results/sweeps/gpu-recipe/same
    python -m results.grids.collect results/sweeps/gpu-recipe    the trials in one table

and so for the four after `same`; the pair with the lowest mean of the losses at P = 1 and 4 was to be taken:
that rule stood before the trial. It was `muon_double`. `prefix_alone` is its control: P = 1 with a prefix.
"""

from dataclasses import replace
from typing import Any

from sweeps.config.run import RunConfig
from sweeps.grids.axes import Axes
from sweeps.grids.grids import LAPTOP, LAPTOP_SETTINGS, Grid, product

SETTINGS = {**LAPTOP_SETTINGS, "precision": "bf16", "eval_batch": 64}
RULE = replace(LAPTOP, batch=32, seq_len=512, head_dim=32, settings=tuple(SETTINGS.items()))
SIZES = ("64x8", "128x8", "192x8", "256x8", "384x8")
DEFAULT = Axes(SIZES, (1, 2, 4, 8), ("code-large",), (0,), tokens=32_000_000)


def at(name: str, prefix_at_one: bool = False, **rates: Any) -> Grid:
    """The grid at other learning rates than the laptop's; `prefix_at_one` gives P = 1 a prefix too."""
    rule = replace(RULE, **rates)
    more = ", P = 1 with a prefix" if prefix_at_one else ""

    def point(size: str, P: int, corpus: str, seed: int, axes: Axes) -> RunConfig:
        run = rule.run(f"gpu-{name}", size, P, corpus, seed, axes)
        return replace(run, model=replace(run.model, prefix_at_one=prefix_at_one))

    return Grid(f"gpu-{name}", rule.describe() + more, product(DEFAULT, point))


same = at("same")
adam_half = at("adam_half", lr=0.02)
adam_double = at("adam_double", lr=0.08)
muon_double = at("muon_double", muon_lr=2e-2)
both_double = at("both_double", lr=0.08, muon_lr=2e-2)
prefix_alone = at("prefix_alone", prefix_at_one=True, muon_lr=2e-2)
