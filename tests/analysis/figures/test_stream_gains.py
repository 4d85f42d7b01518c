"""Figures of what P > 1 gains, and the equivalent sizes behind one of them."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import colors

import scaling
from analysis import figures
from analysis.figures import equivalent_parameters
from analysis.figures.stream_gains import FittedK
from analysis.sweep import figure_tables
from scaling.selection import gains_by_context
from scaling.selection.equivalent_size import equivalents, equivalents_by_points
from scaling.selection.paired_gains import gains, k_of_pairs, one_stream_fits, pairs
from tests.analysis.artists import text
from tests.scaling.context_runs import made_in_parts
from tests.scaling.paired_runs import made

LAW = scaling.ParallelLaw(E=1.5, A=2e5, alpha=0.3, k=0.4)


def test_equivalents_of_the_paper(printed_laws, stack):
    law = printed_laws["stack-v2-python"]
    table = equivalents(law, N=2.8e9, P=[1, 2, 4, 8], data=stack)
    np.testing.assert_allclose(table["multiple"], 1 + 0.3935 * np.log([1, 2, 4, 8]))
    # 2.8B at P = 4 on Stack: 4.33B at P = 1, 3.4B at P = 2, 2.38B at P = 8.
    for at_P, found in ((1, 4.33), (2, 3.4), (8, 2.38)):
        row = equivalents(law, N=2.8e9, P=[4], at_P=at_P)
        assert row["equivalent_N"].item() / 1e9 == pytest.approx(found, abs=0.005)
    assert table["in_data"].tolist() == [True, True, True, False]
    assert table["lower"].isna().all()


def test_equivalent_figure_marks_where_it_leaves_the_runs(printed_laws, stack):
    law = printed_laws["stack-v2-python"]
    table = equivalents(law, N=1.6e9, P=[1, 2, 4, 8, 16, 64], data=stack)
    points = equivalents_by_points(stack)
    figure = equivalent_parameters({"stack-v2-python": table}, {"stack-v2-python": points})
    (axes,) = figure.axes
    inside, outside = axes.lines[0], axes.lines[1]
    assert inside.get_xdata().max() == 8
    assert outside.get_xdata().tolist() == [8, 16, 64]
    np.testing.assert_allclose(outside.get_ydata(), 1 + 0.3935 * np.log([8, 16, 64]))
    np.testing.assert_allclose(axes.lines[2].get_ydata(), points["multiple"])
    assert outside.get_linestyle() != inside.get_linestyle()
    assert axes.get_xlabel() == "parallel streams $P$"
    (axes,) = equivalent_parameters({}).axes
    assert text(axes)


def test_a_table_without_corpora_has_labels_without_gaps():
    table = pd.DataFrame({"split": "N > 1e6", "N": [1e5, 2e6], "P": 1, "loss": [3.0, 2.7], "corpus": ""})
    figure = figures.draw_backtest(table.assign(error=[0, 0.01], held_out=[False, True]))
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["fitted", "predicted"]
    assert text(figure.axes[0]).endswith("+10.0")
    worth = {"N": 1e6, "P": [1, 2], "multiple": [1, 1.2], "lower": np.nan, "upper": np.nan, "in_data": True}
    points = pd.DataFrame({"P": [2], "multiple": [1.1]})
    worth = figures.equivalent_parameters({"": pd.DataFrame(worth)}, {"": points})
    names = [t.get_text() for t in worth.legends[0].get_texts()]
    assert re.search(r"\$N\$ = 1M\b", names[0])
    assert len(names) == 2


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
    level = next(line for line in axes.lines if "fit of all runs" in str(line.get_label()))
    assert level.get_ydata()[0] == pytest.approx(0.4, rel=0.01)


def test_a_fit_at_a_bound_says_so_beside_its_k(runs) -> None:
    found = figure_tables.fitted_k(
        {"": scaling.fit(scaling.ParallelLaw, runs.assign(loss=2 + 1e3 / runs["N"]))}
    )
    labels = [text.get_text() for text in figures.pair_k(gains(runs), found).legends[0].get_texts()]
    assert len([label for label in labels if re.search(r"\(k .*\)$", label)]) == 1


def test_an_end_that_is_not_drawn_is_not_promised(runs) -> None:
    labels, grounds = [], []
    for upper in (0.6, np.inf):
        axes = figures.pair_k(gains(runs), {"": FittedK(0.4, 0.2, upper)}).axes[0]
        labels.append(next(str(line.get_label()) for line in axes.lines if line.is_dashed()))
        grounds.append(len(axes.patches))
    assert ["upper" in label for label in labels] == [False, True]
    assert grounds == [1, 0]


def test_what_lies_beyond_the_runs_of_one_stream_is_hollow(runs) -> None:
    axes = figures.pair_k(gains(runs), {}).axes[0]
    bare = [line for line in axes.lines if colors.same_color(line.get_markerfacecolor(), "white")]
    in_legend, *drawn = bare
    assert not len(in_legend.get_xdata())
    assert in_legend.get_label().startswith("hollow")
    for line in drawn:  # a little apart, so that the bars do not overlap
        np.testing.assert_allclose(np.asarray(line.get_xdata(), float), [20.0 * 128**2], rtol=0.03)
    assert len(drawn) == 2


def test_too_few_sizes_are_said(runs) -> None:
    figure = figures.pair_k(gains(runs[runs["size"] == "32x2"]), {})
    assert figure.axes[0].texts[0].get_text()


def test_ensemble_holds_the_measured_gains_and_the_propositions_line():
    table = pd.DataFrame({"size": "s", "P": 4, "m": [1, 2, 3, 4], "gain": [0, 0.011, 0.0135, 0.0149]})
    table = table.assign(gain_se=0.001, line=0.02 * (1 - 1 / table["m"]), rho=0.96)
    (axes,) = figures.ensemble(table).axes
    np.testing.assert_allclose(axes.lines[0].get_ydata()[[0, -1]], [0, 15], atol=1e-12)
    np.testing.assert_allclose(axes.lines[1].get_ydata().astype(float), [0, 11, 13.5, 14.9])
    assert re.search(r"\$P\$.* 0\.04", text(axes))
    assert text(figures.ensemble(table.iloc[:0]).axes[0])


def test_bars_of_k_are_those_of_the_table(runs) -> None:
    table = k_of_pairs(runs.assign(loss=runs["loss"] + 0.002 * np.cos(np.arange(len(runs)))))
    (axes,) = figures.pair_k(table, {}).axes
    segments = [s for c in axes.collections for s in c.get_segments()]
    ends = np.sort([(s[0, 1], s[1, 1]) for s in segments], axis=0)
    np.testing.assert_allclose(ends, np.sort(table[["k_low", "k_high"]].to_numpy(), axis=0))


def test_the_papers_band_is_whole_where_changes_are_small() -> None:
    runs = made(seeds=2, noise=1e-4)
    table = gains(runs).table.assign(change=lambda t: t["change"] * 1e-3)
    laws = {corpus: one.law for corpus, one in one_stream_fits(runs).items()}
    for axes in figures.draw_gains(table, laws).axes:
        low, high = axes.get_ylim()
        ends = np.concatenate(
            [p.vertices[:, 1] for c in axes.collections for p in c.get_paths() if len(p.vertices) > 4]
        )
        assert low <= ends.min()
        assert ends.max() <= high


def test_an_interval_of_two_seeds_does_not_set_the_scale() -> None:
    table = gains(made(noise=0.005)).table
    table["low"], table["high"] = table["change"] - 50.0, table["change"] + 50.0
    for axes in figures.draw_gains(table, {}).axes:
        low, high = axes.get_ylim()
        assert low < table["change"].min()
        assert high > table["change"].max()
        assert high - low < 10 * np.abs(table["change"]).max()


def test_the_legend_is_whole_where_a_corpus_lacks_a_p() -> None:
    runs = made(seeds=1)
    both = pd.concat([runs[runs["P"] != 2], runs.assign(corpus="other")])
    laws = {corpus: one.law for corpus, one in one_stream_fits(both).items()}
    labels = [text.get_text() for text in figures.draw_gains(gains(both), laws).legends[0].get_texts()]
    assert set(labels) == {"the paper's $k$, 0.33 to 0.39", "added $N$ alone", "measured"}


def test_each_seed_is_a_dot_beside_the_mean_of_several():
    runs = made(seeds=3, noise=0.01)
    found = pairs(runs)
    assert len(found) == 24  # four sizes, three seeds, P = 2 and 4
    two, _ = figures.draw_gains(gains(runs), {}, pairs=found).axes
    (dots,) = (line for line in two.lines if line.get_label() == "one seed")
    assert sorted(dots.get_ydata()) == pytest.approx(sorted(found[found["P"] == 2]["change"]))
    single = made(seeds=1)
    alone, _ = figures.draw_gains(gains(single), {}, pairs=pairs(single)).axes
    assert not any(line.get_label() == "one seed" for line in alone.lines)


def test_each_seed_is_a_dot_in_its_part_of_the_text() -> None:
    table = made_in_parts(seeds=3, noise=0.01)
    found = gains_by_context.context_pairs(table)
    assert found.groupby("part").size().to_dict() == dict.fromkeys(("new", "repeated", "seen", "start"), 18)
    figure = figures.by_context(gains_by_context.changes(table), found)
    drawn = [y for line in figure.axes[0].lines if line.get_markersize() < 3 for y in line.get_ydata()]
    assert sorted(drawn) == pytest.approx(sorted(found[found["part"] == "repeated"]["change"]))
