"""The bootstrap: full refits, seeded, of the kind that covers best."""

import numpy as np
import pytest

import scaling
from scaling import Bootstrap, ParallelLaw


def test_the_bootstrap_is_of_the_kind_that_covers_best():
    assert Bootstrap() == Bootstrap(kind="normal")


SQUARES = scaling.LeastSquares(log=True)


def test_bootstrap_refits_are_full_refits(fit: scaling.Fit) -> None:
    problem, theta = Bootstrap(100, kind="case", seed=3).refits(fit)
    for i in (0, 57):
        alone = scaling.fit(ParallelLaw, {**fit.axes, "loss": fit.loss}, SQUARES, weights=problem.w[i])
        np.testing.assert_allclose(problem.named(theta[i : i + 1])[0], alone.law.vector, rtol=2e-4)


def test_bootstrap_is_seeded_and_refuses_nonsense(fit: scaling.Fit) -> None:
    assert fit.intervals(method=Bootstrap(200)).equals(fit.intervals(method=Bootstrap(200)))
    assert not fit.intervals(method=Bootstrap(200)).equals(fit.intervals(method=Bootstrap(200, seed=1)))
    with pytest.raises(ValueError, match="kind='jackknife'"):
        Bootstrap(kind="jackknife")
    with pytest.raises(ValueError, match="100"):
        Bootstrap(10)
    with pytest.raises(ValueError, match=r"level=95.*0.*1"):
        fit.intervals(level=95)
