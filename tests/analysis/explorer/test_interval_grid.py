"""The numbers behind the page's intervals: complete, finite where there is an interval, and none where there is none."""

import json

import numpy as np
import pytest

import scaling
from analysis.explorer.interval_grid import AROUND, STREAMS, interval_grid, own_ends, sizes
from scaling.forecasting.widened import widening_of


@pytest.fixture(scope="module")
def fit(stack):
    return scaling.fit(scaling.ParallelLaw, stack)


def test_everything_is_plain_and_has_a_value_a_point(fit):
    found = interval_grid(fit, 0.95)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert [(way["axis"], way["side"]) for way in found["ways"]] == list(widening_of(fit).ways)
    assert len(found["logN"]) == len(sizes(fit)) < 25
    assert found["edges"]["C"] == pytest.approx(np.log([5.35813376e8, 8 * fit.axes["N"].max()]), rel=1e-3)
    for way in found["ways"]:
        assert np.diff(way["halves"]).min() >= 0
        assert way["halves"][0] == pytest.approx(np.log(found["still"]))


def test_sizes_are_dense_within_the_runs_and_reach_beyond_them(fit):
    N = np.exp(sizes(fit))
    low, high = fit.axes["N"].min(), fit.axes["N"].max()
    assert N[0] == pytest.approx(low / AROUND[-1])
    assert N[-1] == pytest.approx(high * AROUND[-1])
    assert ((low * 0.999 <= N) & (high * 1.001 >= N)).sum() == len(N) - 2 * len(AROUND)


def test_the_fit_s_own_ends_are_those_that_predict_gives(fit):
    log_N, P = np.log([8e8, 3e9]), np.array([1.0, 8.0])
    ends = own_ends(fit, log_N, P, 0.95)
    at = {"N": [8e8, 3e9, 8e8, 3e9], "P": [1, 1, 8, 8]}
    own, linear = (fit.predict(at, widened=False, method=how) for how in (None, "covariance"))
    for kind in ("", "new_"):
        half = linear[f"{kind}upper"] - linear.loss
        for end, sign in (("lower", -1), ("upper", 1)):
            found = own.loss + sign * half * np.exp(ends[f"{kind}{end}"])
            assert found.to_numpy() == pytest.approx(own[f"{kind}{end}"].to_numpy())


def test_a_law_of_sizes_alone_has_one_row(stack):
    found = interval_grid(scaling.fit(scaling.DenseLaw, stack), 0.95)
    assert found["P"] == [1.0]
    assert set(found["edges"]) == {"N"}
    assert len(STREAMS) > 1


def test_without_a_degree_of_freedom_there_are_no_numbers(stack):
    assert interval_grid(scaling.fit(scaling.ParallelLaw, stack.iloc[[0, 5, 10, 15]]), 0.95) is None
