"""Figures of costs: ratios, measured against predicted, candidates."""

import numpy as np
import pandas as pd

from analysis import figures
from analysis.costs.cost_ratios import ratio_grid
from tests.analysis.artists import text


def test_ratio_map_frames_where_it_does_not_pay(stack, architectures):
    grid = ratio_grid(stack, architectures, streams=(8,), batches=(1, 8), lengths=(64, 512))
    axes, _bar = figures.ratio_map(grid).axes
    assert [t.get_text() for t in axes.texts] == ["8.2", "1.0", "5.5", "0.77"]
    assert len(axes.lines) == 1


def test_measured_errors_and_the_chosen_point_are_written():
    cost = pd.DataFrame({"P": [1, 2], "latency_s": [0.2, 0.4], "predicted_latency_s": [0.22, 0.3]})
    cost = cost.assign(memory_bytes=np.nan, predicted_memory_bytes=1e9)
    latency, memory = figures.measured(cost).axes
    assert latency.get_title() == "median error 18%, largest 25%"
    assert "memory was not measured" in text(memory)
    runs = pd.DataFrame({"N": [1e9, 2e9], "P": [1, 1], "loss": [1.2, 1.1], "latency_s": [0.3, 0.5]})
    runs = runs.assign(loss_lower=1.0, loss_upper=1.3, memory_gib=2.5, meets=True, chosen=[False, True])
    (axes,) = figures.draw_frontier(runs, budget={"loss": 1.15}).axes
    assert "$N$ = 2B, $P = 1$\n2.50 GiB" in text(axes)
