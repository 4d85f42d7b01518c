"""Rows by corpus and by size: names, parts, the sizes a table has."""

import pandas as pd
import pytest

from scaling.data.groups import backbones, corpus_name, labelled, split_by_corpus

RUNS = pd.DataFrame(
    {
        "corpus": ["pile", "pile", "mine", "mine", "mine"],
        "N": [1e6, 1.1e6, 4e6, 4.2e6, 9e7],
        "P": [1, 4, 1, 2, 1],
    }
)


def test_the_papers_corpora_have_titles_and_others_their_own_name():
    assert [corpus_name(name) for name in ("pile", "stack-v2-python", "mine", "")] == [
        "The Pile", "Stack-V2 Python", "mine", "",
    ]  # fmt: skip


def test_words_stand_after_the_name_where_there_is_one():
    assert labelled("pile", "k = 0.3") == "The Pile: k = 0.3"
    assert labelled("mine", "k = 0.3", sep=", ") == "mine, k = 0.3"
    assert labelled("", "k = 0.3") == "k = 0.3"


def test_parts_come_in_the_order_of_the_table():
    parts = split_by_corpus(RUNS)
    assert {name: len(rows) for name, rows in parts.items()} == {"pile": 2, "mine": 3}
    assert list(parts) == ["pile", "mine"]
    assert split_by_corpus(RUNS.drop(columns="corpus"))[""].equals(RUNS.drop(columns="corpus"))


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 3, 1, 2, 0]])
def test_a_size_is_that_of_its_smallest_run(order):
    assert backbones(RUNS.iloc[order]) == [1e6, 4e6, 9e7]
