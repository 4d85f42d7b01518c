"""The top of a report: means over random seeds, sizes as numbers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.output.html_page import Page
from analysis.output.html_words import html_words
from analysis.report import at_a_glance
from analysis.sweep import results
from scaling.selection.verdict import without_fit
from tests.analysis.sweep_of_runs import sweep


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Three sizes whose names sort otherwise than their numbers, two seeds."""
    folder = tmp_path_factory.mktemp("sweeps") / "s"
    table = sweep(folder, (51234, 181000, 702000), (1, 2, 4))
    table["size"] = table["N"].map({51234: "64x8", 181000: "128x8", 702000: "1024x8"})
    again = table.assign(seed=1, loss=table["loss"] + 0.01, run_id=table["run_id"] + "b")
    pd.concat([again[::-1], table.assign(seed=0)]).to_parquet(folder / "runs.parquet")
    return results.read_sweep(folder)


def test_means_and_spread_over_seeds_sizes_as_numbers(seen):
    table = at_a_glance.seeds_table(seen)
    assert table["size"].tolist() == ["64x8"] * 3 + ["128x8"] * 3 + ["1024x8"] * 3
    assert table["P"].tolist() == [1, 2, 4] * 3
    assert list(table)[:5] == ["size", "P", "loss", "change", "k"]  # what a phone shows
    assert table["runs"].tolist() == [2] * 9
    assert table["spread"].tolist() == pytest.approx([0.01 / np.sqrt(2)] * 9)
    runs = seen.runs.groupby(["N", "P"])["loss"].mean()
    assert table["loss"].tolist() == pytest.approx(runs.tolist())
    assert table["change"].notna().tolist() == [False, True, True] * 3
    assert at_a_glance.by_size(seen.runs)["N"].is_monotonic_increasing


def test_nothing_is_explained_that_is_not_there(seen):
    one = replace(seen, runs=seen.runs[seen.runs["P"] == 1].drop_duplicates("N"))
    shown = []
    for sweep_ in (seen, one):
        page = Page("s", "x")
        at_a_glance.add_glance(page, sweep_, {})
        shown.append(page.html)
    words = [html_words(at_a_glance.COLUMNS[name]) for name in ("change", "spread")]
    assert [[said in html for said in words] for html in shown] == [[True, True], [False, False]]
    assert ["P streams" in at_a_glance.glossary([one.runs], []) for one in (seen, one)] == [True, False]


def test_terms_are_explained_where_they_are_said(seen):
    assert "AICc" in at_a_glance.glossary([], seen.verdicts.values())
    assert at_a_glance.glossary([], [without_fit("no runs")]) == {}


def test_the_verdict_stands_before_the_figures_and_the_table(seen):
    page = Page("s", "x")
    drawn = at_a_glance.add_glance(page, seen, {})
    assert drawn == []
    kinds = ["verdict" in page.parts[0], "<table>" in page.parts[-1]]
    assert kinds == [True, True]
    sides = page.parts[-1].split('<div class="notes">')
    found = "by_parameters" in page.html, "parameters alone" in sides[0], "curves" in sides[1]
    assert found == (False, True, True)
    assert ["Do streams" in page.parts[0], html_words("L = E +") in page.parts[1]] == [
        True,
        True,
    ]  # the formula
    assert all(html_words(one.text)[1:] in page.html for one in seen.verdicts["stdlib"].answers)
