"""Two sweeps on one page: each one's verdict, constants in one table, losses size by size."""

import pytest

from analysis import report
from analysis.output.html_page import Page
from analysis.report import side_by_side, sweep_figures
from analysis.sweep import results
from tests.analysis.sweep_of_runs import sweep


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    sweep(folder / "a", (51234, 181000, 702000), (1, 2, 4))
    sweep(folder / "b", (51234, 181000), (1, 2), corpus="other")
    return {name: results.read_sweep(folder / name) for name in ("a", "b")}


def test_losses_stand_beside_each_other(two):
    table = side_by_side.losses_table(two)
    assert list(table.columns) == ["size", "P", "loss, a", "loss, b", "change, a", "change, b"]
    assert table["size"].tolist() == ["s51234"] * 3 + ["s181000"] * 3 + ["s702000"] * 3
    assert table["loss, b"].notna().tolist() == [True, True, False, True, True, False, False, False, False]
    runs = two["a"].runs.set_index(["size", "P"])["loss"]
    assert table["loss, a"].iloc[0] == pytest.approx(runs["s51234", 1])


def test_sweeps_without_a_common_size_stand_below_each_other(two, tmp_path):
    sweep(tmp_path / "c", (5000, 9000), (1, 2))
    table = side_by_side.losses_table({"a": two["a"], "c": results.read_sweep(tmp_path / "c")})
    assert list(table.columns) == ["sweep", "size", "P", "loss", "change"]
    assert table["sweep"].tolist() == ["c"] * 4 + ["a"] * 9


def test_panels_of_two_sweeps_have_one_range(two):
    page, drawn = Page("t", "o"), {}
    for name, one in two.items():
        drawn[name] = sweep_figures.sweep_figures(one, titled=False)["fig2"]()
    side_by_side._figures(page, "fig2", {name: lambda f=f: f for name, f in drawn.items()})
    limits = {(f.axes[0].get_xlim(), f.axes[0].get_ylim(), f.get_figheight()) for f in drawn.values()}
    assert len(limits) == 1
    assert page.html.count("<figure") == 2


@pytest.mark.slow
def test_constants_are_those_of_the_verdicts(two):
    judged = {name: next(iter(one.verdicts.values())) for name, one in two.items()}
    table = side_by_side.constants_table(judged).set_index("sweep")
    k = judged["a"].parameters["estimate"]["k"]
    assert table["k"]["a"].startswith(f"{k:.4f}")
    assert next(iter(table)) == "k"  # what a phone shows
    assert table["runs"].tolist() == [9, 4]


@pytest.mark.slow
def test_one_page_of_two_sources(two, tmp_path):
    page = report.write_report([two["a"].source, two["b"].source], tmp_path / "both.html")
    html = page.read_text()
    assert html.count('class="verdict"') == 2
    lead, rest = html.split('<div class="verdict">', 1)
    assert lead.count("<table>") == 1  # the joint answer comes before the cards
    assert [said in rest for said in ("a: 9 runs", "b: 4 runs", '<dl class="terms">')] == [True] * 3
    assert side_by_side.sources_by_name(["x/a", "y/a", "z/b"]) == {"x/a": "x/a", "y/a": "y/a", "b": "z/b"}
