"""The published tables: listed, read, and named where they are missing."""

import sys

import pandas as pd
import pytest

import scaling
from scaling.data.published_tables import FITTABLE, TABLES


def test_the_list_says_of_each_table_what_it_is_and_whose():
    listed = scaling.published()
    assert list(listed.index) == list(TABLES)
    assert list(listed) == ["contents", "source", "licence", "here"]
    assert listed.notna().all(axis=None)
    assert (listed[["contents", "source", "licence"]] != "").all(axis=None)


@pytest.mark.parametrize("name", sorted(FITTABLE))
def test_tables_of_runs_have_the_columns_of_a_fit(name):
    table = scaling.published(name)
    assert isinstance(table, pd.DataFrame)
    for column in ("N", "P", "loss", *(("D",) if name != "losses" else ())):
        assert table[column].dtype == float
        assert (table[column] > 0).all()


@pytest.mark.parametrize("name", ["loss", "", "../losses"])
def test_a_name_that_is_not_listed_is_refused(name):
    with pytest.raises(ValueError, match=f"published\\({name!r}\\)"):
        scaling.published(name)


def test_published_tables_are_listed_and_read(losses, tmp_path, monkeypatch):
    listed = scaling.published()
    assert listed.index[0] == "losses"
    assert "CC-BY-4.0" in listed.loc["losses", "licence"]
    for name in listed.index:
        assert len(scaling.published(name)) > 0
    assert scaling.published("losses").equals(losses)
    published = sys.modules["scaling.data.published_tables"]
    files = [published.CHECKOUT / row[0] for row in published.TABLES.values()]
    held = {*published.CHECKOUT.rglob("*.csv")}
    assert {*files} == held, "list every table of results/published"
    assert (published.PACKAGED / "losses.csv").read_bytes() == (
        published.CHECKOUT / "losses.csv"
    ).read_bytes()
    monkeypatch.setattr(published, "CHECKOUT", tmp_path)  # as installed from a wheel
    assert scaling.published("losses").equals(losses)
    assert list(scaling.published().query("here").index) == ["losses"]
    with pytest.raises(FileNotFoundError, match="results/published"):
        scaling.published("chinchilla")
