"""Hops along the arrows of a graph."""

import pytest

from sweeps.corpora.tasks.hops import Hops, steps_shown


def test_the_way_is_written_evenly():
    assert steps_shown(0, 4) == []
    assert steps_shown(1, 4) == [2]
    assert steps_shown(9, 4) == [1, 2, 3]
    assert steps_shown(3, 1) == []
    assert Hops(steps=9).solve("ac,cb,bd,da,?3a") == "cb:d\n"


@pytest.mark.parametrize("wrong", [{"nodes": 2}, {"nodes": 27}, {"hops": (8,)}, {"hops": ()}])
def test_questions_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="hops"):
        Hops(**wrong)
