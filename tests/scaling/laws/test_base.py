"""What every registered law promises."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import REGISTRY, Law, ParallelLaw
from tests.scaling.law_truths import TRUTHS
from tests.scaling.one_line import in_one_line

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


@pytest.fixture(params=REGISTRY)
def one_law(request: pytest.FixtureRequest) -> Law:
    return TRUTHS[request.param][0]


def test_every_registered_law_has_truths_and_a_source() -> None:
    assert set(TRUTHS) == set(REGISTRY)
    for law in REGISTRY.values():
        assert law.source
        assert law.__doc__
        assert "L = " in law.__doc__


def test_shapes_and_broadcasting(one_law: Law) -> None:
    law, axes = one_law, grid(one_law)
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
    table = pd.DataFrame(axes)
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


def test_limits(one_law: Law) -> None:
    law = one_law
    rest = {a: 1e9 if a == "D" else 3.0 for a in law.axes if a != "N"}
    floor = law.limit("N", **rest)
    assert floor == pytest.approx(law.predict(N=1e200, **rest), abs=1e-9)
    assert floor < law.predict(N=1e9, **rest)
    if law.axes == ("N",) or isinstance(law, (ParallelLaw, scaling.ParallelPowerLaw)):
        assert floor == pytest.approx(law.E)
    if "P" in law.axes:
        others = {a: 1e9 for a in law.axes if a != "P"}
        assert law.E - 1e-12 <= law.limit("P", **others) < law.predict(P=64, **others)
    with pytest.raises(ValueError, match="'Q'"):
        law.limit("Q", **rest)


def test_inverse_round_trip(law: Law) -> None:
    axes = grid(law)
    rest = {a: v for a, v in axes.items() if a != "N"}
    back = law.inverse(law.predict(**axes), **rest)
    np.testing.assert_allclose(back, axes["N"], rtol=1e-8)
    lowest = {a: v[:1] for a, v in rest.items()}
    below = law.limit("N", **lowest) - 0.01
    assert np.isinf(law.inverse(below, **lowest)).all()


@pytest.mark.parametrize("name", [name for name, law in REGISTRY.items() if "P" in law.axes])
def test_equivalent_sizes(name: str) -> None:
    law = TRUTHS[name][0]
    rest = {"D": 3e10} if "D" in law.axes else {}
    worth = law.equivalent_N(N=6.1e8, P=4, **rest)
    assert worth > 6.1e8
    assert law.predict(N=worth, P=1, **rest) == pytest.approx(law.predict(N=6.1e8, P=4, **rest), rel=1e-9)
    assert law.equivalent_N(N=6.1e8, P=4, at_P=4, **rest) == pytest.approx(6.1e8, rel=1e-9)
    assert law.equivalent_P(N=6.1e8, P=4, at_N=6.1e8, **rest) == pytest.approx(4, rel=1e-7)
    if "E" in law.names() and law.predict(N=9e12, P=1, **rest) < law.predict(N=6.1e8, P=4, **rest):
        assert np.isnan(law.equivalent_P(N=6.1e8, P=4, at_N=9e12, **rest))  # even P = 1 is better


def test_from_vector_and_batches(one_law: Law) -> None:
    law = one_law
    assert type(law).from_vector(law.vector) == law
    batch = type(law).from_vector(np.stack([law.vector, law.vector * 1.01]))
    assert batch.vector.shape == (2, len(law.names()))
    axes = {a: 2.0 if a == "P" else 1e9 for a in law.axes}
    assert batch.predict(**axes).shape == (2,)
    assert batch.predict(**axes)[0] == pytest.approx(law.predict(**axes), rel=1e-15)
    for name in law.names():  # one field of each row, the others shared, as arms have them
        values = np.array([1.0, 0.99]) * getattr(law, name)
        rows = replace(law, **{name: values}).gradient(**{a: np.full(2, v) for a, v in axes.items()})
        alone = [replace(law, **{name: float(one)}).gradient(**axes) for one in values]
        np.testing.assert_allclose(rows, alone, rtol=1e-12, err_msg=name)


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
        ({"N": 0, "P": 2}, "N=0.*0"),
        ({"N": -3e9, "P": 2}, r"N=-3e\+09"),
        ({"N": [1e9, float("nan")], "P": 2}, "N=nan"),
        ({"N": float("inf"), "P": 2}, "N=inf"),
        ({"N": 1e9, "P": 0.5}, "P=0.5.*>=.*1"),
        ({"N": "big", "P": 1}, "N='big'"),
    ],
)
def test_refusals(axes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TRUTHS["parallel"][0].predict(**axes)


def test_a_law_predicts_by_position(pile_fit):
    assert pile_fit.law.predict(2.8e9, 4) == pile_fit.law.predict(N=2.8e9, P=4)
    assert pile_fit.law.predict(2.8e9, P=4) == pile_fit.law.predict(N=2.8e9, P=4)
    assert pile_fit.law.predict(pd.DataFrame({"P": [4.0], "N": [2.8e9]}, index=["a"]))[
        "a"
    ] == pile_fit.law.predict(2.8e9, 4)
    for call, words in (
        (lambda law: law.predict(1e9, 2, 3), "3.*ParallelLaw.*N.*P"),
        (lambda law: law.predict(1e9, N=2), "^N .*ParallelLaw.*N, P"),
        (lambda law: law.predict({"N": 1e9}), "missing P"),
    ):
        with pytest.raises(ValueError, match=words) as error:
            call(pile_fit.law)
        in_one_line(error)
