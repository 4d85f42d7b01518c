"""The figures in the forms of the paper's: what their artists hold and what they say."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import colors

import scaling
from analysis import figures
from analysis.figures import fig2
from analysis.figures.paper_forms import FURTHER
from analysis.figures.prediction_bands import FORECAST, INTERVAL
from scaling.laws import ParallelLaw
from tests.analysis.artists import curves, markers, text


def test_fig2_holds_every_published_point_and_curve(losses, printed_laws):
    figure = fig2(losses, printed_laws)
    assert [axes.get_title() for axes in figure.axes] == ["Stack-V2 Python", "The Pile"]
    for axes, corpus in zip(figure.axes, printed_laws, strict=True):
        runs = losses[losses["corpus"] == corpus]
        assert len(curves(axes)) == 4
        for line, P in zip(markers(axes)[:4], (1, 2, 4, 8), strict=True):
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
        assert ticks == ["0.5B", "1.1B", "2.8B", "4.4B"]  # none without its label
        assert axes.get_xlabel() == "non-embedding parameters $N$"
    assert figure.axes[0].get_ylabel() == "loss (nats per token)"
    names = [t.get_text() for t in figure.legends[0].get_texts()]
    assert names == ["law beyond the runs", *(f"$P = {P}$" for P in (1, 2, 4, 8))]


def test_fig2_draws_the_interval_that_predict_gives_beyond_the_runs(stack):
    fit = scaling.fit(ParallelLaw, stack)
    (axes,) = fig2(stack.drop(columns="corpus"), {"": fit.law}, bands={"": fit.predict}).axes
    largest = stack["N"].max()
    bands = [c for c in axes.collections if c.get_paths() and len(c.get_paths()[0].vertices) > 4]
    for P, color in ((1, axes.lines[0].get_color()), (8, axes.lines[3].get_color())):
        own = [c for c in bands if colors.same_color(c.get_facecolor()[0, :3], color)]
        vertices = np.concatenate([path.vertices for c in own for path in c.get_paths()])
        far = vertices[np.isclose(vertices[:, 0], FURTHER * largest)][:, 1]
        told = fit.predict(N=FURTHER * largest, P=P)
        assert [far.min(), far.max()] == pytest.approx([told["new_lower"][0], told["new_upper"][0]], rel=1e-9)
    dashed = [line for line in axes.lines if line.is_dashed() and len(line.get_xdata())]
    assert len(dashed) == 4
    assert min(line.get_xdata().min() for line in dashed) > largest
    names = [t.get_text() for t in axes.figure.legends[0].get_texts()]
    assert {INTERVAL, FORECAST} <= set(names)


def test_fig2_says_of_a_rejected_law_that_it_is_and_not_its_r2(stack):
    fit = scaling.fit(ParallelLaw, stack)
    plain, refused = (
        fig2(stack.drop(columns="corpus"), {"": fit.law}, rejected=which).axes[0] for which in ((), ("",))
    )
    heads = [axes.texts[0].get_text() for axes in (plain, refused)]
    assert ["R^2" in head for head in heads] == [True, False]
    labels = [{str(line.get_label()) for line in axes.lines} for axes in (plain, refused)]
    assert labels[0] != labels[1]
    bare = fig2(stack, {"stack-v2-python": fit.law}, notes={"stack-v2-python": "x"}, captioned=True)
    assert [t.get_text() for t in bare.legends[0].get_texts()] == [f"$P = {P}$" for P in (1, 2, 4, 8)]
    assert not bare.axes[0].texts  # its caption says the rest


def test_fig2_draws_one_curve_where_streams_change_nothing(stack):
    law = ParallelLaw(E=0.7, A=1e7, alpha=0.19, k=0.0)
    figure = fig2(stack.drop(columns="corpus"), {"": law})
    assert len(curves(figure.axes[0])) == 1
    assert any("$P$" in t.get_text() for t in figure.legends[0].get_texts())


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
    assert re.search(r"1.*diverged", text(axes))
    assert re.search(r"\bk\b", text(axes))
    assert [len(line.get_xdata()) for line in markers(axes)] == [2, 3]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["51k", "181k", "702k"]


def test_fig2_without_a_law_or_without_runs_still_draws():
    table, law = small_sweep()
    (axes,) = fig2(table, {}).axes
    assert re.search(r"\b6\b", text(axes))
    assert not curves(axes)
    table["loss"] = np.nan
    (axes,) = fig2(table, {"": law}).axes
    assert re.search(r"\b6\b", text(axes))
    (axes,) = fig2(table.iloc[:0], {}).axes
    assert re.search(r"\b0\b", text(axes))


def test_a_small_model_has_one_tick_a_size_though_streams_add_parameters():
    rows = [("a", 12448, 1), ("a", 14850, 2), ("a", 17220, 4), ("b", 46400, 1), ("b", 64132, 4)]
    table = pd.DataFrame(rows, columns=["size", "N", "P"]).assign(loss=[4.5, 4.4, 4.3, 4.0, 3.9])
    (axes,) = fig2(table, {}).axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["12.4k", "46.4k"]


def test_fig1_law_saves_45_percent(stack, printed_laws):
    (axes,) = figures.fig1_law(stack, printed_laws["stack-v2-python"]).axes
    assert "\N{MINUS SIGN}45% parameters" in text(axes)
    arrow = next(t for t in axes.texts if t.get_text() == "")
    assert arrow.xy[0] / 4353203200 == pytest.approx(1 / (1 + 0.3935 * np.log(8)))
    assert len(axes.lines) == 4
    (axes,) = figures.fig1_law(stack[stack["P"] == 1], printed_laws["pile"]).axes
    assert re.search(r"P.*=.*1.*P.*=.*8.*\[1\]", text(axes))


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
    assert text(figures.fig3(one_size, printed_laws).axes[0])


def law_name(i):
    return ("stack-v2-python", "pile")[i]
