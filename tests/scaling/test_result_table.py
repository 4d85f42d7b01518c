"""Every result is a table and a verdict, and some behave like their table."""

import copy
import pickle

import pandas as pd
import pytest

import scaling
from scaling.result_table import FrameResult, ResultTable

FRAME = pd.DataFrame({"N": [1e6, 4e6], "change <b>": [0.12345678, -0.2]}, index=["a", "b"])


class Plain(ResultTable):
    def __init__(self):
        self.table, self.verdict = FRAME, "better & faster\nby far"


class Stand(FrameResult):
    def __init__(self):
        self.table, self.verdict = FRAME, "stands in"


def test_text_and_html_hold_table_and_verdict():
    text, html = repr(Plain()), Plain()._repr_html_()
    assert "0.1235" in text
    assert text.endswith("better & faster\nby far")
    assert "<table" in html
    assert "better &amp; faster<br>by far" in html
    assert "<b>" not in html


def test_a_stand_in_is_used_as_its_table():
    found = Stand()
    assert found["N"].equals(FRAME["N"])
    assert found.loc["b", "N"] == 4e6
    assert list(found) == list(FRAME)
    assert len(found) == 2
    assert "N" in found
    assert "P" not in found
    with pytest.raises(AttributeError, match="nothing"):
        _ = found.nothing


def test_a_stand_in_can_be_copied_and_pickled():
    for again in (copy.deepcopy(Stand()), pickle.loads(pickle.dumps(Stand()))):  # noqa: S301
        assert again.table.equals(FRAME)
        assert again.verdict == "stands in"
    with pytest.raises(AttributeError):
        _ = Stand.__new__(Stand).columns  # nothing in it yet: no endless recursion


@pytest.mark.slow
def test_every_result_is_a_table_and_a_verdict(pile, pile_fit, kyo, ranking, report):
    chinchilla = scaling.fit("chinchilla", kyo)
    candidates = [{"N": 1e9, "P": 8, "D": 4e10}, {"N": 1e8, "P": 32, "D": 4e10}]
    for found, column in (
        (ranking, "aicc"),
        (report, "rmse"),
        (scaling.adequacy(pile_fit), 1.0),
        (scaling.allocate(chinchilla, 1e21), "lower"),
        (scaling.suggest(pile_fit, candidates), "half_width"),
        (scaling.gains(pile), "change"),
    ):
        assert isinstance(found.table, pd.DataFrame)
        assert column in found.table
        assert found.verdict
        assert found.verdict.split("\n")[0][:20] in repr(found)
        assert "<table" in found._repr_html_()
        assert pickle.loads(pickle.dumps(found)).table.equals(found.table)  # noqa: S301
