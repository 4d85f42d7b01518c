"""The figure of a search: runs, curves, minima with intervals, and what has no loss on the upper edge."""

import numpy as np
import pandas as pd
import pytest

from analysis.figures import loss_against_setting
from scaling.allocation.searched_minimum import searched_minima


def runs():
    rows = [
        {
            "size": size,
            "P": P,
            "D": 1e6,
            "lr": 0.01 * 2.0**i,
            "loss": 3 + 0.1 * (i - 0.3 * P) ** 2 + 0.001 * (-1) ** i,
        }
        for size in ("32x1", "64x1")
        for P in (1, 2)
        for i in range(-2, 3)
    ]
    table = pd.DataFrame(rows).assign(status="ok", searched="lr")
    ended = [
        {**table.iloc[0], "lr": 0.64, "loss": np.nan, "status": state} for state in ("diverged", "stopped")
    ]
    return pd.concat([table, pd.DataFrame(ended)], ignore_index=True)


def test_a_panel_a_size_with_a_minimum_a_P():
    table = runs()
    minima = searched_minima(table)
    first, second = loss_against_setting(table, minima, "lr").axes
    assert (first.get_title(), second.get_title()) == ("32x1", "64x1")
    diamonds = [float(line.get_xdata()[0]) for line in first.lines if line.get_marker() == "D"]
    assert diamonds == minima["estimate"][:2].tolist()
    labels = {str(line.get_label()) for line in first.lines}
    assert {"diverged", "stopped early"} <= labels
    assert "diverged" not in {str(line.get_label()) for line in second.lines}
    empty = loss_against_setting(table, minima[:0], "lr")
    assert len(empty.axes[0].texts) == 1


def test_a_value_above_a_guess_is_drawn_hollow_and_the_curve_leaves_it_out():
    table = runs().assign(vocab=512)
    last = (table["size"] == "32x1") & (table["P"] == 2) & (table["lr"] == 0.04)
    table = table.assign(loss=table["loss"].where(~last, 8.0))
    first, second = loss_against_setting(table, searched_minima(table), "lr").axes
    hollow = [
        line for line in first.lines if line.get_marker() == "o" and line.get_markerfacecolor() == "none"
    ]
    assert [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in hollow] == [([0.04], [8.0])]
    assert not [line for line in second.lines if line.get_markerfacecolor() == "none"]
    curves = [line.get_xdata() for line in first.lines if len(line.get_xdata()) == 60]
    assert [curve.max() for curve in curves] == pytest.approx([0.04, 0.02])
