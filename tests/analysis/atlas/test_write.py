"""The atlas on disk: a table, a page and a figure of each entry."""

import re

import pandas as pd
import pytest

from analysis.atlas import write
from analysis.atlas.entries import ENTRIES
from docs.tools import atlas as docs_table


@pytest.mark.slow
def test_table_page_and_figures_of_the_entries(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "ENTRIES", (ENTRIES[0], ENTRIES[-1]))
    monkeypatch.setattr(write, "all_exponents", list)
    steps: list[str] = []
    made = write.write_atlas(tmp_path / "atlas", steps.append)
    assert list(pd.read_csv(tmp_path / "atlas/atlas.csv").entry) == list(made.table.entry)
    page = (tmp_path / "atlas/atlas.html").read_text()
    assert "http" not in re.sub(r"http://www\.w3\.org|http://purl\.org|https?://[^\"]*w3[^\"]*", "", page)
    assert page.count("<figure") == 4  # two entries, the curves of two models
    assert [path.suffix for path in made.files[2:]] == [".png", ".pdf", ".svg"] * 4
    assert all(path.stat().st_size > 500 for path in made.files)
    assert ENTRIES[0].name in steps


def test_the_page_of_the_docs_shows_the_committed_table():
    assert docs_table.table() in docs_table.PAGE.read_text(encoding="utf-8")
