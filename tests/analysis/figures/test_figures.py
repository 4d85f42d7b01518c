"""The other figures: what their artists hold, what they say, and that nothing to draw is said, not raised."""

import numpy as np
import pandas as pd
import pytest

import scaling
from analysis import figures
from analysis.costs.cost_ratios import ratio, ratio_grid
from analysis.costs.cost_table import cost_table
from analysis.figures.panel_parts import law_text
from analysis.sweep.figure_tables import _profile_grid
from scaling.data.groups import backbones
from scaling.laws import AdditiveLaw, ParallelLaw


def text(axes):
    return "\n".join(t.get_text() for t in axes.texts)


@pytest.fixture(scope="module")
def costs(stack, architectures):
    return cost_table(stack, architectures)


def test_fig1_law_saves_45_percent(stack, printed_laws):
    (axes,) = figures.fig1_law(stack, printed_laws["stack-v2-python"]).axes
    assert "\N{MINUS SIGN}45% parameters" in text(axes)
    arrow = next(t for t in axes.texts if t.get_text() == "")
    assert arrow.xy[0] / 4353203200 == pytest.approx(1 / (1 + 0.3935 * np.log(8)))
    assert len(axes.lines) == 4
    (axes,) = figures.fig1_law(stack[stack["P"] == 1], printed_laws["pile"]).axes
    assert "needs runs at P = 1 and P = 8; there are [1]" in text(axes)


def test_fig1_cost_writes_the_ratios_and_increases(costs, stack, architectures):
    memory, latency = figures.fig1_cost(costs[costs["batch"] == 1], ratio(stack, architectures)).axes
    assert "22.5 times less increase in memory" in text(memory)
    assert "6.4 times less increase in latency" in text(latency)
    assert "+3.3 GiB" in text(memory)
    assert "+0.15 GiB" in text(memory)
    assert len(memory.lines[0].get_xdata()) == 6
    assert len(memory.lines[1].get_xdata()) == 4
    assert memory.get_xlabel() == "inference memory (GiB)"


def test_fig3_contours_are_the_laws(losses, printed_laws):
    figure = figures.fig3(losses, printed_laws)
    panel = figure.axes[0]
    law = printed_laws["stack-v2-python"]
    contours = next(c for c in panel.collections if hasattr(c, "levels"))
    checked = 0
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        for N, P in path.vertices:
            assert law.predict(N=N, P=P) == pytest.approx(level, abs=3e-4)
            checked += 1
    assert checked > 100
    points = panel.collections[-1]
    np.testing.assert_array_equal(points.get_array(), losses[losses["corpus"] == law_name(0)]["loss"])
    one_size = losses[losses["size"] == "0.5B"]
    assert "contours need" in text(figures.fig3(one_size, printed_laws).axes[0])


def law_name(i):
    return ("stack-v2-python", "pile")[i]


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


def test_a_size_without_a_shape_is_refused(stack, architectures):
    with pytest.raises(ValueError, match=r"size '0\.5B' has no row in the architectures"):
        cost_table(stack, architectures[1:])


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
    (axes,) = figures.backtest(table).axes
    np.testing.assert_allclose(axes.lines[1].get_ydata(), [10, 20])
    assert "c: mean error +15.0" in text(axes)
    assert "too few runs" in text(figures.backtest(table.iloc[:0]).axes[0])


def test_a_table_without_corpora_has_labels_without_gaps():
    table = pd.DataFrame({"split": "N > 1e6", "N": [1e5, 2e6], "P": 1, "loss": [3.0, 2.7], "corpus": ""})
    figure = figures.backtest(table.assign(error=[0, 0.01], held_out=[False, True]))
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["fitted", "predicted"]
    assert text(figure.axes[0]) == "mean error +10.0"
    worth = {"N": 1e6, "P": [1, 2], "multiple": [1, 1.2], "lower": np.nan, "upper": np.nan, "in_data": True}
    points = pd.DataFrame({"P": [2], "multiple": [1.1]})
    (axes,) = figures.equivalent_parameters({"": pd.DataFrame(worth)}, {"": points}).axes
    names = [t.get_text() for t in axes.get_legend().get_texts()]
    assert names == ["law at $N$ = 1M", "read off the points"]


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


def test_ratio_map_frames_where_it_does_not_pay(stack, architectures):
    grid = ratio_grid(stack, architectures, streams=(8,), batches=(1, 8), lengths=(64, 512))
    axes, _bar = figures.ratio_map(grid).axes
    assert [t.get_text() for t in axes.texts] == ["8.2", "1.0", "5.5", "0.77"]
    assert len(axes.lines) == 1


