"""Equivalent sizes as tables, of a law, of a fit and read off the points."""

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.laws import AdditiveLaw, ParallelLaw
from scaling.selection.equivalent_size import equivalents, equivalents_by_points


@pytest.fixture(scope="module")
def fitted(stack):
    return scaling.fit(ParallelLaw, stack, "log-least-squares")


def test_equivalents_of_a_fit_have_intervals(stack, fitted):
    table = equivalents(fitted, N=[[1e9], [2e9]], P=[1, 2, 6], data=stack)
    k = fitted.intervals().loc["k"]
    np.testing.assert_allclose(table["multiple"], np.tile(1 + k["estimate"] * np.log([1, 2, 6]), 2))
    for end in ("lower", "upper"):
        np.testing.assert_allclose(
            table[end] / table["N"], np.tile(1 + k[end] * np.log([1, 2, 6]), 2), rtol=2e-3
        )
    with pytest.raises(ValueError, match=r"level=1\.5"):
        equivalents(fitted, N=1e9, P=2, level=1.5)


def test_equivalents_under_a_law_without_closed_form():
    law = AdditiveLaw(E=0.7, A=30.0, alpha=0.21, C=0.12, beta=0.45)
    table = equivalents(law, N=[[1e9], [2e9]], P=[2, 6])
    np.testing.assert_allclose(law.predict(N=table["equivalent_N"], P=1), table["loss"])
    assert table["lower"].isna().all()


def test_equivalents_by_points(stack):
    table = equivalents_by_points(stack).set_index(["P", "N"])
    assert table.loc[(8, 1595669000), "equivalent_N"] == pytest.approx(3.156e9, rel=1e-3)
    assert (8, 4414502408) not in table.index  # below every one-stream loss: no answer, not a guess
    assert equivalents_by_points(stack[stack["P"] == 1]).empty


def test_any_axis_has_equivalents_with_intervals(fitted):
    streams = fitted.equivalent_N(1e9, [2, 8, 64])
    same = fitted.equivalent("N", {"P": 1}, N=1e9, P=[2, 8, 64])
    for end in ("multiple", "lower", "upper"):
        np.testing.assert_allclose(same[end], streams[end], rtol=1e-6)
    sizes = fitted.equivalent("P", {"N": 1e9}, N=[1.5e9, 1e12], P=1)
    assert sizes.lower[0] < sizes.equivalent_P[0] < sizes.upper[0]
    assert np.isinf(sizes.equivalent_P[1]) or sizes.equivalent_P[1] > 100
    with pytest.raises(ValueError, match="'D'"):
        fitted.equivalent("D", {"P": 1}, N=1e9, P=2)


def test_no_end_is_past_what_the_law_allows():
    """Six runs of two sizes, asked ten sizes further on: drift widens both ways, but streams never cost parameters."""
    N, P = (v.ravel() for v in np.meshgrid([25e3, 90e3], [1.0, 2.0, 4.0]))
    loss = ParallelLaw(E=1.5, A=2e3, alpha=0.2, k=0.2).predict(N=N, P=P)
    noise = 0.01 * np.random.default_rng(3).standard_normal(6)
    runs = pd.DataFrame({"N": N, "P": P, "loss": loss + noise})
    fitted = scaling.fit(ParallelLaw, runs, scaling.LeastSquares())
    asked = np.array([25e3, 9e5])
    streams = fitted.equivalent_N(asked, 4)
    assert (streams.lower >= asked).all()
    assert streams.lower[1] == asked[1]  # the widening would go below
    assert (fitted.equivalent_N(asked, 1, at_P=4).upper <= asked).all()
    more = fitted.equivalent("P", {"N": 2 * asked}, N=asked, P=2, method=scaling.Covariance())
    assert not (more.upper > 2).any()  # a larger model needs no more streams
