"""Errors that neighbouring runs share, carried over to the point asked for."""

import numpy as np

from scaling.forecasting.discrepancy import discrepancy
from tests.scaling.forecast_runs import TRUTH, grid, member_of


def test_errors_that_neighbours_share_are_carried_over() -> None:
    """Errors that rise along N and D together, which an additive law cannot follow."""
    runs, corner = grid(noise=0.0002), {"N": np.array([4e8]), "D": np.array([1.8e10])}
    logs, at = np.log(runs[["N", "D"]].to_numpy()), np.log([[4e8, 1.8e10]])
    low, width = logs.min(0), np.ptp(logs, axis=0)
    where, there = (logs - low) / width, (at - low) / width
    miss = 0.01 * ((where - 0.5).prod(1)), 0.01 * ((there - 0.5).prod(1))
    one, plain = member_of(runs.assign(loss=runs.loss * np.exp(miss[0]))), member_of(runs)
    found, none = (discrepancy(m, where, there, corner) for m in (one, plain))
    assert found.shared[0] > 10 * none.shared[0]
    truth = np.log(TRUTH.predict(N=4e8, D=1.8e10)) + miss[1][0]
    before, after = (abs(one.log_loss(corner)[0] + c - truth) for c in (0.0, found.correction[0]))
    assert after < 0.2 * before
