"""The grid of numbers behind each law: read between its points it gives what `Fit.predict` gives, own laws too."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

import scaling
from analysis import explorer
from analysis.explorer import law_grid
from analysis.explorer.explored_runs import read_sources
from analysis.explorer.payload import payload
from scaling.laws.base import Law, Range
from scaling.uncertainty.interval_methods import t_quantile


def weights(nodes, x):
    """The first of the nodes used and the weight of each, as law_grid.js has them."""
    first = int(np.clip(np.searchsorted(nodes, x, side="right") - 3, 0, max(len(nodes) - 6, 0)))
    near = nodes[first : first + 6]
    return first, np.array(
        [np.prod((x - np.delete(near, j)) / (a - np.delete(near, j))) for j, a in enumerate(near)]
    )


def between(values, law, N, P):
    """A quantity of the grid, (K,), at points N and P."""
    log_P = np.log(law_grid.grid_streams(law))
    table, out = values.reshape(len(log_P), -1), []
    for n, p in zip(N, P, strict=True):
        (i, across), (j, down) = weights(law_grid.log_sizes(), np.log(n)), weights(log_P, np.log(p))
        out.append(down @ table[j : j + len(down), i : i + len(across)] @ across)
    return np.array(out)


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(7)
    return np.exp(rng.uniform(np.log(1e4), np.log(1e12), 120)), rng.integers(1, 65, 120).astype(float)


def test_every_law_agrees_with_predict_to_the_stated_tolerance(sources, points):
    N, P = points
    for source in sources:
        for name, fit in source.fits.items():
            axes = {a: v for a, v in {"N": N, "P": P}.items() if a in fit.law.axes}
            at = P if "P" in axes else np.ones_like(P)
            python = fit.predict(axes, method=scaling.Covariance())
            ours = between(law_grid.losses(fit.law), fit.law, N, at)
            np.testing.assert_allclose(ours, python["loss"], rtol=law_grid.AGREES, err_msg=name)
            moves = law_grid.sensitivities(fit).astype("<f4").astype(float)
            square = sum(between(one, fit.law, N, at) ** 2 for one in moves)
            half = (python["upper"] - python["loss"]).to_numpy()
            np.testing.assert_allclose(t_quantile(fit, 0.95) * np.sqrt(square), half, rtol=1e-5, err_msg=name)


@dataclass(frozen=True)
class SlowerLaw(Law):
    """Loss that falls with ln N: a user's own law."""

    E: float
    A: float
    alpha: float
    nonlinear: ClassVar = {"alpha": Range(0.5, 4.0)}

    @staticmethod
    def terms(N, P, alpha):
        return np.ones_like(N * P * alpha), (np.log1p(N / 1e6) + 0.4 * np.log(P)) ** -alpha


@pytest.fixture(scope="module")
def own(stack):
    return scaling.fit(SlowerLaw, stack)


def test_a_law_of_the_users_own_is_on_the_page(own, points, tmp_path):
    N, P = points
    ours = between(law_grid.losses(own.law), own.law, N, P)
    np.testing.assert_allclose(ours, own.law.predict(N=N, P=P), rtol=law_grid.AGREES)
    own.save(tmp_path / "own.json")
    for given in (own, tmp_path / "own.json"):
        (source,) = read_sources([given])
        assert list(source.fits) == ["SlowerLaw"]
        told = payload([source])["sources"][0]["laws"]["SlowerLaw"]
        assert told["formula"] == "Loss that falls with ln N"
        assert len(told["sensitivities"]) == 3
    assert explorer.write([own], tmp_path / "own.html").stat().st_size > 4e6


def test_a_law_that_bends_between_the_sizes_of_the_grid_has_its_error_told(own, sources):
    class Kinked(SlowerLaw):
        """A law with a step at 1e9."""

        @staticmethod
        def terms(N, P, alpha):
            return np.ones_like(N * P * alpha), (np.log1p(N / 1e6) + 0.4 * np.log(P)) ** -alpha * (
                1 + (N < 1e9)
            )

    law = Kinked(own.law.E, own.law.A, own.law.alpha)
    assert law_grid.interpolation_error(law) > 1e-3
    for fit in sources[0].fits.values():
        assert law_grid.interpolation_error(fit.law) < law_grid.AGREES


def test_a_law_that_runs_off_is_refused_where_it_is_asked_for(own):
    endless = replace(own, law=replace(own.law, A=np.inf))
    assert not law_grid.can_be_explored(endless)
    with pytest.raises(ValueError, match="SlowerLaw"):
        read_sources([endless])
