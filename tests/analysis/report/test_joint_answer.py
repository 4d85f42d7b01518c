"""The joint answer of several sweeps: a table of answers, what they say of streams, in what the runs differ."""

import re
from dataclasses import replace

import pytest

from analysis.report import joint_answer
from analysis.sweep import results
from tests.analysis.sweep_of_runs import sweep


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    sweep(folder / "a", (51234, 181000, 702000), (1, 2, 4), D=32e6)
    sweep(folder / "b", (51234, 181000), (1, 2), corpus="other", D=4e6)
    return {name: results.read_sweep(folder / name) for name in ("a", "b")}


def test_each_question_has_a_row_and_each_sweep_a_column(two):
    rows = joint_answer.judged_rows(two)
    table = joint_answer.joint_table({name: found for name, (found, _) in rows.items()})
    assert list(table) == ["question", "a", "b"]
    for name, (found, _) in rows.items():
        words = [one.answer.capitalize() for one in found.answers]
        assert [cell.partition(" (")[0] for cell in table[name]] == words
    assert f"({rows['a'][0].streams.number:.2f} N)" in table["a"][0]


def test_the_sentence_is_that_of_the_answers(two):
    rows = joint_answer.judged_rows(two)
    found, runs = rows["a"]
    for word, said in joint_answer._SAID.items():
        judged = {"a": (replace(found, streams=replace(found.streams, answer=word)), runs)}
        text = joint_answer.joint_text(judged, two)
        assert text.startswith(said.partition("{}")[0] + "a (51.2k to 702k parameters")
        assert ("is worth" in text) == (word != "cannot tell")
    last = text.split(". ")[-1]
    assert all(found in last for found in ("P (1 to 4", "1 to 2)", "32M", "4M", "corpus"))
    assert not re.search(r"\d", joint_answer._differences([runs, runs]))


def test_a_heading_names_corpora_and_sizes(two):
    assert joint_answer.contents_text(two["b"].runs) == "other, 51.2k to 181k parameters"
    assert joint_answer.contents_text(two["b"].runs.drop(columns=["corpus"])) == "51.2k to 181k parameters"
