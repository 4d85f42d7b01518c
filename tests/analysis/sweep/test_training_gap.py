"""The gap of P streams to one along training, with its noise."""

import numpy as np
import pandas as pd
import pytest

from analysis.sweep import training_gap
from tests.analysis.recipe_sweep import PASSES, POINTS, curves_of


def test_where_each_P_passes_one_stream_and_how_sure_that_is():
    found = training_gap.passing(training_gap.gaps(curves_of(PASSES), "train_loss")).set_index("P")
    truth = 10_000 * np.log(4)
    assert found.loc[2, "low"] <= truth <= found.loc[2, "high"]
    assert found.loc[2, "tokens"] == pytest.approx(
        truth, abs=4000
    )  # where the noise is a few steps of the curve
    assert found.loc[2, "high"] - found.loc[2, "low"] < 25_000
    assert found.loc[2, "when"].startswith("from 1")
    assert (found.loc[4, "when"], found.loc[8, "when"]) == ("not within the run", "from the start")
    assert found.loc[16, "when"] == "level within noise"
    assert found.loc[4, "gap"] == pytest.approx(0.02, abs=2 * found.loc[4, "noise"])
    assert 0.0005 < found.loc[4, "noise"] < 0.0035  # the noise of ten points, not the batches' 0.2
    assert np.isnan(found.loc[4, "tokens"])


def test_the_noise_stated_is_the_noise_there_is():
    """Over many draws the interval of the end has its nominal coverage."""
    rng = np.random.default_rng(0)
    for points in (60, POINTS):
        ends = [training_gap._end(rng.normal(0.01, 0.003, points)) for _ in range(3000)]
        held = np.mean([abs(gap - 0.01) < noise for gap, noise in ends])
        assert 0.94 < held < 0.97
    gap, noise = training_gap._end(np.array([0.1, 0.2]))
    assert gap == 0.2
    assert np.isnan(noise)


def test_seeds_are_paired_with_their_own():
    one, two = curves_of({2: PASSES[8]}, noise=0), curves_of({2: PASSES[4]}, noise=0).assign(seed=1)
    two["train_loss"] += 0.5  # the other seed's batches are harder
    alone = one[one["P"] == 1].assign(seed=2, train_loss=9.0)  # no P > 1 of its seed
    both = training_gap.gaps(pd.concat([one, two, alone]), "train_loss")
    assert both["gap"].to_numpy() == pytest.approx(0.0, abs=1e-12)
    assert len(training_gap.gaps(one[one["P"] == 2], "train_loss")) == 0
