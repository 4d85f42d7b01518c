"""The recipe search: one change of the training rule at a time, paired by seed.

    parscale sweep results/grids/recipe.py:b8 --out results/sweeps/recipe/b8 [--sizes 64x4] [--tokens 10M]

Every trial trains one size at P in {1, 4} on `code`, compiled, linear decay to zero, with half a million
held-out tokens. First round, batch 32 and 16: 32x4, 3M tokens. Then 32x2, 2M tokens.
"""

from dataclasses import replace
from typing import Any

from sweeps.axes import Axes
from sweeps.config import RunConfig
from sweeps.grids import LAPTOP, Grid, product
from sweeps.rules import SmallRule

SETTINGS = {"compile": True, "evaluations": 3, "eval_tokens": 500_000, "schedule": "linear", "final_lr": 0.0}
BASE = replace(LAPTOP, settings=tuple(SETTINGS.items()))


def trial(
    name: str,
    settings: dict[str, Any] | None = None,
    size: str = "32x2",
    tokens: int = 2_000_000,
    seeds: int = 2,
    **rule: Any,
) -> Grid:
    """The base rule with `rule`'s fields and `settings` of the run changed."""
    changed: SmallRule = replace(BASE, settings=tuple({**SETTINGS, **(settings or {})}.items()), **rule)
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

# Third round: beside rates_double.
DOUBLE = {"batch": 8, "lr": 6e-3, "muon_lr": 2e-2}
rates_quad = trial("rates_quad", **{**DOUBLE, "lr": 12e-3, "muon_lr": 4e-2})
muon_quad = trial("muon_quad", **{**DOUBLE, "muon_lr": 4e-2})
adam_quad = trial("adam_quad", **{**DOUBLE, "lr": 12e-3})
apart = trial("apart", **DOUBLE, prefix_std=1.0)
apart_third = trial("apart_third", **DOUBLE, prefix_std=0.3)
apart_equal = trial("apart_equal", **DOUBLE, prefix_std=1.0, extras_lr=1.0)
apart16 = trial("apart16", **DOUBLE, prefix_std=1.0, prefix_tokens=16)
cosine = trial("cosine", {"schedule": "cosine", "final_lr": 0.1}, **DOUBLE)
warmup20 = trial("warmup20", {"warmup": 0.2}, **DOUBLE)