def test_ensemble_and_measured_and_frontier():
    table = pd.DataFrame({"size": "s", "P": 4, "m": [1, 2, 3, 4], "gain": [0, 0.011, 0.0135, 0.0149]})
    table = table.assign(gain_se=0.001, line=0.02 * (1 - 1 / table["m"]), rho=0.96)
    (axes,) = figures.ensemble(table).axes
    np.testing.assert_allclose(axes.lines[0].get_ydata()[[0, -1]], [0, 15], atol=1e-12)
    np.testing.assert_allclose(axes.lines[1].get_ydata().astype(float), [0, 11, 13.5, 14.9])
    assert "= 0.04" in text(axes)
    assert "no ensemble" in text(figures.ensemble(table.iloc[:0]).axes[0])
    cost = pd.DataFrame({"P": [1, 2], "latency_s": [0.2, 0.4], "predicted_latency_s": [0.22, 0.3]})
    cost = cost.assign(memory_bytes=np.nan, predicted_memory_bytes=1e9)
    latency, memory = figures.measured(cost).axes
    assert latency.get_title() == "median error 18%, largest 25%"
    assert "memory was not measured" in text(memory)
    runs = pd.DataFrame({"N": [1e9, 2e9], "P": [1, 1], "loss": [1.2, 1.1], "latency_s": [0.3, 0.5]})
    runs = runs.assign(loss_lower=1.0, loss_upper=1.3, memory_gib=2.5, meets=True, chosen=[False, True])
    (axes,) = figures.frontier(runs, budget={"loss": 1.15}).axes
    assert "$N$ = 2B, $P = 1$\n2.50 GiB" in text(axes)


def test_training_curves_say_when_each_stream_count_passes_one():
    tokens = np.arange(1, 11) * 1e6
    frames = [
        pd.DataFrame({"P": P, "tokens": tokens, "train_loss": loss, "recipe": "two-stage"})
        for P, loss in ((1, np.full(10, 2.0)), (2, np.where(tokens < 4.5e6, 2.5, 1.9)), (4, np.full(10, 2.2)))
    ]
    (axes,) = figures.training_curves(pd.concat(frames)).axes
    assert axes.get_title() == "two-stage"
    assert "$P = 2$: from 5M tokens" in text(axes)
    assert "$P = 4$: not within the run" in text(axes)
    assert axes.get_xlabel() == "training tokens"
    empty = frames[0].assign(train_loss=np.nan)
    assert "no training loss was logged" in text(figures.training_curves(empty).axes[0])


def test_against_streams_writes_both_ends():
    table = pd.DataFrame({"P": [1, 8], "score": [47.4, 53.0]})
    (axes,) = figures.against_streams(table, {"score": "pass@1"}, label="code average (%)").axes
    assert text(axes) == "47.4\n53"
    assert axes.get_ylabel() == "code average (%)"
    bars = table.assign(score=table["score"] / 10, half=0.25)
    given = {"errors": {"score": "half"}, "form": ".3f", "remark": "bars: 95%"}
    (axes,) = figures.against_streams(bars, {"score": "pass@1"}, label="x", **given).axes
    assert text(axes) == "4.740\n5.300\nbars: 95%"
    assert axes.collections[0].get_segments()[1][:, 1] == pytest.approx([5.05, 5.55])


def test_a_law_of_any_form_is_written_out():
    assert "AdditiveLaw" in law_text(AdditiveLaw(E=0.7, A=30.0, alpha=0.21, C=0.12, beta=0.45))
    assert r"\infty" in law_text(ParallelLaw(E=0.7, A=np.inf, alpha=0.2, k=0.3))


def test_a_fit_and_its_residuals_are_drawn_run_by_run(stack):
    fit = scaling.fit(ParallelLaw, stack)
    (axes,) = figures.plot_fit(fit).axes
    marked = [line for line in axes.lines if line.get_marker() not in ("None", "")]
    assert [len(line.get_xdata()) for line in marked] == [6, 6, 6, 6]
    assert "R^2 = 0.9978" in text(axes)
    figure = figures.plot_residuals(fit)
    drawn = np.concatenate([line.get_ydata() for line in figure.axes[0].lines if len(line.get_xdata()) == 6])
    np.testing.assert_allclose(np.sort(drawn), np.sort(1e3 * fit.residuals))
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [f"$P = {P}$" for P in (1, 2, 4, 8)]


def test_a_fit_of_a_law_without_streams_has_no_legend_and_one_of_D_is_observed_against_fitted(stack):
    dense = scaling.fit(scaling.DenseLaw, stack)
    assert figures.plot_fit(dense).legends == figures.plot_residuals(dense).legends == []
    runs = {"N": np.tile([1e7, 3e7, 1.1e8, 9e8], 3), "D": np.repeat([1e9, 3e9, 9e9], 4)}
    law = scaling.ChinchillaLaw(1.7, 410.0, 390.0, 0.33, 0.27)
    fit = scaling.fit(scaling.ChinchillaLaw, runs | {"loss": law.predict(**runs)})
    (axes,) = figures.plot_fit(fit).axes
    np.testing.assert_array_equal(axes.lines[1].get_xdata(), fit.predicted)
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), fit.loss)
    assert axes.get_xlabel() == "fitted loss (nats per token)"
