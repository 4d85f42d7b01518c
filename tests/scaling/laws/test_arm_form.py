"""Arms and categories: own and shared parameters, by name, in every use of a fit."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import Arms, ChinchillaLaw
from scaling.fitting.save import body_checksum
from scaling.laws import law_of
from tests.scaling.category_runs import PrecisionLaw, TwoCategoriesLaw, precisions, two_categories

TRUTHS = {
    "adam": ChinchillaLaw(E=1.71, A=400.0, B=410.0, alpha=0.34, beta=0.28),
    "muon": ChinchillaLaw(E=1.71, A=310.0, B=410.0, alpha=0.34, beta=0.28),
}


def table(noise: float = 0.0) -> pd.DataFrame:
    """Runs of both arms on one grid of N and D."""
    rng, rows = np.random.default_rng(4), []
    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 1e11, 3)))
    for arm, law in TRUTHS.items():
        loss = law.predict(N=N, D=D) * np.exp(noise * rng.standard_normal(N.size))
        rows.append(pd.DataFrame({"N": N, "D": D, "optimizer": arm, "loss": loss}))
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="module")
def one():
    return scaling.fit(Arms("chinchilla", "optimizer", own=("A",)), table(2e-3), scaling.LeastSquares())


def test_each_arm_has_its_own_parameter_and_shares_the_others():
    fit = scaling.fit(Arms(ChinchillaLaw, "optimizer", own=("A",)), table())
    assert fit.status == scaling.Status.CONVERGED
    assert list(fit.params.index) == ["E", "A[adam]", "A[muon]", "B", "alpha", "beta"]
    np.testing.assert_allclose(fit.params, [1.71, 400, 310, 410, 0.34, 0.28], rtol=1e-5)
    np.testing.assert_allclose(fit.law.of_arm("muon").vector, TRUTHS["muon"].vector, rtol=1e-5)


def test_shared_and_own_name_the_same_form():
    by_shared = law_of(Arms("chinchilla", "optimizer", shared=("E", "B", "alpha", "beta")), table())
    assert by_shared == law_of(Arms("chinchilla", "optimizer", own=("A",)), table())
    assert law_of(Arms("chinchilla", "optimizer"), table()).own == ("E", "A", "B", "alpha", "beta")


def test_predictions_take_an_arm_by_its_name(one):
    found = one.predict(N=1e9, D=1e10, optimizer=["muon", "adam"])
    assert list(found["optimizer"]) == ["muon", "adam"]
    assert found.loss[0] < found.loss[1]
    assert one.predict(table().head(3)).index.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="'sgd'"):
        one.predict(N=1e9, D=1e10, optimizer="sgd")
    with pytest.raises(ValueError, match="optimizer"):
        one.predict(N=1e9, D=1e10)


def test_one_arm_in_the_size_of_another(one):
    worth = one.law.equivalent("N", {"optimizer": "adam"}, N=1e8, D=1e10, optimizer="muon")
    assert worth / 1e8 == pytest.approx((400 / 310) ** (1 / 0.34), rel=0.02)


@pytest.mark.slow
def test_it_is_saved_pickled_compared_and_backtested(one, tmp_path):
    one.save(tmp_path / "fit.json")
    again = scaling.load(tmp_path / "fit.json")
    assert (again.law, again.form) == (one.law, one.form)
    assert again.intervals().equals(one.intervals())
    assert pickle.loads(pickle.dumps(one)).law == one.law  # noqa: S301 - our own
    ranked = scaling.compare(["chinchilla", Arms("chinchilla", "optimizer", own=("A",))], table(2e-3)).table
    assert ranked.index[0] == one.form.__name__
    tested = scaling.backtest(
        Arms("chinchilla", "optimizer", own=("A",)), table(2e-3), objective="least-squares"
    )
    assert tested.table.rmse.iloc[-1] < 0.05


def test_constraints_of_the_law_hold_in_every_arm():
    fit = scaling.fit(Arms("chinchilla:E=1.7", "optimizer", own=("E", "A")), table(2e-3))
    assert fit.law.of_arm("adam").E == fit.law.of_arm("muon").E == 1.7
    low = scaling.fit(Arms("chinchilla", "optimizer", own=("A",)), table(2e-3), bounds={"A[muon]": (1, 250)})
    assert getattr(low.law, "A[muon]") == pytest.approx(250)
    assert (
        scaling.fit(Arms("chinchilla", "optimizer", own=("A",)), table(), fixed={"A[adam]": 400.0}).law.E > 1
    )


@pytest.mark.parametrize(
    ("law", "runs", "linear"),
    [
        (PrecisionLaw, precisions(), ("E", "A")),
        (TwoCategoriesLaw, two_categories(), ("E", "A")),
        (Arms("chinchilla", "optimizer", own=("A", "alpha")), table(), ("E", "A[adam]", "A[muon]", "B")),
        (Arms("chinchilla:B=400", "optimizer", own=("A",)), table(), ("E", "A[adam]", "A[muon]")),
        (
            Arms("dense", "optimizer", own=("A",)),
            table(),
            ("E", "A[adam]", "A[muon]"),
        ),  # its A is under a power
        (Arms("dense", "optimizer"), table(), ("E[adam]", "E[muon]", "A[adam]", "A[muon]")),
        (Arms("dense", "optimizer", own=("E", "alpha")), table(), ()),  # one A is two coefficients
    ],
)
def test_coefficients_stay_coefficients_and_have_their_slopes(law, runs, linear):
    form = law_of(law, runs)
    assert form.linear() == linear
    fit = scaling.fit(law, runs, "least-squares", groups=False)
    J = fit.problem.jacobian(fit.theta[None])[1][0]
    steps = 1e-6 * np.diag(np.abs(fit.theta))
    up, down = (fit.problem.predict(fit.theta + one) for one in (steps, -steps))
    moves = fit.problem.lower < fit.problem.upper
    np.testing.assert_allclose((J * np.diag(steps)[:, None])[moves], (up - down)[moves] / 2, atol=1e-11)
    names = list(form.free())
    slopes = fit.law._slopes(*fit.problem.x)[:, [form.names().index(name) for name in names]]
    for name, slope in zip(names, slopes.T, strict=True):
        value = getattr(fit.law, name)
        ends = (
            form(**{**fit.law.values, name: value * f})._loss(*fit.problem.x) for f in (1 + 1e-6, 1 - 1e-6)
        )
        np.testing.assert_allclose(slope * value * 2e-6, np.subtract(*ends), atol=1e-11)


def test_a_file_of_version_0_1_has_every_parameter_of_arms_as_a_coordinate(one, tmp_path):
    one.save(tmp_path / "fit.json")
    body = json.loads((tmp_path / "fit.json").read_text())
    logs = {name: np.log(value) for name, value in body["parameters"].items() if name[0] in "AB"}
    body["theta"] = [*(body["parameters"] | logs).values()]
    body["certificate"].pop("equal_optima")
    body.pop("checksum")
    (tmp_path / "fit.json").write_text(json.dumps(body | {"checksum": body_checksum(body)}))
    again = scaling.load(tmp_path / "fit.json")
    np.testing.assert_allclose(again.theta, one.theta, rtol=1e-12)
    assert again.objective_value == pytest.approx(one.objective_value, rel=1e-9)
