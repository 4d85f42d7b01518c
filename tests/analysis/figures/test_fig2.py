"""Figure 2 and the equivalent-parameter figure: what their artists hold and what they say."""

import numpy as np
import pandas as pd
import pytest

import scaling
from analysis.figures import equivalent_parameters, fig2
from scaling.laws import AdditiveLaw, ParallelLaw
from scaling.selection.equivalent_size import equivalents, equivalents_by_points


def markers(axes):
    """Marked lines: one a P."""
    return [line for line in axes.lines if line.get_marker() not in ("None", "")]


def curves(axes):
    return [line for line in axes.lines if line.get_linestyle() == "-"]


def text(axes):
    return "\n".join(t.get_text() for t in axes.texts)


def test_fig2_holds_every_published_point_and_curve(losses, printed_laws):
    figure = fig2(losses, printed_laws)
    assert [axes.get_title() for axes in figure.axes] == ["Stack-V2 Python", "The Pile"]
    for axes, corpus in zip(figure.axes, printed_laws, strict=True):
        runs = losses[losses["corpus"] == corpus]
        assert len(markers(axes)) == len(curves(axes)) == 4
        for line, P in zip(markers(axes), (1, 2, 4, 8), strict=True):
            expected = runs[runs["P"] == P]
            np.testing.assert_array_equal(line.get_xdata(), expected["N"])
            np.testing.assert_array_equal(line.get_ydata(), expected["loss"])
        for curve, P in zip(curves(axes), (1, 2, 4, 8), strict=True):
            N = curve.get_xdata()
            np.testing.assert_allclose(curve.get_ydata(), printed_laws[corpus].predict(N=N, P=P))
            assert N.min() < runs["N"].min()
            assert N.max() > runs["N"].max()
        assert axes.get_xscale() == "log"
        ticks = [t.get_text() for t in axes.get_xticklabels()]
        assert ticks == ["0.5B", "0.7B", "1.1B", "1.6B", "2.8B", "4.4B"]
        assert axes.get_xlabel() == "non-embedding parameters $N$"
    assert figure.axes[0].get_ylabel() == "loss (nats per token)"
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [f"$P = {P}$" for P in (1, 2, 4, 8)]


def test_fig2_writes_the_published_constants_and_r2(losses, printed_laws):
    stack, pile = fig2(losses, printed_laws).axes
    for constant in ("0.6912", r"1.131\times 10^{7}", "0.3935", "0.1894", "R^2 = 0.9978", "24 runs"):
        assert constant in text(stack)
    for constant in ("1.2888", r"1.974\times 10^{8}", "0.3345", "0.1963", "R^2 = 0.9987"):
        assert constant in text(pile)


def small_sweep():
    law = ParallelLaw(E=3.1, A=4e5, alpha=0.31, k=0.27)
    rows = [(n, p, law.predict(N=n, P=p), 0.01) for n in (51234, 181000, 702000) for p in (1, 3)]
    return pd.DataFrame(rows, columns=["N", "P", "loss", "loss_se"]), law


def test_fig2_of_a_small_sweep_says_what_is_left_out_and_in_doubt():
    table, law = small_sweep()
    table["status"] = ["diverged", *["ok"] * 5]
    (axes,) = fig2(table, {"": law}, notes={"": "k at its bound"}).axes
    assert "1 diverged or unfinished, not drawn" in text(axes)
    assert "k at its bound" in text(axes)
    assert [len(line.get_xdata()) for line in markers(axes)] == [2, 3]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["51k", "181k", "702k"]


def test_fig2_without_a_law_or_without_runs_still_draws():
    table, law = small_sweep()
    (axes,) = fig2(table, {}).axes
    assert text(axes) == "no law fitted (6 runs)"
    assert not curves(axes)
    table["loss"] = np.nan
    (axes,) = fig2(table, {"": law}).axes
    assert text(axes) == "no finished run among 6 rows"
    (axes,) = fig2(table.iloc[:0], {}).axes
    assert "among 0 rows" in text(axes)


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


def test_equivalents_of_a_fit_have_intervals(stack):
    fitted = scaling.fit(ParallelLaw, stack)
    table = equivalents(fitted, N=[[1e9], [2e9]], P=[1, 2, 6], data=stack)
    k = fitted.intervals().loc["k"]
    np.testing.assert_allclose(table["multiple"], np.tile(1 + k["estimate"] * np.log([1, 2, 6]), 2))
    for end in ("lower", "upper"):
        np.testing.assert_allclose(
            table[end] / table["N"], np.tile(1 + k[end] * np.log([1, 2, 6]), 2), rtol=2e-3
        )
    with pytest.raises(ValueError, match=r"level=1\.5"):
        equivalents(fitted, N=1e9, P=2, level=1.5)


def test_equivalents_under_a_law_without_closed_form():
    law = AdditiveLaw(E=0.7, A=30.0, alpha=0.21, C=0.12, beta=0.45)
    table = equivalents(law, N=[[1e9], [2e9]], P=[2, 6])
    np.testing.assert_allclose(law.predict(N=table["equivalent_N"], P=1), table["loss"])
    assert table["lower"].isna().all()


def test_equivalents_by_points(stack):
    table = equivalents_by_points(stack).set_index(["P", "N"])
    assert table.loc[(8, 1595669000), "equivalent_N"] == pytest.approx(3.156e9, rel=1e-3)
    assert (8, 4414502408) not in table.index  # below every one-stream loss: no answer, not a guess
    assert equivalents_by_points(stack[stack["P"] == 1]).empty


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
    assert "beyond the runs" in text(axes)
    assert axes.get_xlabel() == "parallel streams $P$"
    (axes,) = equivalent_parameters({}).axes
    assert "no law of P that these runs determine" in text(axes)


def test_a_small_model_has_one_tick_a_size_though_streams_add_parameters():
    rows = [("a", 12448, 1), ("a", 14850, 2), ("a", 17220, 4), ("b", 46400, 1), ("b", 64132, 4)]
    table = pd.DataFrame(rows, columns=["size", "N", "P"]).assign(loss=[4.5, 4.4, 4.3, 4.0, 3.9])
    (axes,) = fig2(table, {}).axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["12.4k", "46.4k"]
