"""Drift at a point beyond the runs: what it adds to the interval, and which runs lessen it."""

import numpy as np
import pytest

import scaling
from scaling.design.drift_left import DriftLeft
from scaling.forecasting.widened import widening_of


@pytest.fixture(scope="module")
def fit(stack):
    return scaling.fit(scaling.ParallelLaw, stack, groups=False)


CANDIDATES = {"N": np.array([1e9, 8e9, 3e10, 3e10]), "P": np.array([8.0, 8.0, 8.0, 1.0])}


def test_a_run_nearer_to_the_point_leaves_less_and_one_at_it_nothing(fit):
    left = DriftLeft(widening_of(fit), {"N": 3e10, "P": 8}, CANDIDATES)
    inside, nearer, there, other = left.each()
    assert inside == left.now > nearer > there == 0
    assert 0 <= other < left.now  # of its N, though not of its compute
    left.take(1)
    assert left.now == pytest.approx(nearer)
    left.take(2)
    assert left.now == 0


def test_it_is_the_drift_that_predict_widens_by(fit):
    widening = widening_of(fit)
    point = {"N": np.array([3e10]), "P": np.array([1.0])}
    left = DriftLeft(widening, {"N": 3e10, "P": 1}, CANDIDATES)
    changes = [abs(widening.drift(way).kappa * widening.change(point, way)[0]) for way in widening.ways]
    assert left.now == pytest.approx(max(changes))


def test_suggest_adds_it_to_a_loss_beyond_the_runs_and_prefers_runs_that_lessen_it(fit):
    runs = {**CANDIDATES, "C": np.full(4, 1e20)}
    far, within = {"N": 3e10, "P": 8}, {"N": 2e9, "P": 4}
    found = scaling.suggest(fit, runs, target=far, count=2)
    t = scaling.uncertainty.interval_methods.t_quantile(fit, 0.95)
    drift = t * DriftLeft(widening_of(fit), far, CANDIDATES).now * fit.law.predict(**far)
    own = fit.predict(**far, method="covariance")
    assert found.before == pytest.approx(np.hypot(own.upper[0] - own.loss[0], drift), rel=0.02)
    assert found.table[["N", "P"]].iloc[0].tolist() == [3e10, 8.0]
    assert found.table["half_width"].iloc[0] < 0.6 * found.before
    inside = scaling.suggest(fit, runs, target=within, count=1)
    plain = fit.predict(**within, method="covariance")
    assert inside.before == pytest.approx(plain.upper[0] - plain.loss[0], rel=0.02)
