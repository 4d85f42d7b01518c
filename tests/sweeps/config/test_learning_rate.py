"""The planned learning rate: it rises, holds and falls, and a few knots describe it fully."""

from itertools import pairwise

import numpy as np
import pytest

from sweeps.config.learning_rate import learning_rate_factor, planned_rates
from tests.sweeps.planned_run import config


@pytest.mark.parametrize("schedule", ["cosine", "linear", "wsd"])
def test_schedules_rise_hold_and_fall(schedule):
    run = config(steps=100, schedule=schedule, warmup=0.1, decay_share=0.3, final_lr=0.2)
    factors = [learning_rate_factor(run, step) for step in range(100)]
    assert factors[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert factors[-1] == pytest.approx(0.2)
    assert all(a >= b for a, b in pairwise(factors[9:]))
    assert factors[65] == pytest.approx(
        {"cosine": 0.45016, "linear": 0.50222, "wsd": 1.0}[schedule], abs=1e-4
    )


@pytest.mark.parametrize("schedule", ["cosine", "linear", "wsd"])
def test_knots_tell_the_whole_plan(schedule):
    run = config(steps=3000, schedule=schedule, warmup=0.05, decay_share=0.3, final_lr=0.1)
    steps, rates = planned_rates(run)
    assert (steps[0], steps[-1]) == (1, 3000)
    whole = run.lr * np.array([learning_rate_factor(run, step) for step in range(3000)])
    assert np.interp(np.arange(1, 3001), steps, rates) == pytest.approx(whole, abs=0.01 * run.lr)
