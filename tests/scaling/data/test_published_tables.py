"""The published tables: listed, read, and named where they are missing."""

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
