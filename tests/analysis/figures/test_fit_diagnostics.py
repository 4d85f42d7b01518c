"""Figures of a fit: what their artists hold, and that nothing to draw is said, not raised."""

import numpy as np
import pandas as pd
import pytest

import scaling
from analysis import figures
from analysis.sweep.figure_tables import _profile_grid
from scaling.data.groups import backbones
from scaling.laws import AdditiveLaw, ParallelLaw
from tests.analysis.artists import text


def test_residuals_show_every_cell(stack):
    table = stack.assign(residual=np.linspace(-0.004, 0.006, len(stack)))
    axes, _bar = figures.residuals(table).axes
    assert len(axes.texts) == 24
    assert axes.texts[0].get_text() == "\N{MINUS SIGN}4.0"
    assert [t.get_text() for t in axes.get_yticklabels()] == ["1", "2", "4", "8"]
    assert "no residual" in text(figures.residuals(table.iloc[:0].drop(columns="corpus")).axes[0])


def test_intervals_are_percent_of_the_estimate():
    table = pd.DataFrame(
        [("k", "stack", 0.4, 0.3, 0.46, 0.41), ("k", "pile", 0.3, 0.2, np.inf, 0.3)],
        columns=["parameter", "label", "estimate", "lower", "upper", "printed"],
    )
    (axes,) = figures.intervals(table).axes
    segments = axes.collections[0].get_segments()
    np.testing.assert_allclose(segments[0][:, 0], [-25, 15])
    assert segments[1][1, 0] > axes.get_xlim()[1]  # an open end leaves the panel
    np.testing.assert_allclose(axes.lines[-1].get_xdata(), [2.5, 0])
    assert "0.4000" in text(axes)
    assert axes.get_title() == "$k$"
    assert "no fit has intervals" in text(figures.intervals(table.iloc[:0]).axes[0])


def test_an_interval_at_a_bound_goes_to_one_side_in_its_own_units():
    rows = [("k", "a", 0.0, 0.0, 0.05), ("k", "b", 0.3, 0.2, 0.4), ("A", "a", 2.0, 1.0, 400.0)]
    table = pd.DataFrame(rows, columns=["parameter", "label", "estimate", "lower", "upper"])
    k, A = figures.intervals(table).axes
    np.testing.assert_allclose(k.collections[0].get_segments()[0][:, 0], [0, 0.05])
    assert (k.get_xlabel(), A.get_xlabel()) == ("own units", "times the estimate")
    assert k.get_xlim()[0] > -0.05
    assert "0, at its bound" in text(k)
    np.testing.assert_allclose(A.collections[0].get_segments()[0][:, 0], [0.5, 200])


def test_an_interval_at_zero_and_open_leaves_its_panel_and_has_a_profile(recwarn):
    table = pd.DataFrame({"parameter": ["E"], "label": "a", "estimate": 0.0, "lower": 0.0, "upper": np.inf})
    (axes,) = figures.intervals(table).axes
    assert axes.collections[0].get_segments()[0][1, 0] > axes.get_xlim()[1] > 0
    assert not [w for w in recwarn if "identical" in str(w.message)]
    grid = _profile_grid(table.loc[0, ["estimate", "lower", "upper"]], 5, 0.0)
    assert np.all(np.diff(grid) > 0.1)


def test_profiles_draw_each_coefficient_and_threshold():
    rows = [("pile", p, v, (v - 1) ** 2) for p in ("E", "k") for v in (0.8, 1.0, 1.2)]
    table = pd.DataFrame(rows, columns=["corpus", "parameter", "value", "rise"])
    panels = figures.profiles(table, {"95%": 4.35}).axes
    assert [axes.get_xlabel() for axes in panels] == ["$E$", "$k$"]
    assert panels[0].lines[1].get_ydata() == pytest.approx([4.35, 4.35])
    assert text(panels[0]) == "95%"


def test_backtest_writes_the_bias_of_what_was_held_out():
    table = pd.DataFrame(
        {"split": "N > 1e6", "N": [1e5, 1e6, 2e6, 3e6], "P": 1, "loss": [3.0, 2.8, 2.7, 2.6]}
    ).assign(error=[0, -0.001, 0.01, 0.02], held_out=[False, False, True, True], corpus="c")
    (axes,) = figures.draw_backtest(table).axes
    np.testing.assert_allclose(axes.lines[1].get_ydata(), [10, 20])
    assert "c: mean error +15.0" in text(axes)
    assert "too few runs" in text(figures.draw_backtest(table.iloc[:0]).axes[0])


def test_rivals_show_the_interval_that_predict_gives(stack):
    fit = scaling.fit(scaling.ParallelLaw, stack)
    (axes,) = figures.rivals(stack, {"log": fit.law}, sizes=[535813376], band=fit.predict).axes
    P, loss = axes.collections[0].get_paths()[0].vertices.T
    assert P.max() == pytest.approx(64)
    N = axes.lines[0].get_ydata()[-1]  # the law's loss there tells N, streams' own parameters included
    far = fit.predict(N=fit.law.inverse(N, P=64), P=64)
    assert [loss[P.max() == P].min(), loss[P.max() == P].max()] == pytest.approx(
        [far.new_lower[0], far.new_upper[0]]
    )


def test_rivals_write_how_far_they_part(stack, printed_laws):
    rival = AdditiveLaw(E=0.7, A=30.0, alpha=0.21, C=0.12, beta=0.45)
    laws = {"log": printed_laws["stack-v2-python"], "additive": rival}
    (axes,) = figures.rivals(stack, laws, sizes=[535813376], up_to=32).axes
    grown = 538195842 + 30 * (545340552 - 538195842) / 6  # every stream adds the same
    apart = abs(np.diff([law.predict(N=grown, P=32) for law in laws.values()])[0])
    assert f"{apart:.3f} nats" in text(axes)
    assert len(axes.lines[2].get_xdata()) == 4
    assert axes.get_title() == "$N$ = 536M"
    assert "no law that these runs determine" in text(figures.rivals(stack, {}, sizes=[1e9]).axes[0])


def test_small_models_keep_their_streams_without_a_column_size(printed_laws):
    rows = [(N * (1 + 0.05 * P * (P > 1)), P) for N in (24_864, 49_696) for P in (1, 2, 4, 8)]
    runs = pd.DataFrame(rows, columns=["N", "P"]).assign(loss=4.0)
    assert backbones(runs) == [24_864, 49_696]
    panels = figures.rivals(runs, {"log": printed_laws["pile"]}, sizes=[24_864, 49_696]).axes
    assert [len(axes.lines[1].get_xdata()) for axes in panels] == [4, 4]


def test_a_fit_and_its_residuals_are_drawn_run_by_run(stack):
    fit = scaling.fit(ParallelLaw, stack)
    (axes,) = figures.plot_fit(fit).axes
    marked = [line for line in axes.lines if line.get_marker() not in ("None", "")]
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
    assert axes.get_xlabel() == "fitted loss (nats per token)"
