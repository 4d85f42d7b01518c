"""Values of a search that cannot win: the rule on the curves of a search that was trained."""

from benchmarks.stop_losers import points
from sweeps.grids.forecast_losers import forecast_losers


def test_a_value_without_hope_is_ended_and_the_best_is_not():
    point = next(points("recipe"))
    steps = point.runs[0.0].steps
    cut = {one: [p for p in curve if p[0] <= 0.5 * steps] for one, curve in point.curves.items()}
    flat = [(step, cut[0.0][0][1]) for step, _ in cut[0.0]]
    runs = {**point.runs, 99.0: point.runs[0.0]}
    found = forecast_losers({**cut, 99.0: flat}, runs)
    best = min(point.finals, key=lambda one: point.finals[one])
    assert 99.0 in found
    assert best not in found
    assert all(point.finals[one] > point.finals[best] + 0.02 for one in found if one != 99.0)
    assert found == forecast_losers({**cut, 99.0: flat}, runs)


def test_nothing_is_ended_by_curves_that_are_too_short_or_have_no_number():
    point = next(points("recipe"))
    young = {one: curve[:6] for one, curve in point.curves.items()}
    assert forecast_losers(young, point.runs) == {}
    assert forecast_losers({0.0: [], 1.0: [(9, float("nan"))]}, point.runs) == {}
