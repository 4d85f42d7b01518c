"""One model under four learning-rate schedules, its validation loss measured 20 times a run: data for whole curves.

    parscale sweep results/grids/schedules.py --out results/sweeps/schedules

The laptop grid's rule at 32x2, P = 1, on `stdlib`: 1.5M tokens (732 steps). A run's corpus, size and seed are
those of its neighbours; only the schedule differs. `flat` is wsd that never decays.
"""

from dataclasses import replace

from sweeps.config.run import RunConfig
from sweeps.grids.axes import Axes
from sweeps.grids.grids import LAPTOP, Grid

SCHEDULES = {
    "flat": {"schedule": "wsd", "decay_share": 0.0},
    "cosine": {"schedule": "cosine"},
    "linear": {"schedule": "linear"},
    "wsd": {"schedule": "wsd", "decay_share": 0.2},
}


def runs(axes: Axes) -> list[RunConfig]:
    """The four schedules at every size and seed."""
    tokens = replace(axes, tokens=axes.tokens or 1_500_000)
    return [
        replace(
            LAPTOP.run("schedules", size, 1, corpus, seed, tokens),
            evaluations=20,
            eval_tokens=200_000,
            log_points=200,
            final_lr=0.1,
            **changes,
        )
        for corpus in axes.corpora or ("stdlib",)
        for seed in axes.seeds or (0,)
        for size in axes.sizes or ("32x2",)
        for changes in SCHEDULES.values()
    ]


grid = Grid("schedules", f"{LAPTOP.describe()}; four schedules to 0.1 of the peak, 20 evaluations", runs)
