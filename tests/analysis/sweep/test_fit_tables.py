"""Tables of a sweep's fit for the terminal."""

import numpy as np
import pytest

import scaling
from analysis.sweep import fit_tables
from scaling.fitting.printed_constants import PRINTED

TRUE = scaling.ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287)
SIZES, STREAMS = (v.ravel() for v in np.meshgrid(np.geomspace(5e7, 5e9, 5), [1.0, 2.0, 4.0, 8.0]))


def fitted(loss, rows=slice(None)):
    table = {"N": SIZES[rows], "P": STREAMS[rows], "loss": loss[rows]}
    return scaling.fit(scaling.ParallelLaw, table, scaling.LeastSquares())


def noisy(sigma, law=TRUE):
    return law.predict(N=SIZES, P=STREAMS) + sigma * np.random.default_rng(3).standard_normal(SIZES.size)


@pytest.fixture(scope="module")
def sure():
    return fitted(noisy(1e-3))


def test_parameters_and_what_streams_are_worth_are_tables_of_text(sure):
    table = fit_tables.law_table(sure)
    assert table["parameter"].tolist() == ["E", "A", "alpha", "k"]
    assert float(table["estimate"].iloc[3]) == pytest.approx(sure.law.k, rel=1e-3)
    worth = fit_tables.worth_table(sure)
    assert worth["P"].tolist() == ["2", "4", "8"]
    ends = sure.intervals().loc["k"]
    told, lower, upper = ([float(text.removeprefix("x ")) for text in worth[c]] for c in worth.columns[1:])
    assert told == pytest.approx(list(1 + sure.law.k * np.log([2, 4, 8])), rel=2e-3)
    for P, low, high in zip([2, 4, 8], lower, upper, strict=True):  # drift beyond the runs may widen them
        assert low <= (1 + ends.lower * np.log(P)) * 1.002
        assert high >= (1 + ends.upper * np.log(P)) * 0.998


def test_r2_is_told_beside_that_without_p_with_the_status(sure):
    first, second = fit_tables.goodness(sure).splitlines()
    assert f"R2 {sure.r2:.4f} (without P 0." in first
    assert second.startswith("converged: ")


def test_the_constants_beside_the_law_are_those_of_the_published_table(published):
    for corpus, row in published.constants.iterrows():
        law, r2 = PRINTED[corpus]
        assert (*law.vector, r2) == tuple(row[["E", "A", "alpha", "k", "R2"]])
