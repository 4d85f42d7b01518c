"""Laws of whole curves: the sums of their sources step by step, and gradients."""

import numpy as np
import pytest

from scaling.curves.curve_laws import AnnealingLaw, MultiPowerLaw
from scaling.curves.schedule import Schedule
from tests.scaling.curves.curve_cases import SHAPE, points_of

TRUTHS = {
    MultiPowerLaw: {"L0": 2.97, "A": 0.52, "B": 363.0, "alpha": 0.51, "C": 2.07, "beta": 0.58, "gamma": 0.64},
    AnnealingLaw: {"L0": 2.97, "A": 0.52, "B": 363.0, "alpha": 0.51, "tau": 130.0},
}


def by_steps(law, truth, schedule, steps):
    """The source's sum over every step."""
    lr = schedule.rate(np.arange(schedule.end + 1))
    S, change, out = np.cumsum(lr), np.diff(lr, prepend=0.0), []
    for t in steps.astype(int):
        k = np.flatnonzero(change[1 : t + 1]) + 1
        if law is MultiPowerLaw:
            weight = 1 - (1 + truth["C"] * lr[k] ** -truth["gamma"] * (S[t] - S[k - 1])) ** -truth["beta"]
        else:
            weight = 1 - np.exp(-(t - k + 1) / truth["tau"])
        out.append(
            truth["L0"] + truth["A"] * S[t] ** -truth["alpha"] + truth["B"] * (change[k] * weight).sum()
        )
    return np.array(out)


@pytest.mark.parametrize("shape", ["cosine", "wsd"])
@pytest.mark.parametrize("law", [MultiPowerLaw, AnnealingLaw])
def test_few_segments_give_the_sum_over_every_step(law, shape):
    schedule, steps = Schedule.shaped(shape, **SHAPE), np.arange(1000.0, 6001, 100)
    made = law.bound(points_of(steps, schedule)).from_vector([*TRUTHS[law].values()])
    predicted = made.predict(point=np.arange(1.0, steps.size + 1))
    assert predicted == pytest.approx(by_steps(law, TRUTHS[law], schedule, steps), abs=6e-4)


@pytest.mark.parametrize("law", [MultiPowerLaw, AnnealingLaw])
def test_gradients_are_central_differences(law):
    steps = np.arange(1000.0, 6001, 500)
    made = law.bound(points_of(steps, Schedule.shaped("cosine", **SHAPE)))
    point, vector = np.arange(1.0, steps.size + 1), np.array([*TRUTHS[law].values()])
    gradient = made.from_vector(vector).gradient(point=point)
    for j, value in enumerate(vector):
        step = np.eye(vector.size)[j] * 1e-5 * value
        up, down = (made.from_vector(vector + s).predict(point=point) for s in (step, -step))
        assert gradient[:, j] == pytest.approx((up - down) / (2e-5 * value), rel=1e-5, abs=1e-9)
