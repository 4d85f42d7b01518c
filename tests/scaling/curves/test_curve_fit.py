"""Fits of whole curves: true parameters recovered, published constants reproduced to their digits, other schedules forecast."""

import pickle

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import LogHuber
from scaling.curves.curve_fit import fit_curves, forecast_curve
from scaling.curves.curve_laws import MultiPowerLaw
from scaling.curves.curve_table import curves_of
from scaling.curves.schedule import Schedule
from scaling.optimise.certificate import Status
from tests.scaling.curves.curve_cases import SHAPE, TRUTH, curve, points_of

FITTED = ("constant_24000", "cosine_24000", "wsdcon_9")


@pytest.fixture(scope="module")
def public():
    table = scaling.published("loss-curves")
    return curves_of(table[table["model_M"] == 25], run="schedule", warmup=2160)


@pytest.fixture(scope="module")
def fits(public):
    return {law: fit_curves(public, law, runs=FITTED, start=6) for law in ("multi-power", "annealing")}


def test_an_exact_curve_gives_its_law_back():
    made = fit_curves({name: curve(name) for name in ("constant", "cosine")}, "annealing")
    assert made.status == Status.CONVERGED
    assert made.law.vector == pytest.approx([*TRUTH.values()], rel=1e-4)


def test_intervals_hold_the_truth_and_a_schedule_that_was_not_fitted():
    made = fit_curves({n: curve(n, 0.003, i) for i, n in enumerate(("constant", "cosine"))}, "annealing")
    assert ((made.table["lower"] < pd.Series(TRUTH)) & (pd.Series(TRUTH) < made.table["upper"])).all()
    ahead = made.forecast(Schedule.shaped("wsd", **SHAPE)).iloc[-1]
    assert ahead["lower"] < curve("wsd").losses[-1] < ahead["upper"]
    assert ahead["upper"] - ahead["lower"] < 0.08


def test_the_printed_constants_give_the_printed_errors(public):
    told = scaling.published("loss-curve-constants").set_index("model_M").loc[25]
    errors = []
    for name, one in public.items():
        if name not in FITTED:
            law = MultiPowerLaw.bound(points_of(one.steps, one.schedule))
            made = law(*(told[n] for n in ("L0", "A", "B", "alpha", "C", "beta", "gamma")))
            errors.append(np.abs(one.losses - made.predict(point=np.arange(1.0, one.steps.size + 1))).mean())
    assert np.mean(errors) == pytest.approx(0.00395, abs=2e-5)
    assert np.mean(errors) == pytest.approx(told["mae"], abs=5e-4)  # L0 is printed to 0.001


def test_our_fit_ends_lower_than_the_printed_constants_and_says_what_is_not_told(public):
    made = fit_curves(public, runs=FITTED, objective=LogHuber(1e-3), start=6)
    told = scaling.published("loss-curve-constants").set_index("model_M").loc[25]
    printed = made.estimate.problem.law(*(told[n] for n in ("L0", "A", "B", "alpha", "C", "beta", "gamma")))
    value = made.estimate.problem.value(made.estimate.problem.internal(printed)[None])[0]
    assert made.estimate.objective_value < 0.6 * value
    untold = set(made.table.index[~(made.table["lower"] > 0)]) - {"L0"}
    assert untold
    assert all(name in made.verdict for name in untold)


def test_published_schedules_are_forecast_and_the_mean_of_two_laws_holds_them(public, fits):
    wsd, long = public["wsd_20000_24000"], public["cosine_72000"]
    for one in (wsd, long):
        made = forecast_curve([*fits.values()], one.schedule, one.steps[-1]).iloc[0]
        assert made["lower"] < one.losses[-1] < made["upper"]
    assert fits["annealing"].forecast(wsd.schedule, wsd.steps[-1])["loss"].iloc[0] == pytest.approx(
        3.262, abs=2e-3
    )
    assert fits["multi-power"].noise.share > 0.5


def test_every_form_of_the_result(fits):
    made = fits["annealing"]
    assert "tau" in repr(made)
    assert "<table" in made._repr_html_()
    assert len(made.residuals) == sum(c.steps.size for c in made.curves)
    assert len(made.plot().axes) == 2


def test_a_constant_learning_rate_alone_does_not_tell_a_decay():
    made = fit_curves({"constant": curve("constant", 0.003)}, "annealing")
    assert not made.table.loc["B", "lower"] > 0 or made.status != Status.CONVERGED


@pytest.mark.parametrize(
    ("wrong", "word"), [({"law": "kaplan"}, "kaplan"), ({"runs": ["x"]}, "'x'"), ({"level": 2}, "level")]
)
def test_wrong_calls_are_refused(public, wrong, word):
    with pytest.raises(ValueError, match=word):
        fit_curves(public, **wrong)


def test_steps_beyond_the_schedule_are_refused(fits):
    with pytest.raises(ValueError, match="steps="):
        fits["annealing"].forecast(Schedule.shaped("wsd", **SHAPE), 7000)


def test_a_fit_is_saved_pickled_and_no_other_file_is_taken_for_one(fits, public, tmp_path):
    fit = fits["multi-power"]
    fit.save(tmp_path / "fit.json")
    wsd = public["wsd_20000_24000"].schedule
    for again in (scaling.CurveFit.load(tmp_path / "fit.json"), pickle.loads(pickle.dumps(fit))):  # noqa: S301 - our own
        assert again.forecast(wsd).equals(fit.forecast(wsd))
        assert again.table.equals(fit.table)
        assert again.verdict == fit.verdict
    with pytest.raises(ValueError, match="CurveFit"):
        scaling.load(tmp_path / "fit.json")
    changed = (tmp_path / "fit.json").read_text().replace('"level": 0.95', '"level": 0.9')
    (tmp_path / "fit.json").write_text(changed)
    with pytest.raises(ValueError, match="checksum"):
        scaling.CurveFit.load(tmp_path / "fit.json")
