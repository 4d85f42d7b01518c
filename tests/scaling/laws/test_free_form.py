"""Laws that give only `predict`: fitted, certified and questioned as any other."""

import math
import pickle
import re
from dataclasses import dataclass

import numpy as np
import pytest

import scaling
from scaling import Law, Range
from scaling.laws.free_form import differences

RANGES = {
    "a": Range(-0.3, 0.0, 4, -5, 5),
    "b": Range(-0.3, 0.0, 4, -5, 5),
    "c": Range(0.0, 0.02, 3, -5, 5),
    "d": Range(0.5, 3.0, 3, -20, 20),
}


@dataclass(frozen=True)
class LogBilinear(Law):
    """log L = d + a n + b e + c n e with n = log(N / 1e8), e = log(experts)."""

    a: float
    b: float
    c: float
    d: float

    axes = ("N", "experts")
    nonlinear = RANGES

    def predict(self, N, experts):
        n, e = np.log(N / 1e8), np.log(experts)
        return np.exp(self.d + self.a * n + self.b * e + self.c * n * e)


@dataclass(frozen=True)
class PlainNumbers(Law):
    """The same law by a function of plain numbers."""

    a: float
    b: float
    c: float
    d: float

    axes = ("N", "experts")
    nonlinear = RANGES

    def predict(self, N, experts):
        n, e = math.log(N / 1e8), math.log(experts)
        return math.exp(self.d + self.a * n + self.b * e + self.c * n * e)


TRUTH = LogBilinear(a=-0.083, b=-0.051, c=0.0061, d=1.13)
N, EXPERTS = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 6), [1.0, 4, 16, 64, 256]))
NOISE = np.exp(2e-3 * np.random.default_rng(3).standard_normal(30))
RUNS = {"N": N, "experts": EXPERTS, "loss": TRUTH.predict(N=N, experts=EXPERTS) * NOISE}


@pytest.fixture(scope="module")
def one():
    return scaling.fit(LogBilinear, RUNS)


def test_the_truth_is_found():
    exact = scaling.fit(LogBilinear, RUNS | {"loss": TRUTH.predict(N=N, experts=EXPERTS)})
    assert exact.status == scaling.Status.CONVERGED
    np.testing.assert_allclose(exact.law.vector, TRUTH.vector, rtol=1e-6)


def test_the_second_algorithm_agrees_and_intervals_hold(one):
    assert abs(one.certificate.second_gap) < 1e-4
    table = scaling.fit(LogBilinear, RUNS, "log-least-squares").intervals(level=0.999)
    assert ((table.lower < TRUTH.vector) & (TRUTH.vector < table.upper)).all()


def test_plain_numbers_give_the_same_fit():
    some = {name: column[::3] for name, column in RUNS.items()}
    plain, one = (scaling.fit(law, some, "least-squares") for law in (PlainNumbers, LogBilinear))
    np.testing.assert_allclose(plain.law.vector, one.law.vector, rtol=1e-8)


def test_the_gradient_is_that_of_the_formula(one):
    found = one.law.gradient(N=3e8, experts=8.0)
    n, e, L = np.log(3.0), np.log(8.0), one.law.predict(N=3e8, experts=8.0)
    np.testing.assert_allclose(found, L * np.array([n, e, n * e, 1.0]), rtol=1e-7)


def test_parameters_are_fixed_and_bounded():
    assert scaling.fit(LogBilinear, RUNS, fixed={"c": 0.006}).law.c == 0.006
    low = scaling.fit(LogBilinear, RUNS, bounds={"c": (0, 0.004)})
    assert low.law.c == 0.004
    assert low.status == scaling.Status.AT_BOUND


def test_it_is_solved_saved_pickled_and_compared(one, tmp_path):
    worth = one.law.equivalent("N", {"experts": 1}, N=1e8, experts=16)
    assert one.law.predict(N=worth, experts=1) == pytest.approx(one.law.predict(N=1e8, experts=16))
    one.save(tmp_path / "fit.json")
    assert scaling.load(tmp_path / "fit.json").law == one.law
    assert pickle.loads(pickle.dumps(one)).law == one.law  # noqa: S301 - our own
    assert scaling.compare([LogBilinear, scaling.DenseLaw], RUNS).table.index[0] == "LogBilinear"


@dataclass(frozen=True)
class NoRange(Law):
    """A law without a range of b."""

    a: float
    b: float

    nonlinear = {"a": Range(0.1, 1)}  # noqa: RUF012

    def predict(self, N, P):
        return self.a + self.b / N / P


