"""What every registered law promises."""

import itertools

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import REGISTRY, AdditiveLaw, DiversityLaw, Law, ParallelLaw

# Three truths a law, asymmetric and off-centre: none round, none at a bound, none on a start of the grid.
TRUTHS: dict[str, list[Law]] = {
    "parallel": [
        ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287),
        ParallelLaw(E=0.61, A=8.7e4, alpha=0.431, k=0.071),
        ParallelLaw(E=2.23, A=4.4e9, alpha=0.127, k=1.63),
    ],
    "diversity": [
        DiversityLaw(E=1.29, A=2.3e7, alpha=0.237, rho=0.871),
        DiversityLaw(E=0.53, A=1.9e5, alpha=0.389, rho=0.623),
        DiversityLaw(E=2.11, A=6.3e8, alpha=0.143, rho=0.957),
    ],
    "power": [
        scaling.ParallelPowerLaw(E=1.41, A=2.7e7, alpha=0.227, gamma=0.193),
        scaling.ParallelPowerLaw(E=0.47, A=1.3e5, alpha=0.443, gamma=0.067),
        scaling.ParallelPowerLaw(E=1.97, A=3.7e9, alpha=0.131, gamma=0.411),
    ],
    "additive": [
        AdditiveLaw(E=1.19, A=57.3, alpha=0.271, C=0.083, beta=0.467),
        AdditiveLaw(E=0.71, A=911.0, alpha=0.393, C=0.217, beta=0.831),
        AdditiveLaw(E=2.07, A=17.9, alpha=0.137, C=0.041, beta=1.37),
    ],
    "additive-half": [
        REGISTRY["additive-half"](E=1.19, A=57.3, alpha=0.271, C=0.083, beta=0.5),
        REGISTRY["additive-half"](E=0.71, A=911.0, alpha=0.393, C=0.217, beta=0.5),
        REGISTRY["additive-half"](E=2.07, A=17.9, alpha=0.137, C=0.041, beta=0.5),
    ],
    "saturating": [
        scaling.SaturatingLaw(E=1.23, A=1.7e7, alpha=0.263, rho=0.817, gamma=0.731),
        scaling.SaturatingLaw(E=0.59, A=2.9e5, alpha=0.377, rho=0.637, gamma=1.29),
        scaling.SaturatingLaw(E=1.83, A=5.3e8, alpha=0.159, rho=0.887, gamma=0.443),
    ],
    "log-multiplicative": [
        scaling.LogMultiplicativeLaw(E=1.31, A=43.1, alpha=0.223, beta=0.113),
        scaling.LogMultiplicativeLaw(E=0.67, A=787.0, alpha=0.411, beta=0.291),
        scaling.LogMultiplicativeLaw(E=2.17, A=13.3, alpha=0.139, beta=0.053),
    ],
    "dense": [
        scaling.DenseLaw(E=1.37, A=3.1e7, alpha=0.213),
        scaling.DenseLaw(E=0.61, A=8.7e4, alpha=0.431),
        scaling.DenseLaw(E=2.23, A=4.4e9, alpha=0.127),
    ],
    "chinchilla": [
        scaling.ChinchillaLaw(E=1.67, A=403.0, B=417.0, alpha=0.337, beta=0.283),
        scaling.ChinchillaLaw(E=0.83, A=57.0, B=19000.0, alpha=0.217, beta=0.461),
        scaling.ChinchillaLaw(E=2.29, A=1970.0, B=77.0, alpha=0.419, beta=0.193),
    ],
    "interaction": [
        scaling.InteractionLaw(E=1.67, A=3.1e7, B=4.4e9, alpha=0.337, beta=0.283, gamma=0.61),
        scaling.InteractionLaw(E=0.83, A=6.3e8, B=2.7e10, alpha=0.217, beta=0.461, gamma=1.37),
        scaling.InteractionLaw(E=2.29, A=4.7e6, B=1.9e8, alpha=0.419, beta=0.193, gamma=0.87),
    ],
    "equal-exponents": [
        scaling.EqualExponentsLaw(E=1.67, A=403.0, B=417.0, alpha=0.337),
        scaling.EqualExponentsLaw(E=0.83, A=57.0, B=190.0, alpha=0.217),
        scaling.EqualExponentsLaw(E=2.29, A=1970.0, B=7700.0, alpha=0.419),
    ],
    "no-floor": [
        scaling.NoFloorLaw(A=23.0, B=417.0, alpha=0.137, beta=0.283),
        scaling.NoFloorLaw(A=57.0, B=19.0, alpha=0.217, beta=0.113),
        scaling.NoFloorLaw(A=9.7, B=77.0, alpha=0.091, beta=0.193),
    ],
    "kaplan": [
        scaling.KaplanLaw(A=3.1e13, B=4.4e13, alpha=0.077, beta=0.103, gamma=0.31),
        scaling.KaplanLaw(A=6.3e11, B=2.7e12, alpha=0.117, beta=0.161, gamma=0.57),
        scaling.KaplanLaw(A=4.7e12, B=1.9e14, alpha=0.093, beta=0.087, gamma=0.83),
    ],
    "parallel-data": [
        scaling.ParallelDataLaw(E=1.43, A=2.9e7, B=411.0, alpha=0.317, k=0.287, beta=0.277),
        scaling.ParallelDataLaw(E=0.77, A=1.7e5, B=6900.0, alpha=0.227, k=0.513, beta=0.391),
        scaling.ParallelDataLaw(E=2.03, A=3.3e6, B=113.0, alpha=0.371, k=0.137, beta=0.209),
    ],
}
CASES = [(name, i) for name in REGISTRY for i in range(3)]
GRIDS = {
    "N": np.geomspace(3.1e7, 7.7e9, 6),
    "P": np.array([1.0, 2.0, 4.0, 8.0]),
    "D": np.geomspace(1.3e9, 4.1e11, 5),
}


