"""The figure of the k that each pair of runs asks for."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import colors

import scaling
from analysis import figures
from analysis.sweep import figure_tables
from scaling.selection.paired_gains import gains

LAW = scaling.ParallelLaw(E=1.5, A=2e5, alpha=0.3, k=0.4)


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    """Four sizes, P in {1, 2, 4}, as Eq 5 has them."""
    rows = [(f"{w}x2", 20.0 * w**2, P, 0, "ok") for w in (32, 64, 96, 128) for P in (1, 2, 4)]
    table = pd.DataFrame(rows, columns=["size", "N", "P", "seed", "status"])
    return table.assign(loss=LAW.predict(N=table["N"], P=table["P"]))


def test_where_the_law_holds_every_line_lies_on_the_fitted_one(runs) -> None:
    fit = scaling.fit(scaling.ParallelLaw, runs, scaling.LeastSquares())
    axes = figures.pair_k(gains(runs), figure_tables.fitted_k({"": fit})).axes[0]
    drawn = [line for line in axes.lines if len(line.get_xdata()) == 4]
    assert len(drawn) == 2
    for line in drawn:
        assert np.asarray(line.get_ydata(), float) == pytest.approx(0.4, rel=0.01)
    level = next(line for line in axes.lines if "fitted" in str(line.get_label()))
    assert level.get_ydata()[0] == pytest.approx(0.4, rel=0.01)


def test_a_fit_at_a_bound_says_so_beside_its_k(runs) -> None:
    found = figure_tables.fitted_k(
        {"": scaling.fit(scaling.ParallelLaw, runs.assign(loss=2 + 1e3 / runs["N"]))}
    )
    (label,) = (
        text.get_text()
        for text in figures.pair_k(gains(runs), found).legends[0].get_texts()
        if "fitted" in text.get_text()
    )
    assert label == "fitted to all runs, 95% (k at a bound)"


def test_what_lies_beyond_the_runs_of_one_stream_is_open(runs) -> None:
    axes = figures.pair_k(gains(runs), {}).axes[0]
    bare = [line for line in axes.lines if colors.same_color(line.get_markerfacecolor(), "white")]
    assert [np.asarray(line.get_xdata(), float).tolist() for line in bare] == [[20.0 * 128**2]] * 2


def test_too_few_sizes_are_said(runs) -> None:
    figure = figures.pair_k(gains(runs[runs["size"] == "32x2"]), {})
    assert "too few sizes" in figure.axes[0].texts[0].get_text()
