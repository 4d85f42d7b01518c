"""Controls of the laptop grid: what of the streams' gain is the prefix's, and what the aggregation's.

    parscale sweep results/grids/controls.py:prefix_alone --seeds 0 --out results/sweeps/laptop-prefix-alone
    parscale sweep results/grids/controls.py:apart --recipe peft --base CHECKPOINT
    parscale sweep results/grids/controls.py:slow --corpora text --out results/sweeps/laptop-text-slow

P > 1 has two things that P = 1 lacks besides its streams: prefix tokens, which attention may rest on where
nothing else fits, and a small network after the last layer. `prefix_alone` gives P = 1 the prefix;
`even` gives P > 1 equal weights in place of the network's. `apart` draws prefixes of std 1, not .02: streams
grown onto a trained backbone begin as different as tokens are. `slow` lets prefixes and aggregation learn at
a tenth of the grid's rate: the aggregation of 8 streams adds up four times as many numbers as that of 2.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sweeps.config.run import RunConfig
from sweeps.grids.axes import Axes
from sweeps.grids.grids import Grid, find

LAPTOP = find("laptop")


def changed(name: str, P: tuple[int, ...], extras_lr: float = 0.3, **model: Any) -> Grid:
    """The laptop grid at these P, fields of the model or the rate of prefixes and aggregation changed."""
    told = {**model, **({} if extras_lr == 0.3 else {"extras_lr": extras_lr})}

    def make(axes: Axes) -> list[RunConfig]:
        runs = LAPTOP(replace(axes, streams=axes.streams or P))
        runs = [replace(run, sweep=name, extras_lr=extras_lr) for run in runs]
        return [replace(run, model=replace(run.model, **model)) for run in runs]

    return Grid(name, f"{LAPTOP.rule}; {', '.join(f'{k}={v}' for k, v in told.items())}", make)


prefix_alone: Callable[..., Any] = changed("prefix-alone", (1,), prefix_at_one=True)
apart: Callable[..., Any] = changed("apart", (2, 4, 8), prefix_std=1.0)
even: Callable[..., Any] = changed("even", (2, 4), smoothing=1.0)
slow: Callable[..., Any] = changed("slow", (4, 8), extras_lr=0.03)
