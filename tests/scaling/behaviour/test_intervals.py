"""Interval methods side by side: what they agree on, and what is said where they fall short."""

import itertools
import re

import numpy as np
import pandas as pd

import scaling
from scaling import Bootstrap, Covariance, ParallelLaw, Profile
from scaling.uncertainty.cluster_profile import ClusterProfile
from scaling.uncertainty.prediction import default_method

SQUARES = scaling.LeastSquares(log=True)


def test_methods_agree_where_the_law_is_nearly_linear() -> None:
    N, P = (
        np.array(v)
        for v in zip(*itertools.product(np.geomspace(1e7, 1e10, 12), [1.0, 2.0, 4.0, 8.0, 16.0]), strict=True)
    )
    loss = ParallelLaw(1.2, 3e7, 0.31, 0.41).predict(N=N, P=P) * np.exp(
        1e-4 * np.random.default_rng(4).standard_normal(60)
    )
    fit = scaling.fit(ParallelLaw, {"N": N, "P": P, "loss": loss}, SQUARES)
    one = fit.intervals(method=Covariance())
    for method in (Profile(), Bootstrap(1000, kind="residual"), Bootstrap(1000)):
        other = fit.intervals(method=method)
        np.testing.assert_allclose((other.upper - other.lower) / (one.upper - one.lower), 1, atol=0.2)


def test_clusters_get_longer_profile_intervals(pile: pd.DataFrame) -> None:
    three = pd.concat([pile] * 3, ignore_index=True)
    wobble = 1e-4 * np.random.default_rng(0).standard_normal(72)
    three["loss"] *= np.exp(wobble)
    three["run"] = np.tile(np.arange(24), 3)
    naive, honest = (scaling.fit(ParallelLaw, three, SQUARES, groups=g) for g in (False, "run"))
    assert type(default_method(naive)) is Profile
    assert type(default_method(honest)) is ClusterProfile
    k = [f.intervals().loc["k"] for f in (naive, honest)]
    assert (k[1].upper - k[1].lower) > 1.4 * (
        k[0].upper - k[0].lower
    )  # sqrt(3) if all rows had the same variance
    assert "33-87 %" in Profile().caveat(honest)
    assert re.search(r"24.*groups", repr(honest))
    pairs = scaling.fit(ParallelLaw, pile, SQUARES, groups=np.arange(24) // 2)
    assert default_method(pairs).caveat(pairs) == ""  # no advice to take what counts rows as independent


def test_where_a_method_falls_short_it_is_said(fit: scaling.Fit) -> None:
    assert fit.intervals().attrs == {"method": "profile likelihood", "caveat": "", "unconfirmed": []}
    assert "80-96 %" in fit.intervals(method=Bootstrap(200)).attrs["caveat"]
    assert "94.7-98.9 %" in fit.intervals(method=Covariance()).attrs["caveat"]
