"""The best learning rate of whole runs by width, as docs/guides/sweep.md states it."""

import scaling
from results.grids.width_transfer import SWEEP, best_rates


def test_the_best_learning_rate_stays_with_mup_and_falls_without_it():
    best = best_rates(scaling.read_runs(SWEEP)).set_index(["mup_base", "width"])["lr"]
    assert best[32].to_dict() == {32: 0.004, 64: 0.004, 128: 0.004}
    assert best[0].to_dict() == {32: 0.004, 64: 0.002, 128: 0.001}