def grid(law: Law) -> dict[str, np.ndarray]:
    values = itertools.product(*(GRIDS[a] for a in law.axes))
    return {a: np.array(v) for a, v in zip(law.axes, zip(*values, strict=True), strict=True)}


@pytest.fixture(params=CASES, ids=lambda c: f"{c[0]}-{c[1]}")
def law(request: pytest.FixtureRequest) -> Law:
    name, i = request.param
    return TRUTHS[name][i]


def test_every_registered_law_has_truths_and_a_source() -> None:
    assert set(TRUTHS) == set(REGISTRY)
    for law in REGISTRY.values():
        assert law.source
        assert law.__doc__
        assert "L = " in law.__doc__


def test_shapes_and_broadcasting(law: Law) -> None:
    axes = grid(law)
    loss = law.predict(**axes)
    assert loss.shape == axes["N"].shape
    assert np.isfinite(loss).all()
    point = {a: axes[a][3] for a in law.axes}
    assert isinstance(law.predict(**point), float)
    assert law.predict(**point) == pytest.approx(loss[3], rel=1e-15)
    whole = {a: round(v) for a, v in point.items()}  # ints, where the axes are
    assert law.predict(**whole) == pytest.approx(law.predict(**{a: float(v) for a, v in whole.items()}))
    column = law.predict(**(point | {"N": axes["N"].reshape(-1, 1)}))
    assert column.shape == (axes["N"].size, 1)


def test_a_series_gives_a_series_on_its_index(law: Law) -> None:
    table = pd.DataFrame(grid(law))
    table.index = table.index[::-1] + 7
    out = law.predict(**{a: table[a] for a in law.axes})
    assert isinstance(out, pd.Series)
    assert (out.index == table.index).all()


def test_gradient_is_the_central_difference(law: Law) -> None:
    axes = grid(law)
    analytic = law.gradient(**axes)
    assert analytic.shape == (axes["N"].size, len(law.names()))
    for i in range(len(law.names())):
        step = 1e-6 * law.vector[i]
        up, down = (
            type(law).from_vector(law.vector + s * np.eye(len(law.names()))[i]) for s in (step, -step)
        )
        numeric = (up.predict(**axes) - down.predict(**axes)) / (2 * step)
        np.testing.assert_allclose(analytic[:, i], numeric, rtol=2e-6, atol=1e-9 * abs(numeric).max())


def test_limits(law: Law) -> None:
    rest = {a: 1e9 if a == "D" else 3.0 for a in law.axes if a != "N"}
    floor = law.limit("N", **rest)
    assert floor == pytest.approx(law.predict(N=1e200, **rest), abs=1e-9)
    assert floor < law.predict(N=1e9, **rest)
    if law.axes == ("N",) or isinstance(law, (ParallelLaw, scaling.ParallelPowerLaw)):
        assert floor == pytest.approx(law.E)
    if "P" in law.axes:
        others = {a: 1e9 for a in law.axes if a != "P"}
        assert law.E - 1e-12 <= law.limit("P", **others) < law.predict(P=64, **others)
    with pytest.raises(ValueError, match="has no axis 'Q'"):
        law.limit("Q", **rest)


def test_the_limit_in_P_of_a_law_with_a_floor_is_that_floor() -> None:
    law = TRUTHS["diversity"][0]
    N = 6.7e8
    assert law.limit("P", N=N) == pytest.approx(law.E + law.rho * (law.A / N) ** law.alpha, rel=1e-12)


