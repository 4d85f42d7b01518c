"""The solver: the same answer each time, in any units."""

import numpy as np
import pytest

import scaling
from scaling import ChinchillaLaw, ParallelLaw, Status
from tests.scaling.twenty_runs import N, P, runs


def test_deterministic() -> None:
    one, two = scaling.fit(ParallelLaw, runs()), scaling.fit(ParallelLaw, runs())
    assert one.law == two.law
    assert (one.theta == two.theta).all()


def test_units_of_the_axes_do_not_matter() -> None:
    table = runs().assign(D=2e6 * np.sqrt(N) * (1 + P))
    small = scaling.fit(ChinchillaLaw, table)
    large = scaling.fit(ChinchillaLaw, table.assign(N=N / 1e9, D=table.D / 1e9))
    assert small.status == Status.CONVERGED
    assert small.law.alpha == pytest.approx(large.law.alpha, rel=1e-7)
    assert small.objective_value == pytest.approx(large.objective_value, rel=1e-10)
