"""The numbers behind each law: read between their nodes they give what `law.predict` gives, own laws of any axes too."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

import scaling
from analysis.explorer import law_grid
from analysis.explorer.explored_runs import read_sources
from analysis.explorer.page_axes import PointGrid, node_weights
from analysis.explorer.payload import payload
from scaling.laws.base import Law, Range


def between(fit, axes, points):
    """The grid of a law read at points, as the page reads it."""
    grid = law_grid.loss_grid(axes, fit.law)
    table = law_grid.losses(fit.law, grid).reshape(grid.shape(fit.law.axes))
    rows = [node_weights(grid.nodes(a), axes[a].inner(points[a]), law_grid.NEAR) for a in fit.law.axes]
    for w in rows[:1]:
        table = np.einsum("kn,n...->k...", w, table)
    for w in rows[1:]:
        table = np.einsum("kn,kn...->k...", w, table)
    return table


@pytest.fixture(scope="module")
def source(stack_fits):
    return read_sources(
        [stack_fits / f"{name}-stack-v2-python.json" for name in ("parallel", "additive", "dense")]
    )[0]


@pytest.mark.slow
def test_every_law_agrees_with_predict_to_the_stated_tolerance(source):
    rng = np.random.default_rng(7)
    N = np.exp(rng.uniform(np.log(source.axes["N"].least), np.log(source.axes["N"].most), 120))
    P = rng.integers(1, 65, 120).astype(float)
    for name, fit in source.fits.items():
        at = {axis: {"N": N, "P": P}[axis] for axis in fit.law.axes}
        np.testing.assert_allclose(
            between(fit, source.axes, at), fit.law.predict(**at), rtol=law_grid.AGREES, err_msg=name
        )
        grid = law_grid.loss_grid(source.axes, fit.law)
        assert law_grid.interpolation_error(fit.law, grid, law_grid.losses(fit.law, grid)) < law_grid.AGREES


@dataclass(frozen=True)
class DeepLaw(Law):
    """Loss of width, depth and tokens: a user's own law of three axes."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float
    axes: ClassVar = ("width", "depth", "D")
    nonlinear: ClassVar = {"alpha": Range(0.1, 2.0), "beta": Range(0.1, 2.0)}

    @staticmethod
    def terms(width, depth, D, alpha, beta):
        return (
            np.ones_like(width * depth * D * alpha * beta),
            (width**2 * depth / 1e6) ** -alpha,
            (D / 1e9) ** -beta,
        )


@pytest.fixture(scope="module")
def own():
    width, depth, D = (
        x.ravel() for x in np.meshgrid([256, 512, 1024], [4, 8, 16], [1e9, 4e9, 1.6e10], indexing="ij")
    )
    law = DeepLaw(1.8, 0.9, 0.5, 0.35, 0.3)
    loss = law.predict(width=width, depth=depth, D=D) * (1 + 0.002 * np.cos(np.arange(width.size)))
    return scaling.fit(DeepLaw, {"width": width, "depth": depth, "D": D, "loss": loss})


def test_a_law_of_the_users_own_axes_is_on_the_page(own, tmp_path):
    own.save(tmp_path / "own.json")
    for given in (own, tmp_path / "own.json"):
        (source,) = read_sources([given])
        assert list(source.axes) == ["width", "depth", "D"]
        assert [axis.whole for axis in source.axes.values()] == [True, True, False]
    rng = np.random.default_rng(3)
    at = {
        "width": np.array([300.0, 777.0]),
        "depth": np.array([5.0, 30.0]),
        "D": np.exp(rng.uniform(21, 25, 2)),
    }
    np.testing.assert_allclose(between(own, source.axes, at), own.law.predict(**at), rtol=1e-5)
    told = payload([source])["sources"][0]
    law = told["laws"]["DeepLaw"]
    assert law["formula"] == "Loss of width, depth and tokens"
    assert law["error"] < 1e-5
    assert law["interval"]["centre"]
    assert told["worth"] is None
    assert told["pool"]["weights"]["DeepLaw"] > 0.99  # against the registered law of these axes


@pytest.mark.slow
def test_a_law_that_bends_between_the_nodes_has_its_error_told(source):
    class Kinked(scaling.DenseLaw):
        """A law with a step at 1e9."""

        @staticmethod
        def terms(N, alpha):
            return np.ones_like(N * alpha), N**-alpha * (1 + (N < 1e9))

    law = Kinked(*source.fits["dense"].law.vector)
    grid = law_grid.loss_grid(source.axes, law)
    assert law_grid.interpolation_error(law, grid, law_grid.losses(law, grid)) > 1e-3


def test_a_law_that_runs_off_is_refused_where_it_is_asked_for(own):
    endless = replace(own, law=replace(own.law, A=np.inf))
    with pytest.raises(ValueError, match="DeepLaw"):
        read_sources([endless])
    assert isinstance(law_grid.loss_grid(read_sources([own])[0].axes, own.law), PointGrid)
