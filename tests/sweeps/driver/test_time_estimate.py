"""How long a training step takes, and a grid by its busiest worker."""

import pytest
import torch

from sweeps.driver import time_estimate
from sweeps.grids.grids import Axes, find


def test_a_grid_takes_as_long_as_its_busiest_worker():
    assert time_estimate.together([3.0, 5.0, 2.0, 4.0], 2) == 7.0
    assert time_estimate.together([3.0, 5.0, 2.0, 4.0], 1) == 14.0
    assert time_estimate.together([3.0, 5.0, 2.0, 4.0], 9) == 5.0


RUNS = find("ci")(Axes(sizes=("32x1",), streams=(1, 2), seeds=(0, 1)))


def test_what_is_timed_is_a_training_step(monkeypatch):
    threads = torch.get_num_threads()
    clock = iter(range(100))
    monkeypatch.setattr(time_estimate.time, "perf_counter", lambda: float(next(clock)))
    speed = time_estimate.time_training(RUNS[0], threads)  # a second a pass, a second an update
    batch = 8 * 64  # the whole batch is tried: it is small
    assert 1 / speed == pytest.approx(1 / batch + 1 / batch)
    assert time_estimate.time_training(RUNS[0], threads, "gpu") == 0.0
