"""Copying letters."""

import pytest

from sweeps.corpora.tasks.induction import Copy


def test_a_string_is_repeated():
    copy = Copy((4,))
    assert copy.solve("kqzk=") == "kqzk\n"
    assert copy.length(4) == len("kqzk=kqzk\n")
    with pytest.raises(ValueError, match="copy"):
        Copy((1,))
