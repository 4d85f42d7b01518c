"""Figures of a fit: what their artists hold, and that nothing to draw is said, not raised."""

import re

import numpy as np
import pandas as pd
import pytest

from analysis import figures
from analysis.sweep.figure_tables import _profile_grid
from tests.analysis.artists import text


def test_residuals_show_every_cell(stack):
    table = stack.assign(residual=np.linspace(-0.004, 0.006, len(stack)))
    axes, _bar = figures.residuals(table).axes
    assert len(axes.texts) == 24
    assert axes.texts[0].get_text() == "\N{MINUS SIGN}4.0"
    assert [t.get_text() for t in axes.get_yticklabels()] == ["1", "2", "4", "8"]
    assert text(figures.residuals(table.iloc[:0].drop(columns="corpus")).axes[0])


def test_intervals_stand_on_one_scale_with_their_numbers(recwarn):
    rows = [
        ("k", "stack", 0.4, 0.3, 0.46, 0.41),
        ("E", "stack", 0.0, 0.0, np.inf, 0.3),
        ("k", "pile", 0.3, 0.27, np.inf, 0.3),
    ]
    table = pd.DataFrame(rows, columns=["parameter", "label", "estimate", "lower", "upper", "printed"])
    (axes,) = figures.intervals(table).axes
    lines = [
        line.get_xdata() for line in axes.lines if list(line.get_ydata()) == list(line.get_ydata()[::-1])
    ]
    assert any(np.allclose(x, [-25, 15]) for x in lines if len(x) == 2)
    assert axes.get_xlim() == pytest.approx((-115, 115))  # an open end is an arrow at the edge
    assert [line.get_marker() for line in axes.lines].count(">") == 1
    assert [t.get_text() for t in axes.get_yticklabels()] == ["$k$  stack", "$k$  pile", "$E$  stack"]
    assert [t.get_text().split(", ")[0] for t in axes.texts] == [
        "0.4000 (0.3000 to 0.4600)",
        "0.3000 (0.2700 to ∞)",
        "0.0000 (0.0000 to ∞)",
    ]
    assert not [w for w in recwarn if "identical" in str(w.message)]
    assert text(figures.intervals(table.iloc[:0]).axes[0])
    grid = _profile_grid(table.loc[1, ["estimate", "lower", "upper"]], 5, 0.0)
    assert np.all(np.diff(grid) > 0)
    assert 0.0 in grid


def test_profiles_draw_each_coefficient_and_threshold():
    rows = [("pile", p, v, (v - 1) ** 2) for p in ("E", "k") for v in (0.8, 1.0, 1.2)]
    table = pd.DataFrame(rows, columns=["corpus", "parameter", "value", "rise"])
    panels = figures.profiles(table, {"95%": 4.35}).axes
    assert [axes.get_xlabel() for axes in panels] == ["$E$", "$k$"]
    assert panels[0].lines[1].get_ydata() == pytest.approx([4.35, 4.35])
    (line,) = panels[0].figure.legends[0].get_texts()
    assert "95%" in line.get_text()


def test_backtest_writes_the_bias_of_what_was_held_out():
    table = pd.DataFrame(
        {"split": "N > 1e6", "N": [1e5, 1e6, 2e6, 3e6], "P": 1, "loss": [3.0, 2.8, 2.7, 2.6]}
    ).assign(error=[0, -0.001, 0.01, 0.02], held_out=[False, False, True, True], corpus="c")
    (axes,) = figures.draw_backtest(table).axes
    np.testing.assert_allclose(axes.lines[1].get_ydata(), [10, 20])
    assert re.search(r"c.*\+15\.0", text(axes))
    assert text(figures.draw_backtest(table.iloc[:0]).axes[0])
