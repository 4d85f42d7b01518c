"""The estimate: information criteria from its residuals."""

import numpy as np
import pytest

import scaling


def test_information_criteria(pile):
    fit = scaling.fit("parallel", pile, "least-squares")
    n, q, rss = 24, 5, float((fit.residuals**2).sum())
    assert fit.n == 24
    assert fit.bic == pytest.approx(n * np.log(rss / n) + q * np.log(n), rel=1e-12)
    assert fit.aicc == pytest.approx(n * np.log(rss / n) + 2 * q + 2 * q * (q + 1) / (n - q - 1), rel=1e-12)
    assert np.isnan(scaling.fit("parallel", pile[:5]).aicc)


def test_a_row_that_counts_five_times_is_five_rows(pile):
    w = np.ones(24)
    w[[1, 5, 9, 13]] = 5
    weighted = scaling.fit("parallel", pile, weights=w)
    repeated = scaling.fit("parallel", pile.loc[pile.index.repeat(w.astype(int))])
    assert weighted.noise == pytest.approx(repeated.noise, rel=1e-6)
