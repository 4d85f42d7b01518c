"""Tasks by name."""

import pytest

from sweeps.corpora.tasks.hops import Hops
from sweeps.corpora.tasks.task_names import task_of


def test_a_name_says_all():
    assert task_of("task:hops#hops=1,3#nodes=9#loss=all") == (Hops((1, 3), 9), True)
    assert task_of("task:hops")[1] is False


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("task:sums", "task.*'sums'"),
        ("task:hops#hop=1", "#hop=1.*hops.*#hops="),
        ("task:hops#nodes=8,9", "nodes"),
        ("task:hops#loss=some", "#loss=answer"),
    ],
)
def test_a_name_that_stands_for_nothing_is_refused(name, words):
    with pytest.raises(ValueError, match=words):
        task_of(name)
