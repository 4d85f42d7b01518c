"""Changes with P split by what the context held, against runs that gain in one part only."""

import numpy as np
import pytest

from scaling.selection import gains_by_context
from tests.scaling.context_runs import SHARES, made_in_parts


def test_a_change_stands_in_the_part_that_changed() -> None:
    found = gains_by_context.changes(made_in_parts()).set_index(["part", "size", "P"]).sort_index()
    assert found.loc[("repeated", "64x2", 4), "change"] == pytest.approx(-0.2)
    assert found.loc["new", "change"].to_numpy() == pytest.approx(0)
    assert found.loc["repeated", "share"].to_numpy() == pytest.approx(0.25)
    whole = sum(SHARES[p] * found.loc[(p, "64x2", 4), "change"] for p in ("repeated", "seen", "new"))
    assert whole == pytest.approx(-0.05)


def test_the_scatter_over_seeds_is_told_part_by_part() -> None:
    found = gains_by_context.noise(made_in_parts(noise=0.05)).set_index("part")
    assert found.loc["repeated", "of_a_change"] == pytest.approx(0.05 * np.sqrt(2), rel=0.5)
    assert found.loc["new", "of_a_change"] == pytest.approx(0, abs=1e-12)
    assert found["pairs"].tolist() == [12] * 4


def test_k_is_that_of_each_part() -> None:
    found = gains_by_context.worth(made_in_parts(noise=0.005)).set_index("part")
    assert found.loc["repeated", "lower"] > 0.1
    assert found.loc[["seen", "new"], "k"].max() < 0.01
    assert found.loc["start", ["k", "status"]].isna().tolist() == [
        True,
        False,
    ]  # nothing changes, not even with N
    few = made_in_parts(seeds=1)
    assert not len(gains_by_context.worth(few[(few["P"] == 1)]))