def test_inverse_round_trip(law: Law) -> None:
    axes = grid(law)
    rest = {a: v for a, v in axes.items() if a != "N"}
    back = law.inverse(law.predict(**axes), **rest)
    np.testing.assert_allclose(back, axes["N"], rtol=1e-8)
    lowest = {a: v[:1] for a, v in rest.items()}
    below = law.limit("N", **lowest) - 0.01
    assert np.isinf(law.inverse(below, **lowest)).all()


def test_equivalent_sizes(law: Law) -> None:
    if "P" not in law.axes:
        pytest.skip("no streams")
    rest = {"D": 3e10} if "D" in law.axes else {}
    worth = law.equivalent_N(N=6.1e8, P=4, **rest)
    assert worth > 6.1e8
    assert law.predict(N=worth, P=1, **rest) == pytest.approx(law.predict(N=6.1e8, P=4, **rest), rel=1e-9)
    assert law.equivalent_N(N=6.1e8, P=4, at_P=4, **rest) == pytest.approx(6.1e8, rel=1e-9)
    assert law.equivalent_P(N=6.1e8, P=4, at_N=6.1e8, **rest) == pytest.approx(4, rel=1e-7)
    if "E" in law.names() and law.predict(N=9e12, P=1, **rest) < law.predict(N=6.1e8, P=4, **rest):
        assert np.isnan(law.equivalent_P(N=6.1e8, P=4, at_N=9e12, **rest))  # even P = 1 is better


def test_parallel_law_closed_form_equals_the_inverse() -> None:
    law = TRUTHS["parallel"][0]
    expected = 2.8e9 * (law.k * np.log(4) + 1) / (law.k * np.log(2) + 1)
    assert law.equivalent_N(N=2.8e9, P=4, at_P=2) == pytest.approx(expected, rel=1e-14)
    assert Law.equivalent_N(law, 2.8e9, 4, 2) == pytest.approx(expected, rel=1e-9)
    assert law.A_prime == pytest.approx(law.A**law.alpha, rel=1e-12)


def test_from_vector_and_batches(law: Law) -> None:
    assert type(law).from_vector(law.vector) == law
    batch = type(law).from_vector(np.stack([law.vector, law.vector * 1.01]))
    assert batch.vector.shape == (2, len(law.names()))
    axes = {a: 2.0 if a == "P" else 1e9 for a in law.axes}
    assert batch.predict(**axes).shape == (2,)
    assert batch.predict(**axes)[0] == pytest.approx(law.predict(**axes), rel=1e-15)


def test_fit_recovers_the_truth_without_noise(law: Law) -> None:
    axes = grid(law)
    fit = scaling.fit(type(law), {**axes, "loss": law.predict(**axes)})
    assert fit.status == scaling.Status.CONVERGED
    for name in law.free():
        assert getattr(fit.law, name) == pytest.approx(getattr(law, name), rel=1e-6), name


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"P": 2}, "missing N"),
        ({"N": 1e9, "P": 2, "Q": 1}, "unknown axis Q"),
        ({"N": 0, "P": 2}, "N=0 must be finite and > 0"),
        ({"N": -3e9, "P": 2}, r"N=-3e\+09 must be finite"),
        ({"N": [1e9, float("nan")], "P": 2}, "N=nan must be finite"),
        ({"N": float("inf"), "P": 2}, "N=inf must be finite"),
        ({"N": 1e9, "P": 0.5}, "P=0.5 must be finite and >= 1"),
        ({"N": "big", "P": 1}, "N='big' is not a number"),
    ],
)
def test_refusals(axes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TRUTHS["parallel"][0].predict(**axes)


def test_fixing_a_parameter() -> None:
    half = AdditiveLaw.with_fixed(beta=0.5)
    assert half.free() == ("E", "A", "alpha", "C")
    assert scaling.by_name("additive:beta=0.5").fixed == {"beta": 0.5}
    assert AdditiveLaw.with_fixed(C=1.0).free() == ("E", "A", "alpha", "beta")
    with pytest.raises(ValueError, match="has no parameter 'k'"):
        AdditiveLaw.with_fixed(k=1.0)
    with pytest.raises(ValueError, match="beta=-1 is outside"):
        AdditiveLaw.with_fixed(beta=-1)
    with pytest.raises(ValueError, match="unknown law 'cubic'; known: parallel"):
        scaling.by_name("cubic")
    with pytest.raises(ValueError, match="write fixed values as"):
        scaling.by_name("additive:beta")
