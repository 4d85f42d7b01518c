"""Facts to be remembered."""

import math

import pytest

from sweeps.corpora.tasks.facts import Facts


def test_keys_differ_and_bits_are_those_of_the_values():
    facts = Facts((500,), value=3)
    keys = {row[: facts.key_letters].tobytes() for row in facts.rows}
    assert len(keys) == 500
    whole = 500 * 3 * math.log2(26)
    assert facts.bits(0.0) == pytest.approx(whole)
    assert facts.bits(3 * math.log(26) / 4) == pytest.approx(0.0)  # a guess: 4 tokens, the last of them known
    assert Facts((500,), value=3, table=1).rows.tolist() != facts.rows.tolist()


@pytest.mark.parametrize("wrong", [{"facts": (3, 4)}, {"facts": (0,)}, {"value": 0}])
def test_what_is_no_table_is_refused(wrong):
    with pytest.raises(ValueError, match="facts"):
        Facts(**wrong)
