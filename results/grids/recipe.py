"""The recipe search: one change of the training rule at a time, paired by seed.

    parscale sweep results/grids/recipe.py:b8 --out results/sweeps/recipe/b8 [--sizes 64x4] [--tokens 10M]
    python -m results.grids.collect results/sweeps/recipe    the trials in one table

Every trial trains one size at P in {1, 4} on `code`, compiled, linear decay to zero, with half a million
held-out tokens: 32x4 with 3M tokens, then 32x2 with 2M, then two wider sizes. results/LOG.md has what came.
"""

from dataclasses import replace
from typing import Any

from sweeps.config.run import RunConfig
from sweeps.grids.axes import Axes
from sweeps.grids.grids import Grid, product
from sweeps.grids.scaling_rules import SmallRule

SETTINGS = {"compile": True, "evaluations": 3, "eval_tokens": 500_000, "schedule": "linear", "final_lr": 0.0}
BASE = SmallRule(2048, batch=32, seq_len=256, lr=3e-3, muon_lr=1e-2)


def trial(
    name: str,
    size: str = "32x2",
    tokens: int = 2_000_000,
    seeds: int = 2,
    **rule: Any,
) -> Grid:
    """The base rule with `rule`'s fields changed."""
    changed: SmallRule = replace(BASE, settings=tuple(SETTINGS.items()), **rule)
    default = Axes((size,), (1, 4), ("code",), tuple(range(seeds)), tokens=tokens)

    def point(size: str, P: int, corpus: str, seed: int, axes: Axes) -> RunConfig:
        return changed.run(f"recipe-{name}", size, P, corpus, seed, axes)

    return Grid(f"recipe-{name}", changed.describe(), product(default, point))


FIRST = {"size": "32x4", "tokens": 3_000_000}
base = trial("base", seeds=3, **FIRST)
batch16 = trial("batch16", batch=16, **FIRST)

b8 = trial("b8", batch=8)
b4 = trial("b4", batch=4)
extras_equal = trial("extras_equal", batch=8, extras_lr=1.0)
prefix1 = trial("prefix1", batch=8, prefix_tokens=1)
rates_double = trial("rates_double", batch=8, lr=6e-3, muon_lr=2e-2)

# Third round: beside rates_double; then AdamW's rate, which trains the tied embedding, and Muon's apart.
DOUBLE = {"batch": 8, "lr": 6e-3, "muon_lr": 2e-2}
rates_quad = trial("rates_quad", **{**DOUBLE, "lr": 12e-3, "muon_lr": 4e-2})
muon_quad = trial("muon_quad", **{**DOUBLE, "muon_lr": 4e-2})
apart = trial("apart", **DOUBLE, prefix_std=1.0)
apart_equal = trial("apart_equal", **DOUBLE, prefix_std=1.0, extras_lr=1.0)
adam_quad = trial("adam_quad", **{**DOUBLE, "lr": 12e-3})
adam_oct = trial("adam_oct", **{**DOUBLE, "lr": 24e-3})
adam_16 = trial("adam_16", **{**DOUBLE, "lr": 48e-3})
adam_32 = trial("adam_32", **{**DOUBLE, "lr": 96e-3})
adam_quad_muon1 = trial("adam_quad_muon1", **{**DOUBLE, "lr": 12e-3, "muon_lr": 1e-2})
adam_oct_muon1 = trial("adam_oct_muon1", **{**DOUBLE, "lr": 24e-3, "muon_lr": 1e-2})
adam_16_muon1 = trial("adam_16_muon1", **{**DOUBLE, "lr": 48e-3, "muon_lr": 1e-2})
adam_16_muon05 = trial("adam_16_muon05", **{**DOUBLE, "lr": 48e-3, "muon_lr": 5e-3})

# Fourth round: beside adam_oct_muon1.
BEST = {"batch": 8, "lr": 24e-3, "muon_lr": 1e-2}
extras_tenth = trial("extras_tenth", **BEST, extras_lr=0.1)

# Do the rates carry over to the widest size? One seed, a million tokens.
WIDE = {"size": "96x5", "tokens": 1_000_000, "seeds": 1}
wide_oct = trial("wide_oct", **WIDE, **BEST)
wide_16 = trial("wide_16", **WIDE, **{**BEST, "lr": 48e-3})
wide_32 = trial("wide_32", **WIDE, **{**BEST, "lr": 96e-3})
wide_muon2 = trial("wide_muon2", **WIDE, **{**BEST, "muon_lr": 2e-2})
wide_16_muon05 = trial("wide_16_muon05", **WIDE, **{**BEST, "lr": 48e-3, "muon_lr": 5e-3})

# The last round: AdamW's rate the same at every width. How fast may prefixes and aggregation learn there?
LAST = {"batch": 8, "lr": 0.04, "muon_lr": 1e-2, "lr_power": 0.0}
MIDDLE = {"size": "64x3", "tokens": 1_000_000}
middle = trial("middle", **MIDDLE, **LAST)
middle_tenth = trial("middle_tenth", **MIDDLE, **LAST, extras_lr=0.1)
