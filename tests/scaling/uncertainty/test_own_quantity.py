"""Quantities of which each row is asked for its own, and parts of them."""

import numpy as np

from scaling import ParallelLaw
from scaling.uncertainty.own_quantity import Part, PredictedLoss, own_of

AT = PredictedLoss((np.geomspace(1e8, 1e10, 5), np.array([1.0, 2.0, 4.0, 8.0, 16.0])))
LAWS = ParallelLaw(
    E=np.array([1.3, 1.4, 1.5]), A=np.full(3, 3e7), alpha=np.full(3, 0.2), k=np.array([0, 0.3, 0.5])
)


def test_own_values_are_those_of_the_whole() -> None:
    k = np.array([4, 0, 2])
    assert (own_of(AT, LAWS, k) == AT(LAWS)[np.arange(3), k]).all()
    assert (own_of(lambda law: AT(law), LAWS, k) == own_of(AT, LAWS, k)).all()


def test_a_part_is_some_columns_and_counts_within_them() -> None:
    part = Part(AT, slice(2, 4))
    assert (part(LAWS) == AT(LAWS)[:, 2:4]).all()
    k = np.array([1, 0, 1])
    assert (part.own(LAWS, k) == AT(LAWS)[np.arange(3), k + 2]).all()
