"""The numbers behind the page's intervals: those of `Fit.predict` at the nodes, complete, and none where there is none."""

import base64
import json

import numpy as np
import pytest

import scaling
from analysis.explorer.interval_grid import interval_grid, plain_steps, shown_grid
from analysis.explorer.page_axes import page_axes


@pytest.fixture(scope="module")
def fit(stack):
    return scaling.fit(scaling.AdditiveLaw, stack)


@pytest.fixture(scope="module")
def axes(fit, stack):
    return page_axes(stack, [fit.law])


@pytest.fixture(scope="module")
def told(fit, axes):
    return interval_grid(fit, axes, 0.95)


def numbers(text):
    return np.frombuffer(base64.b64decode(text), "<f4").astype(float)


@pytest.mark.slow
def test_everything_is_plain_and_has_a_value_a_point(told, axes):
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    size = np.prod(shown_grid(axes).shape(axes))
    for values in (
        *(told[name] for name in ("lower", "upper", "centre", "scale")),
        *(way["change"] for way in told["ways"]),
    ):
        assert numbers(values).size == size
    assert all(len(way["half"]) == len(told["ratios"]) for way in told["ways"])


@pytest.mark.slow
def test_within_the_runs_ends_are_those_of_predict_to_a_fiftieth_of_the_half_width(fit, axes):
    grid = shown_grid(axes)
    points = grid.points(axes)
    within = np.flatnonzero(
        (points["N"] >= axes["N"].low) & (points["N"] <= axes["N"].high) & (points["P"] <= 8)
    )
    some = within[::7]
    python = fit.predict({name: x[some] for name, x in points.items()}, widened=False)
    steps = plain_steps(fit, grid, 0.95)
    half = (python["new_upper"] - python["new_lower"]).to_numpy() / 2
    for end, side in (("lower", -1), ("upper", 1)):
        ours = python["loss"] + side * steps[end][some]
        assert np.abs(ours - python[f"new_{end}"]).to_numpy() / half == pytest.approx(0, abs=0.02)


@pytest.mark.slow
def test_beyond_the_runs_the_parts_make_the_forecast_of_this_law(fit, axes, told):
    grid = shown_grid(axes)
    out = np.flatnonzero(~fit.predict(grid.points(axes), method="covariance")["inside"].to_numpy())[::40]
    points = {name: x[out] for name, x in grid.points(axes).items()}
    change = np.abs([numbers(way["change"])[out] for way in told["ways"]])
    scale, way = np.exp(numbers(told["scale"])[out]), change.argmax(0)
    half = [
        np.interp(np.arcsinh(most / s), told["ratios"], told["ways"][w]["half"]) * np.hypot(s, most)
        for most, s, w in zip(change.max(0), scale, way, strict=True)
    ]
    plain, loss = plain_steps(fit, grid, 0.95), fit.law.predict(**points)
    python = fit.predict(points)
    for end, side, widest in (("lower", -1, np.minimum), ("upper", 1, np.maximum)):
        alone = np.exp(numbers(told["centre"])[out] + side * np.array(half))
        ours = widest(alone, loss + side * plain[end][out])  # as the page shows it
        assert ours == pytest.approx(python[f"new_{end}"].to_numpy(), rel=2e-3)
    assert {told["ways"][w]["said"][:12] for w in way} == {"drift along "}


def test_a_law_of_sizes_alone_has_one_axis(stack):
    dense = scaling.fit(scaling.DenseLaw, stack)
    assert set(interval_grid(dense, page_axes(stack, [dense.law]), 0.95)["nodes"]) == {"N"}


def test_without_a_degree_of_freedom_there_are_no_numbers(stack):
    rows = stack.iloc[[0, 5, 10, 15]]
    none = scaling.fit(scaling.ParallelLaw, rows)
    assert interval_grid(none, page_axes(rows, [none.law]), 0.95) is None
