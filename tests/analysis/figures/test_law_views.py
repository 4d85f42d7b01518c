"""Laws and their runs: curves, rivals, observed against expected, the loss above its floor."""

import re

import numpy as np
import pandas as pd
import pytest

import scaling
from analysis import figures
from analysis.output import figure_style
from scaling.data.groups import backbones
from scaling.laws import AdditiveLaw, ParallelLaw
from tests.analysis.artists import text


@pytest.fixture(scope="module")
def fit(stack):
    return scaling.fit(ParallelLaw, stack)


def test_rivals_show_the_interval_that_predict_gives_at_the_panels_own_size(stack, fit):
    (axes,) = figures.rivals(stack, {"log": fit.law}, sizes=[535813376], band=fit.predict).axes
    ends = [
        c.get_paths()[0].vertices
        for c in axes.collections
        if c.get_paths() and len(c.get_paths()[0].vertices) > 4
    ]
    P = max(band[:, 0].max() for band in ends)
    assert pytest.approx(64) == P
    loss = np.concatenate([band[np.isclose(band[:, 0], P), 1] for band in ends])
    far = fit.predict(N=535813376, P=64)
    assert [loss.min(), loss.max()] == pytest.approx([far.new_lower[0], far.new_upper[0]])
    np.testing.assert_allclose(axes.lines[0].get_ydata()[-1], fit.law.predict(N=535813376, P=64))


def test_rivals_write_how_far_they_part(stack, printed_laws):
    rival = AdditiveLaw(E=0.7, A=30.0, alpha=0.21, C=0.12, beta=0.45)
    laws = {"log": printed_laws["stack-v2-python"], "additive": rival}
    (axes,) = figures.rivals(stack, laws, sizes=[535813376], up_to=32).axes
    apart = abs(np.diff([law.predict(N=535813376, P=32) for law in laws.values()])[0])
    assert f"{apart:.3f} nats" in text(axes)
    assert len(axes.lines[2].get_xdata()) == 4
    assert axes.get_title() == "$N$ = 536M"
    assert [line.get_color() for line in axes.lines[:2]] == [
        figure_style.LAW_LOOKS[name]["color"] for name in ("ParallelLaw", "AdditiveLaw")
    ]
    assert text(figures.rivals(stack, {}, sizes=[1e9]).axes[0])


def test_small_models_keep_their_streams_without_a_column_size(printed_laws):
    rows = [(N * (1 + 0.05 * P * (P > 1)), P) for N in (24_864, 49_696) for P in (1, 2, 4, 8)]
    runs = pd.DataFrame(rows, columns=["N", "P"]).assign(loss=4.0)
    assert backbones(runs) == [24_864, 49_696]
    panels = figures.rivals(runs, {"log": printed_laws["pile"]}, sizes=[24_864, 49_696]).axes
    held, larger = ([len(axes.lines[i].get_xdata()) for axes in panels] for i in (1, 2))
    assert held == [1, 1]  # at P = 2 and more N is over 5% larger: open
    assert larger == [3, 3]
    assert {axes.lines[2].get_markerfacecolor() for axes in panels} == {"white"}


def test_a_fit_and_its_residuals_are_drawn_run_by_run(fit):
    (axes,) = figures.plot_fit(fit).axes
    marked = [line for line in axes.lines if line.get_marker() not in ("None", "")]
    marked = [line for line in marked if len(line.get_xdata())]
    assert [len(line.get_xdata()) for line in marked] == [6, 6, 6, 6]
    assert "R^2 = 0.9978" in text(axes)
    figure = figures.draw_residuals(fit)
    drawn = np.concatenate([line.get_ydata() for line in figure.axes[0].lines if len(line.get_xdata()) == 6])
    np.testing.assert_allclose(np.sort(drawn), np.sort(1e3 * fit.residuals))
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [f"$P = {P}$" for P in (1, 2, 4, 8)]


def test_a_fit_of_a_law_without_streams_has_no_legend_and_one_of_D_is_observed_against_fitted(stack):
    dense = scaling.fit(scaling.DenseLaw, stack)
    assert figures.plot_fit(dense).legends == figures.draw_residuals(dense).legends == []
    runs = {"N": np.tile([1e7, 3e7, 1.1e8, 9e8], 3), "D": np.repeat([1e9, 3e9, 9e9], 4)}
    law = scaling.ChinchillaLaw(1.7, 410.0, 390.0, 0.33, 0.27)
    fit = scaling.fit(scaling.ChinchillaLaw, runs | {"loss": law.predict(**runs)})
    (axes,) = figures.plot_fit(fit).axes
    np.testing.assert_array_equal(axes.lines[1].get_xdata(), fit.predicted)
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), fit.loss)
    assert axes.get_xlabel() == "expected loss (nats per token)"


def test_the_loss_above_its_floor_is_straight_and_what_lies_below_is_counted(losses, printed_laws):
    low = losses.assign(loss=losses["loss"].where(losses["loss"] > 0.98, 0.5))
    stack, pile = figures.excess(low, printed_laws).axes
    for axes, corpus in ((stack, "stack-v2-python"), (pile, "pile")):
        law = printed_laws[corpus]
        curve = next(line for line in axes.lines if line.get_marker() == "None")
        slope = np.diff(np.log(curve.get_ydata())) / np.diff(np.log(curve.get_xdata()))
        np.testing.assert_allclose(slope, -law.alpha, rtol=1e-9)
    assert re.search(r"\b1 .*\$E\$", text(stack))
    assert text(pile) == ""
    marked = next(line for line in pile.lines if line.get_label() == "$P = 1$")
    rows = losses[(losses["corpus"] == "pile") & (losses["P"] == 1)]
    np.testing.assert_allclose(marked.get_ydata(), rows["loss"] - printed_laws["pile"].E)
    assert text(figures.excess(losses, {}).axes[0])
    assert text(figures.observed_expected(losses, {}).axes[0])


def test_observed_losses_stand_against_expected_ones(losses, printed_laws):
    figure = figures.observed_expected(losses, printed_laws)
    rows = losses[(losses["corpus"] == "pile") & (losses["P"] == 4)]
    line = next(line for line in figure.axes[1].lines if line.get_label() == "$P = 4$")
    expected = printed_laws["pile"].predict(N=rows["N"].to_numpy(float), P=4.0)
    np.testing.assert_allclose(line.get_xdata(), expected)
    np.testing.assert_allclose(line.get_ydata(), rows["loss"])
    assert "R^2 = 0.9987" in text(figure.axes[1])
