"""What streams are worth on a grid: the ends of `Fit.equivalent_N`, and of a mixture of laws by their evidence."""

import base64

import numpy as np
import pytest

import scaling
from analysis.explorer.page_axes import page_axes
from analysis.explorer.worth_grid import over_laws, told, worth_of, worth_points


@pytest.fixture(scope="module")
def fit(stack):
    return scaling.fit(scaling.ParallelLaw, stack)


def test_ends_are_those_of_equivalent_n(fit, stack):
    grid = worth_points(page_axes(stack, [fit.law]))
    estimate, lower, upper = worth_of(fit, grid, 0.95)
    points = grid.points(("N", "P"))
    some = np.flatnonzero((points["P"] > 1) & (points["P"] <= 8) & (points["N"] < 5e9))[::5]
    python = fit.equivalent_N(points["N"][some], points["P"][some])
    assert np.exp(estimate[some]) == pytest.approx(python["multiple"].to_numpy())
    half = np.log(python["upper"] / python["lower"]).to_numpy() / 2
    for ours, end in ((lower, "lower"), (upper, "upper")):
        error = ours[some] - np.log(python[end] / python["N"]).to_numpy()
        assert error / half == pytest.approx(0, abs=0.05)
    assert points["P"].min() == 2
    read = {
        name: np.frombuffer(base64.b64decode(text), "<f4")
        for name, text in told((estimate, lower, upper), grid).items()
    }
    assert -np.log(read["share"][some]) == pytest.approx(estimate[some], abs=1e-5)
    assert -np.log(read["above"][some]) == pytest.approx(upper[some] - estimate[some], abs=1e-5)
    assert read["lower"][some] == pytest.approx(lower[some], abs=1e-5)


def test_an_open_end_goes_on_through_nothing_and_a_search_that_failed_is_bridged(stack, fit):
    grid = worth_points(page_axes(stack, [fit.law]))
    slope = np.linspace(0.9, -0.4, grid.nodes("N").size)
    with np.errstate(divide="ignore"):
        upper = np.repeat(-np.log(np.maximum(slope, 0)), grid.nodes("P").size)
    estimate, lower = np.zeros(upper.size), np.full(upper.size, -0.1)
    lower[grid.nodes("P").size * 4] = -np.inf
    read = told((estimate, lower, upper), grid)
    above, below = (
        np.frombuffer(base64.b64decode(read[name]), "<f4").reshape(grid.shape(("N", "P")))
        for name in ("above", "lower")
    )
    assert (above[-1] < 0).all()
    assert below == pytest.approx(-0.1)


def test_one_law_alone_is_itself_and_two_reach_as_far_as_their_weight():
    a = tuple(np.array([x, 0.0]) for x in (0.5, 0.4, 0.7))
    b = tuple(np.array([x, 0.0]) for x in (0.9, 0.7, 1.2))
    alone = over_laws([a, b], np.array([1.0, 0.0]), 0.95)
    assert [x[0] for x in alone] == pytest.approx([0.5, 0.4, 0.7], abs=1e-3)
    middle, low, high = over_laws([a, b], np.array([0.6, 0.4]), 0.95)
    assert low[0] == pytest.approx(0.4, abs=0.03)
    assert 0.5 < middle[0] < 0.9
    assert 1.1 < high[0] < 1.2


def test_an_open_end_with_enough_weight_is_open_and_what_no_law_knows_is_not_told():
    closed, opened = (
        tuple(np.array([x]) for x in (0.5, 0.4, 0.7)),
        tuple(np.array([x]) for x in (0.5, 0.4, np.inf)),
    )
    assert np.isinf(over_laws([closed, opened], np.array([0.5, 0.5]), 0.95)[2][0])
    assert np.isfinite(over_laws([closed, opened], np.array([0.99, 0.01]), 0.95)[2][0])
    lost: tuple = tuple(np.array([np.nan]) for _ in range(3))
    assert [x[0] for x in over_laws([closed, lost], np.array([0.5, 0.5]), 0.95)] == pytest.approx(
        [0.5, 0.4, 0.7], abs=1e-3
    )
    assert told(lost, None) is None
