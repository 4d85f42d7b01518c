"""Callbacks of a run: when it is evaluated, and a loss that leaves all bounds ends it as diverged."""

from dataclasses import replace

import pytest

from sweeps.training.callbacks import evaluation_steps
from tests.sweeps.small_run import config

RUN = config("x")


@pytest.mark.parametrize(
    ("steps", "evaluations", "expected"),
    [(24, 1, {24}), (24, 3, {8, 16, 24}), (10, 4, {2, 5, 8, 10}), (2, 5, {0, 1, 2})],
)
def test_evaluations_are_spread_evenly_and_the_last_step_has_one(steps, evaluations, expected):
    assert evaluation_steps(replace(RUN, steps=steps, evaluations=evaluations)) == expected
