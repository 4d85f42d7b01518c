"""Axes of one's own: their rules, and everything that a law of N and P has."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import Law, Range
from scaling.laws.axis import KNOWN, Axis, clean_axes, rule_of
from scaling.selection.compare import main_axis


@dataclass(frozen=True)
class ShapeLaw(Law):
    """L = E + A/width^a + B/depth^b + F/D^g."""

    E: float
    A: float
    a: float
    B: float
    b: float
    F: float
    g: float

    axes = ("width", "depth", "D")
    nonlinear = {"a": Range(0.05, 1.5, 6), "b": Range(0.05, 1.5, 6), "g": Range(0.05, 1.0, 6)}  # noqa: RUF012

    @staticmethod
    def terms(width, depth, D, a, b, g):
        return 1.0, width**-a, depth**-b, D**-g


@dataclass(frozen=True)
class WidthLaw(Law):
    """L = E + A/width^a + F/D^g: a rival without depth."""

    E: float
    A: float
    a: float
    F: float
    g: float

    axes = ("width", "D")
    nonlinear = {"a": Range(0.05, 1.5, 6), "g": Range(0.05, 1.0, 6)}  # noqa: RUF012

    @staticmethod
    def terms(width, D, a, g):
        return 1.0, width**-a, D**-g


@dataclass(frozen=True)
class NoiseLaw(Law):
    """L = E + A/N^alpha + B noise^2: less noise is better, and none is allowed."""

    E: float
    A: float
    alpha: float
    B: float

    axes = ("N", "noise")
    axis_rules = {"noise": Axis(reached=True, more_is_better=False)}  # noqa: RUF012
    nonlinear = {"alpha": Range(0.05, 1.0, 8)}  # noqa: RUF012

    @staticmethod
    def terms(N, noise, alpha):
        return 1.0, N**-alpha, noise**2


TRUTH = ShapeLaw(E=1.1, A=29.0, a=0.71, B=0.93, b=0.53, F=510.0, g=0.31)
AXES = dict(
    zip(
        ("width", "depth", "D"),
        (v.ravel() for v in np.meshgrid([128.0, 256, 512, 1024, 2048], [4.0, 8, 16, 32], [1e8, 1e9, 1e10])),
        strict=True,
    )
)


@pytest.fixture(scope="module")
def runs():
    noise = np.exp(1e-3 * np.random.default_rng(5).standard_normal(60))
    return pd.DataFrame(AXES | {"loss": TRUTH.predict(**AXES) * noise})


@pytest.fixture(scope="module")
def one(runs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return scaling.fit(ShapeLaw, runs, "log-least-squares")


def test_a_law_of_three_own_axes_is_fitted_and_certified(one):
    assert one.status == scaling.Status.CONVERGED
    table = one.intervals(level=0.999)
    for name in ("a", "b", "g", "E"):
        assert table.lower[name] < getattr(TRUTH, name) < table.upper[name]


def test_predictions_take_the_axes_by_name_and_by_table(one, runs):
    by_name = one.predict(width=4096, depth=32, D=1e11)
    by_table = one.predict(pd.DataFrame({"depth": [32], "D": [1e11], "width": [4096]}))
    assert by_name.loss[0] == by_table.loss[0] == pytest.approx(TRUTH.predict(4096, 32, 1e11), rel=2e-3)
    assert by_name.beyond[0] == pytest.approx(10)
    assert one.predict(runs.head()).inside.all()


@pytest.mark.slow
def test_laws_of_own_axes_are_compared_and_backtested(runs):
    found = scaling.compare([WidthLaw, ShapeLaw], runs, "log-least-squares")
    assert found.table.index[0] == "ShapeLaw"
    assert found.table.holdout_rmse["ShapeLaw"] < found.table.holdout_rmse["WidthLaw"]
    deep = scaling.backtest(ShapeLaw, runs, by="depth", objective="log-least-squares")
    assert deep.table.rmse.iloc[-1] < 0.02
    assert np.isfinite(deep.table.multiplier).all()


def test_the_axis_a_law_is_judged_along():
    assert main_axis(scaling.ChinchillaLaw) == "N"
    assert main_axis(ShapeLaw) == "width"
    assert main_axis(ShapeLaw.with_fixed(E=1.0)) == "width"


def test_what_to_train_next_on_own_axes(one):
    candidates = pd.DataFrame({"width": [4096.0, 256], "depth": [48.0, 8], "D": [1e11, 1e9], "C": [1.0, 1.0]})
    assert scaling.suggest(one, candidates, target="g", count=1).table.width[0] == 4096


def test_any_axis_is_solved_for(one):
    width = one.law.equivalent("width", {"depth": 8}, width=512, depth=16, D=1e9)
    assert width > 512
    assert one.law.predict(width=width, depth=8, D=1e9) == pytest.approx(one.law.predict(512, 16, 1e9))
    assert one.law.inverse(one.law.predict(512, 16, 1e9), along="D", width=512, depth=16) == pytest.approx(
        1e9
    )


def test_an_axis_along_which_more_is_worse(runs):
    law = NoiseLaw(E=1.2, A=40.0, alpha=0.2, B=0.3)
    N, noise = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 5), [0.0, 0.5, 1.0, 2.0]))
    fit = scaling.fit(NoiseLaw, {"N": N, "noise": noise, "loss": law.predict(N=N, noise=noise)})
    np.testing.assert_allclose(fit.law.vector, law.vector, rtol=1e-5)
    with pytest.raises(ValueError, match="noise"):
        law.inverse(2.0, along="noise", N=1e8)  # none is allowed, so there is no logarithm


def test_a_saved_fit_of_own_axes_loads(one, tmp_path):
    one.save(tmp_path / "fit.json")
    assert scaling.load(tmp_path / "fit.json").law == one.law


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"width": 1.0, "depth": 1.0}, "missing D"),
        ({"width": 1.0, "depth": 1.0, "D": 1.0, "heads": 2}, "unknown axis heads"),
        ({"width": -1.0, "depth": 1.0, "D": 1.0}, "width=-1"),
        ({"width": 1.0, "depth": np.nan, "D": 1.0}, "depth=nan"),
        ({"width": "wide", "depth": 1.0, "D": 1.0}, "width='wide'"),
    ],
)
def test_what_an_axis_cannot_be_is_quoted(axes, words):
    with pytest.raises(ValueError, match=words):
        TRUTH.predict(**axes)


def test_rows_that_an_axis_refuses_are_named(runs):
    with pytest.raises(ValueError, match=r"3.*depth.*-4.*0"):
        scaling.fit(ShapeLaw, runs.assign(depth=runs.depth.where(runs.index != 2, -4.0)))
    with pytest.raises(ValueError, match="'depth'"):
        scaling.fit(ShapeLaw, runs.drop(columns="depth"))


def test_an_axis_that_moves_with_another_is_named(runs):
    fit = scaling.fit(ShapeLaw, runs.assign(depth=runs.width / 32))
    assert any("depth" in note and "width" in note for note in fit.certificate.notes)


def test_a_column_that_the_law_does_not_have_is_not_looked_at(runs):
    assert scaling.fit(ShapeLaw, runs.assign(P=-3.0)).law == scaling.fit(ShapeLaw, runs).law


def test_rules():
    assert rule_of("P") == KNOWN["P"]
    assert rule_of("P", {"P": Axis(lowest=2)}).lowest == 2
    assert not Axis(reached=True).invertible
    assert not Axis(more_is_better=None).invertible
    assert list(Axis(lowest=1, reached=True).good(np.array([0.5, 1.0, np.inf]))) == [False, True, False]
    assert clean_axes(("N",), {"N": 1e9, "D": -1})["N"] == 1e9  # other known axes are not looked at