@dataclass(frozen=True)
class WrongShape(Law):
    """A law that returns two losses for a point."""

    a: float

    axes = ("N",)
    nonlinear = {"a": Range(0.1, 1, 3)}  # noqa: RUF012

    def predict(self, N):
        return [self.a, self.a]


@dataclass(frozen=True)
class Ignores(Law):
    """A law that does not look at b."""

    a: float
    b: float

    axes = ("N",)
    nonlinear = {"a": Range(0.1, 10, 3), "b": Range(0.1, 10, 3)}  # noqa: RUF012

    def predict(self, N):
        return self.a + 0 * N


@dataclass(frozen=True)
class NotANumber(Ignores):
    """A law without a value."""

    def predict(self, N):
        return N * np.nan


@dataclass(frozen=True)
class FewTerms(Law):
    """A law of two coefficients and one term."""

    E: float
    A: float

    axes = ("N",)

    @staticmethod
    def terms(N):
        return (1.0,)


@dataclass(frozen=True)
class Forgiven(Law):
    """A law of one axis that is written without its comma, and of terms without @staticmethod."""

    E: float
    A: float
    a: float

    axes = "N"  # type: ignore[assignment]
    nonlinear = {"a": Range(0.1, 1)}  # noqa: RUF012

    def terms(N, a):
        return 1.0, N**-a


class Bare(Forgiven):
    """A law without @dataclass."""

    B: float


class Unknown(Forgiven):
    """A range of no field."""

    nonlinear = {"a": Range(0.1, 1), "z": Range(0.1, 1)}  # noqa: RUF012


class Pair(Forgiven):
    """Two numbers for a range."""

    nonlinear = {"a": (0.1, 1)}  # type: ignore[dict-item]  # noqa: RUF012


class Effect(Forgiven):
    """A category without a parameter."""

    categories = {"recipe": scaling.Category("eff")}  # noqa: RUF012


class Asks(Forgiven):
    """Terms that ask an array whether it is large."""

    def terms(N, a):
        return 1.0, (N**-a if N > 2 else N)


@pytest.mark.parametrize(
    ("law", "words"),
    [
        (NoRange, r"\bb\b"),
        (WrongShape, r"WrongShape.*\b2\b"),
        (FewTerms, "1.*2.*E, A"),
        (Bare, "Bare.*@dataclass"),
        (Unknown, "Unknown.nonlinear.*'z'.*E, A, a"),
        (Pair, r"Pair.nonlinear.*a=\(0.1, 1\)"),
        (Effect, "Effect.categories.*'eff'"),
        (Asks, "Asks.terms.*ValueError.*N, a"),
    ],
)
def test_what_cannot_be_fitted_is_named(law, words):
    with pytest.raises(ValueError, match=words):
        scaling.fit(law, RUNS | {"P": np.ones(30)})


def test_a_missing_comma_and_a_missing_decorator_are_forgiven():
    N = np.geomspace(1e7, 1e9, 6)
    one = scaling.fit(Forgiven, {"N": N, "loss": 1.5 + 30 * N**-0.3}, "least-squares")
    assert one.law.predict(N=1e10) == pytest.approx(1.5 + 30 * 1e10**-0.3)


def test_a_parameter_that_is_ignored_is_not_identifiable():
    one = scaling.fit(Ignores, RUNS)
    assert one.status == scaling.Status.FLAT
    assert "b" in one.undetermined
    assert re.match(r"b\b.*Ignores", one.certificate.detail)


@dataclass(frozen=True)
class NotEverywhere(Ignores):
    """A law without a value at small N."""

    def predict(self, N):
        return np.where(N < 2e7, np.nan, self.a + N**-self.b)


@dataclass(frozen=True)
class Breaks(Ignores):
    """A law whose formula fails."""

    def predict(self, N):
        return {}["loss"]


@pytest.mark.parametrize(
    ("law", "words"),
    [(NotANumber, "NotANumber"), (NotEverywhere, "N=1e\\+07 "), (Breaks, "N=1e\\+07 .KeyError")],
)
def test_a_law_without_a_value_is_refused_and_the_point_named(law, words):
    with pytest.raises(ValueError, match=words):
        scaling.fit(law, RUNS)


def test_a_law_states_its_terms_or_its_predict():
    @dataclass(frozen=True)
    class Empty(Law):
        E: float

    with pytest.raises(NotImplementedError, match=r"terms.*predict"):
        Empty(1.0).predict(N=1e9, P=1)


def test_differences_are_central():
    found = differences(lambda x, a, b: (a**2 * x, b), (np.array([2.0]), 3.0, 1.0), axes=1)
    np.testing.assert_allclose(found[0][0], 12.0, rtol=1e-6)
    assert found[1][0] == pytest.approx(0.0)
