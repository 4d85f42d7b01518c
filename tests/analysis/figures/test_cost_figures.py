"""Figures of costs: ratios, measured against predicted, candidates."""

import re

import numpy as np
import pandas as pd
import pytest

from analysis import figures
from analysis.costs.cost_ratios import cost_ratio, ratio_grid
from analysis.costs.cost_table import cost_table
from tests.analysis.artists import text


@pytest.fixture(scope="module")
def costs(stack, architectures):
    return cost_table(stack, architectures)


def test_fig1_cost_writes_the_ratios_and_increases(costs, stack, architectures):
    memory, latency = figures.fig1_cost(costs[costs["batch"] == 1], cost_ratio(stack, architectures)).axes
    assert "22.5" in text(memory)
    assert "6.4 times" in text(latency)
    assert "+3.3 GiB" in text(memory)
    assert "+0.15 GiB" in text(memory)
    assert len(memory.lines[0].get_xdata()) == 6
    assert len(memory.lines[1].get_xdata()) == 4
    assert memory.get_xlabel() == "inference memory (GiB)"


def test_fig4_has_eight_panels_of_every_model(costs):
    figure = figures.fig4(costs)
    assert len(figure.axes) == 8
    assert [axes.get_title() for axes in figure.axes[:4]] == [f"batch {b}" for b in (1, 2, 4, 8)]
    for i, axes in enumerate(figure.axes):
        dense = costs[(costs["P"] == 1) & (costs["batch"] == (1, 2, 4, 8)[i % 4])]
        column = "memory_gib" if i < 4 else "latency_s"
        np.testing.assert_allclose(axes.lines[0].get_xdata(), dense[column])
        marked = sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() not in ("None", ""))
        assert marked == 6 + 3 * 3  # the one-stream line and three sizes' streams
    assert "parallel\nscaling" in text(figure.axes[0])
    assert figure.axes[4].get_xlabel() == "latency (s)"


def test_ratio_map_frames_where_it_does_not_pay(stack, architectures):
    grid = ratio_grid(stack, architectures, streams=(8,), batches=(1, 8), lengths=(64, 512))
    axes, _bar = figures.ratio_map(grid).axes
    assert [t.get_text() for t in axes.texts] == ["8.2", "1.0", "5.5", "0.77"]
    assert len(axes.lines) == 1


def test_measured_errors_and_the_chosen_point_are_written():
    cost = pd.DataFrame({"P": [1, 2], "latency_s": [0.2, 0.4], "predicted_latency_s": [0.22, 0.3]})
    cost = cost.assign(memory_bytes=np.nan, predicted_memory_bytes=1e9)
    latency, memory = figures.measured(cost).axes
    assert re.search("18%.*25%", latency.get_title())
    assert text(memory)
    runs = pd.DataFrame({"N": [1e9, 2e9], "P": [1, 1], "loss": [1.2, 1.1], "latency_s": [0.3, 0.5]})
    runs = runs.assign(loss_lower=1.0, loss_upper=1.3, memory_gib=2.5, meets=True, chosen=[False, True])
    (axes,) = figures.draw_frontier(runs, budget={"loss": 1.15}).axes
    assert "$N$ = 2B, $P = 1$\n2.50 GiB" in text(axes)
