"""Curves of a known law under named schedules, for tests."""

import numpy as np

from scaling.curves.curve_laws import AnnealingLaw, CurvePoints
from scaling.curves.curve_table import Curve
from scaling.curves.schedule import Schedule

SHAPE = {"steps": 6000, "peak": 3e-4, "warmup": 500}
TRUTH = {"L0": 2.87, "A": 0.53, "B": 410.0, "alpha": 0.47, "tau": 160.0}


def points_of(steps, schedule):
    return CurvePoints(
        steps, schedule.total(steps), ((slice(0, steps.size), schedule.segments),), schedule.peak
    )


def curve(shape, sd=0.0, seed=0, law=AnnealingLaw, truth=TRUTH):
    schedule = Schedule.shaped(shape, **SHAPE)
    steps = np.arange(600.0, 6001, 60)
    made = law.bound(points_of(steps, schedule)).from_vector([*truth.values()])
    losses = made.predict(point=np.arange(1.0, steps.size + 1))
    noise = sd * np.random.default_rng(seed).standard_normal(steps.size)
    return Curve(shape, steps, losses + noise, schedule, np.ones(steps.size))
