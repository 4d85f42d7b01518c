"""Objectives: their slopes and curvatures, what each resists, and what a file needs to know one again."""

import json
import re
from dataclasses import dataclass

import numpy as np
import pytest

import scaling
from scaling import AdditiveLaw, ParallelLaw
from scaling.fitting import save
from scaling.optimise.objectives import OBJECTIVES, Objective, checked, huber, named
from tests.scaling.twenty_runs import TRUTH, runs

EVERY = [
    Objective(),
    scaling.LeastSquares(),
    scaling.LogHuber(0.02),
    scaling.Asymmetric(over=3.0, delta=0.01),
    scaling.LAD(delta=0.01),
]


AT = np.array([-0.37, -0.021, -0.0043, 0.0061, 0.017, 0.29])  # on either side of every rounding


@pytest.mark.parametrize("objective", EVERY, ids=lambda o: o.name)
def test_slope_and_curvature_are_central_differences(objective):
    step = 1e-7
    slope = (objective.rho(AT + step) - objective.rho(AT - step)) / (2 * step)
    np.testing.assert_allclose(objective.psi(AT), slope, rtol=1e-5)
    bend = (objective.psi(AT + step) - objective.psi(AT - step)) / (2 * step)
    np.testing.assert_allclose(objective.curvature(AT), bend, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("objective", EVERY, ids=lambda o: o.name)
def test_all_parts_at_once_are_each_alone(objective):
    rho, psi, curvature, weight = objective.parts(AT)
    np.testing.assert_allclose(rho, objective.rho(AT), rtol=1e-12)
    np.testing.assert_allclose(psi, objective.psi(AT), rtol=1e-12)
    np.testing.assert_allclose(curvature, objective.curvature(AT), rtol=1e-12)
    np.testing.assert_allclose(weight * AT, psi, rtol=1e-9)


def test_huber_is_a_parabola_within_delta_and_a_line_beyond():
    np.testing.assert_allclose(huber(np.array([0.01, -0.02, 0.5]), 0.02), [5e-5, 2e-4, 0.02 * 0.49])


def test_prediction_that_is_too_high_costs_as_often_as_told():
    low, high = scaling.Asymmetric(over=3.0).rho(np.array([-0.2, 0.2]))
    assert (low, high) == pytest.approx((0.2, 0.6), rel=1e-6)
    assert scaling.LAD().rho(np.array([-0.2])) == pytest.approx(0.2, rel=1e-6)


def test_what_each_is_known_for():
    kinds = {name: (one.log, one.robust, one.symmetric) for name, one in OBJECTIVES.items()}
    assert kinds == {
        "huber": (True, True, True),
        "least-squares": (False, False, True),
        "log-least-squares": (True, False, True),
        "lad": (True, True, True),
        "asymmetric": (True, True, False),
    }
    assert scaling.LogHuber(0.02).name == "LogHuber(delta=0.02) on log loss"
    assert scaling.LeastSquares().name == "LeastSquares() on loss"


@pytest.mark.parametrize("objective", [scaling.LogHuber(1e-4), scaling.LAD(), scaling.Asymmetric()])
def test_wider_roundings_come_first_from_wide_to_narrow(objective):
    widths = [one.delta for one, _ in objective.smoother]
    assert widths
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] > objective.delta
    assert {type(one) for one, _ in objective.smoother} == {type(objective)}
    assert not scaling.LeastSquares().smoother


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf, np.nan])
def test_a_width_or_a_weight_that_is_not_positive_is_refused(value):
    for make, name in (
        (lambda v: scaling.LogHuber(v), "delta"),
        (lambda v: scaling.LAD(delta=v), "delta"),
        (lambda v: scaling.Asymmetric(over=v), "over"),
    ):
        with pytest.raises(ValueError, match=f"^{name}={value!r}"):
            make(value)


def test_an_objective_is_given_itself_by_name_or_not_at_all():
    squares = scaling.LeastSquares()
    assert checked(None, squares) is checked(squares, scaling.LAD()) is squares
    assert checked("lad", squares) == named("lad") == scaling.LAD()
    for wrong in ("hubert", 3, scaling.LeastSquares):
        with pytest.raises(ValueError, match=re.escape(repr(wrong))):
            checked(wrong, squares)
    with pytest.raises(ValueError, match="'hubert'"):
        named("hubert")


def test_delta_far_below_the_noise_is_said() -> None:
    fit = scaling.fit(ParallelLaw, runs(5e-3), scaling.LogHuber(1e-4))
    assert fit.delta_over_noise < 0.1
    assert re.search(r"delta .*0\.0\d", repr(fit))
    assert scaling.fit(ParallelLaw, runs(5e-3), scaling.LAD()).law.k == pytest.approx(fit.law.k, rel=0.02)


def test_robust_losses_resist_a_wild_run() -> None:
    table = runs()
    table.loc[4, "loss"] *= 1.3
    error = {
        o.name: abs(scaling.fit(ParallelLaw, table, o).law.k / TRUTH.k - 1)
        for o in (scaling.LeastSquares(log=True), scaling.LogHuber(), scaling.LAD())
    }
    squares, huber, lad = error.values()
    assert huber < 0.1
    assert lad < 0.1
    assert squares > 0.3


def test_an_objective_that_is_not_defined_is_named_when_its_fit_is_loaded(pile, tmp_path):
    @dataclass(frozen=True)
    class Own(scaling.LeastSquares):
        """Least squares under another name."""

    assert issubclass(Own, Objective)
    scaling.fit(AdditiveLaw, pile, Own()).save(tmp_path / "fit.json")
    assert isinstance(scaling.Fit.load(tmp_path / "fit.json").problem.objective, Own)
    body = json.loads((tmp_path / "fit.json").read_text())
    body["objective"]["name"] = "Gone"
    body.pop("checksum")
    (tmp_path / "fit.json").write_text(json.dumps(body | {"checksum": save.body_checksum(body)}))
    with pytest.raises(ValueError, match=r"objective.*Gone"):
        scaling.Fit.load(tmp_path / "fit.json")
