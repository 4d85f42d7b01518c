"""Fixed and bounded parameters: the optimum, intervals, files, refusals."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import AdditiveLaw, DenseLaw
from scaling.laws import law_of
from tests.scaling.nine_runs import TRUTH
from tests.scaling.one_line import in_one_line


@pytest.mark.parametrize("name", ["E", "A", "alpha", "k"])
def test_a_parameter_fixed_at_its_estimate_changes_nothing(pile, pile_fit, name):
    value = float(pile_fit.params[name])
    fit = scaling.fit("parallel", pile, fixed={name: value})
    assert fit.params[name] == value
    np.testing.assert_allclose(fit.params, pile_fit.params, rtol=1e-6)
    assert fit.degrees_of_freedom == pile_fit.degrees_of_freedom + 1
    assert fit.objective_value == pytest.approx(pile_fit.objective_value, rel=1e-9)
    assert f"{name}={value!r}" in fit.form.__name__


def test_a_fixed_parameter_has_no_interval_and_is_printed_as_fixed(pile):
    fit = scaling.fit("parallel", pile, fixed={"A": 1e8})
    assert list(fit.intervals().index) == ["E", "alpha", "k"]
    assert np.isnan(fit.std_errors["A"])
    assert fit.summary().table["fixed"]["A"]
    line = next(row for row in repr(fit).splitlines() if row.startswith("A "))
    assert line.endswith("fixed")
    assert "fixed" in fit._repr_html_()


@pytest.mark.parametrize(
    ("law", "fixed", "objective"),
    [
        ("parallel", {"E": 1.2}, "huber"),
        ("parallel", {"A": 1e8, "k": 0.3}, "least-squares"),
        ("dense", {"E": 1.5, "A": 2e8}, "huber"),
        ("diversity", {"A": 1e8}, "least-squares"),
        ("diversity", {"rho": 0.9}, "huber"),
        ("saturating", {"E": 1.2, "rho": 0.8}, "least-squares"),
        ("additive", {"C": 0.1}, "huber"),
        ("additive", {"A": 100.0, "beta": 0.5}, "least-squares"),
    ],
)
def test_a_constrained_fit_is_the_optimum_of_a_second_optimiser(pile, law, fixed, objective):
    from scipy.optimize import minimize

    fit = scaling.fit(law, pile, objective, fixed=fixed)
    free = list(fit.form.free())
    scale = np.array([float(fit.params[n]) for n in free])

    def objective_at(z):
        fields = dict(fixed) | dict(zip(free, z * scale, strict=True))
        predicted = type(fit.law)(**fields).predict(**fit.axes)
        with np.errstate(all="ignore"):
            residual = fit.problem.residual(predicted[None])
            value = float(fit.problem.objective.rho(residual).sum())
        return value / fit.objective_value if np.isfinite(value) else 1e9

    assert objective_at(np.ones(len(free))) == pytest.approx(1, rel=1e-9)
    bounds = [(1e-3, 1 / s if n == "rho" else None) for n, s in zip(free, scale, strict=True)]
    start = np.clip(np.full(len(free), 1.001), None, [high or np.inf for _, high in bounds])
    found = minimize(
        objective_at, start, method="Nelder-Mead", bounds=bounds, options={"maxiter": 4000, "fatol": 1e-12}
    )
    assert found.fun > 1 - 1e-6
    assert found.fun == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
def test_bounds_hold_and_say_so(pile):
    one = scaling.fit("parallel", pile, groups=False)
    inside = scaling.fit("parallel", pile, groups=False, bounds={"k": (0, 1), "E": (1, 2), "A": (1e6, 1e10)})
    np.testing.assert_allclose(inside.params, one.params, rtol=1e-6)
    assert inside.status == "converged"
    np.testing.assert_allclose(inside.intervals(), one.intervals(), rtol=2e-3)
    low = scaling.fit("parallel", pile, bounds={"k": (0, 0.2)})
    assert low.law.k == 0.2
    assert low.status == "at bound"
    assert re.match(r"k\b", low.certificate.detail)
    assert re.search(r"\bk .*\b0\.20*\b", repr(low))
    assert not low.intervals().attrs["unconfirmed"]  # A and alpha have no upper end: that is no search lost
    ends = low.intervals().loc["k"]
    assert 0 <= ends.lower < ends.upper == pytest.approx(0.2)
    high = scaling.fit("parallel", pile, bounds={"A": (None, 1e8)})
    assert high.law.A == 1e8
    assert high.certificate.at_bound == ("A",)
    assert scaling.fit("parallel", pile, bounds={"E": (1.5, None)}).law.E == 1.5
    assert scaling.fit("parallel", pile, bounds={"k": (1e-3, 1e-2)}).law.k == pytest.approx(1e-2)


@pytest.mark.slow
def test_intervals_of_a_constrained_fit_cover(table):
    rng = np.random.default_rng(17)
    held, trials = 0, 30
    for _ in range(trials):
        noisy = table.assign(loss=table["loss"] * np.exp(2e-3 * rng.standard_normal(len(table))))
        fit = scaling.fit("parallel", noisy, "log-least-squares", fixed={"E": TRUTH.E})
        row = fit.intervals().loc["k"]
        held += row.lower <= TRUTH.k <= row.upper
    assert held >= 24  # 95% of 30 is 28.5, standard deviation 1.2


@pytest.mark.parametrize("method", ["profile", scaling.Bootstrap(100), "covariance"], ids=str)
def test_every_method_gives_intervals_of_a_constrained_fit(pile, method):
    fit = scaling.fit("parallel", pile, fixed={"A": 1e8}, bounds={"k": (0, 1)})
    found = fit.intervals(method=method)
    assert list(found.index) == ["E", "alpha", "k"]
    assert (found.lower < found.estimate).all()
    assert (found.estimate < found.upper).all()
    points = fit.predict(pile, method=method)
    assert (points["lower"] < points["loss"]).all()


def all_laws(base):
    return [law for child in base.__subclasses__() for law in (child, *all_laws(child))]


@pytest.mark.slow
def test_a_constrained_fit_pickles_saves_loads_and_compares(pile, tmp_path):
    fit = scaling.fit("parallel", pile, fixed={"E": 1.2}, bounds={"k": (0, 1), "A": (1e5, None)})
    fit.save(tmp_path / "fit.json")
    for again in (pickle.loads(pickle.dumps(fit)), scaling.load(tmp_path / "fit.json")):  # noqa: S301
        assert isinstance(again, scaling.Fit)
        assert again.form == fit.form
        assert hash(again.form) == hash(fit.form)
        assert again.law == fit.law
        assert (again.theta == fit.theta).all()
        assert again.intervals().equals(fit.intervals())
        assert again.residuals.equals(fit.residuals)
        assert repr(again) == repr(fit)
    ranking = scaling.compare([fit.form, "parallel", "dense:E=1.6", "additive-half"], pile)
    assert set(ranking.table.index) == {
        fit.form.__name__, "ParallelLaw", "DenseLaw(E=1.6)", "AdditiveLaw(beta=0.5)",
    }  # fmt: skip
    assert ranking.table.loc["DenseLaw(E=1.6)", "parameters"] == 2
    assert scaling.fit(fit, pile).law == scaling.fit(fit.form, pile).law  # a fit means what was fitted
    assert len(scaling.backtest("parallel:E=1.2", pile, objective="log-least-squares").table) > 1
    assert not [law for law in all_laws(scaling.Law) if "(" in law.__name__]  # no class is made at run time


def test_constraints_add_up():
    law = DenseLaw.with_fixed(E=1.6).with_bounds(alpha=(0.1, 0.5))
    assert law == scaling.by_name("dense:E=1.6").with_bounds(alpha=(0.1, 0.5))
    assert law.free() == ("A", "alpha")
    assert law.with_fixed(alpha=0.3).bounds == {}
    assert law(A=1e8, alpha=0.2) == DenseLaw(E=1.6, A=1e8, alpha=0.2)
    runs = pd.DataFrame({"precision": ["4", "16"]})  # the reference of a category is no constraint to tell
    assert law_of("precision", runs).__name__ == "PrecisionLaw(eff by precision)"
    assert law_of("precision:E=1.6", runs).__name__.endswith("(E=1.6)")


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"fixed": {"q": 1}}, "fixed.*ParallelLaw.*'q'.*E.*A"),
        ({"fixed": {"E": -1}}, "fixed.*E=-1"),
        ({"fixed": {"E": "low"}}, "fixed.*E='low'"),
        ({"fixed": {"E": np.nan}}, "fixed.*E=nan"),
        ({"fixed": ["E"]}, "fixed="),
        ({"fixed": {"E": 1, "A": 1e8, "alpha": 0.2, "k": 0.3}}, "ParallelLaw.*fixed"),
        ({"bounds": {"k": (1, 0)}}, "bounds.*k=.*1, 0"),
        ({"bounds": {"k": 1}}, "bounds.*k=1"),
        ({"bounds": {"k": (-1, 1)}}, "k=.*-1, 1.*ParallelLaw"),
        ({"bounds": {"E": (0, 1)}, "fixed": {"E": 0.5}}, "E .*fixed=.*bounds="),
    ],
)
def test_constraints_that_cannot_be(pile, keywords, words):
    with pytest.raises(ValueError, match=words) as error:
        scaling.fit("parallel", pile, **keywords)
    in_one_line(error)


def test_fixing_a_parameter() -> None:
    half = AdditiveLaw.with_fixed(beta=0.5)
    assert half.free() == ("E", "A", "alpha", "C")
    assert scaling.by_name("additive:beta=0.5").fixed == {"beta": 0.5}
    assert AdditiveLaw.with_fixed(C=1.0).free() == ("E", "A", "alpha", "beta")
    with pytest.raises(ValueError, match="'k'"):
        AdditiveLaw.with_fixed(k=1.0)
    with pytest.raises(ValueError, match="beta=-1"):
        AdditiveLaw.with_fixed(beta=-1)
    with pytest.raises(ValueError, match="'cubic'"):
        scaling.by_name("cubic")
    with pytest.raises(ValueError, match="law:name=number"):
        scaling.by_name("additive:beta")
