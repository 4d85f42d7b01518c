"""Plots of a fit: figures of the runs and of the law, loaded only when asked for."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import scaling


@pytest.mark.slow
def test_plots_are_figures(pile, pile_fit, kyo, ranking, report):
    from matplotlib.figure import Figure

    figure = pile_fit.plot()
    assert isinstance(figure, Figure)
    top, below = figure.axes
    drawn = np.concatenate([line.get_ydata() for line in top.lines[::2]])
    assert sorted(drawn) == sorted(pile_fit.loss)
    assert sorted(np.concatenate([line.get_ydata() for line in below.lines[:4]])) == sorted(
        pile_fit.residuals
    )
    line = top.lines[1]
    assert line.get_ydata() == pytest.approx(pile_fit.law.predict(line.get_xdata(), 1))
    assert [len(pile_fit.plot_residuals().axes), len(scaling.fit("chinchilla", kyo).plot().axes)] == [3, 2]
    assert isinstance(scaling.fit("dense", pile[pile["P"] == 1]).plot(), Figure)
    bars = [bar.get_width() for bar in ranking.plot().axes[0].patches]
    assert bars == pytest.approx(list(ranking.table["delta_aicc"]))
    assert sorted(report.plot().axes[1].lines[0].get_ydata()) == sorted(
        report.points.loc[report.points["up_to"] == report.points["up_to"].min(), "error"]
    )
    picture, shown = figure._repr_png_()
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20]) == 2 * shown["width"]


ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_matplotlib_is_loaded_by_a_plot_alone():
    code = (
        "import sys, scaling; fit = scaling.fit('parallel', scaling.published('losses'));"
        "print('matplotlib' in sys.modules, end=' '); fit.plot(); print('matplotlib' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "True"]
