"""Tables that need no reading are recognised, and fitted as any other table is."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.data.columns.plain import plain_columns
from scaling.laws import axes_of_laws

AXES = axes_of_laws(["parallel"])
N, P = (values.ravel() for values in np.meshgrid(np.geomspace(3e7, 2e9, 5), [1, 2, 4]))
TRUTH = scaling.ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287)
NOISE = 1e-3 * np.random.default_rng(0).standard_normal(N.size)
PLAIN: dict[str, Any] = {"N": N, "P": P, "loss": TRUTH.predict(N=N, P=P) * np.exp(NOISE)}


def test_the_columns_of_a_plain_table_are_copies_as_float64() -> None:
    found = plain_columns(PLAIN, AXES)
    assert found is not None
    assert [values.dtype for values in found.values()] == [np.dtype(np.float64)] * 3
    assert not any(np.shares_memory(found[name], PLAIN[name]) for name in PLAIN)


@pytest.mark.parametrize(
    "changed",
    [
        {"N": N / 1e9},  # billions: the unit is a guess
        {"N": np.where(P == 2, np.nan, N)},
        {"N": N.tolist()},
        {"P": P + 0.5},
        {"P": P[:-1]},
        {"loss": 30 * PLAIN["loss"]},  # perplexities?
        {"loss": np.full(N.size, 2.5)},  # rows that repeat others
        {"status": np.full(N.size, "ok")},
    ],
    ids=["billions", "nan", "list", "halves", "short", "large", "equal", "more"],
)
def test_a_table_with_something_to_read_is_not_plain(changed: dict[str, Any]) -> None:
    assert plain_columns({**PLAIN, **changed}, AXES) is None


def test_a_plain_table_is_fitted_as_the_same_dataframe_is() -> None:
    weights = np.where(P == 2, 0.0, 1.0)
    ways = [scaling.fit("parallel", table, weights=weights) for table in (PLAIN, pd.DataFrame(PLAIN))]
    one, other = ways
    assert one.certificate == other.certificate
    assert (one.law, one.reading, one.grouping) == (other.law, other.reading, other.grouping)
    assert one.residuals.index.tolist() == other.residuals.index.tolist() == np.flatnonzero(weights).tolist()
