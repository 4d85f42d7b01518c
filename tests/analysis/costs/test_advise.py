"""Which (N, P) to build: the choice meets every limit, and is the cheapest that does."""

import re

import numpy as np
import pytest

import scaling
from analysis.costs.advise import Workload, advise, candidate_costs
from analysis.costs.hardware import H100
from analysis.figures import draw_frontier as frontier_figure
from scaling import Covariance


@pytest.fixture(scope="module")
def fit(stack):
    return scaling.fit(scaling.ParallelLaw, stack)


SHORT = Workload(input_tokens=64, output_tokens=64)


def test_the_cheapest_that_reaches_a_loss(fit):
    advice = advise(
        fit, loss=1.05, memory_bytes=4 * 2**30, latency_s=0.6, workload=SHORT, method=Covariance()
    )
    options = advice.options.set_index("P")
    np.testing.assert_allclose(fit.law.predict(N=options["N"], P=options.index.to_numpy()), 1.05)
    assert options["broken"].to_dict() == {1: "memory_bytes", 2: "memory_bytes", 4: "", 8: ""}
    chosen = advice.chosen
    assert chosen["P"] == 8
    assert chosen["latency_s"] == options.loc[[4, 8], "latency_s"].min()
    assert chosen["N_lower"] < chosen["N"] < chosen["N_upper"]
    assert chosen["loss_lower"] < 1.05 < chosen["loss_upper"]
    assert advice.reason == "N = 1.4e+09, P = 8"
    assert "latency" in advice.why
    assert "4.4 times" in advice.why  # the FLOPs of P = 1 at equal tokens


def test_interval_of_the_size_ends_where_the_interval_of_the_loss_does(fit):
    chosen = advise(fit, loss=1.06, streams=[2], method=Covariance()).chosen
    for end, bound in (("N_lower", "new_lower"), ("N_upper", "new_upper")):
        at = fit.predict(N=chosen[end], P=2, method=Covariance()).iloc[0]
        assert at[bound] == pytest.approx(1.06, abs=2e-4)


def test_beyond_the_runs_an_option_has_the_interval_that_predict_gives(fit, capsys, request, monkeypatch):
    chosen = advise(fit, loss=0.9, streams=[4], method=Covariance()).chosen
    at = fit.predict(N=chosen["N"], P=4, method=Covariance()).iloc[0]
    plain = fit.predict(N=chosen["N"], P=4, method=Covariance(), widened=False).iloc[0]
    assert not chosen["inside"]
    assert [chosen["loss_lower"], chosen["loss_upper"]] == pytest.approx(
        [at.new_lower, at.new_upper], rel=1e-9
    )
    assert chosen["loss_upper"] > plain.new_upper
    assert (
        chosen["N_upper"] > 10 * chosen["N"]
    )  # the widened interval ends above 0.9 far out, or whatever the size
    assert fit.predict(N=chosen["N_lower"], P=4, method=Covariance()).new_lower[0] == pytest.approx(
        0.9, rel=2e-3
    )


def test_what_to_minimise_changes_the_choice(fit):
    heavy = Workload(batch=32, D=42e9)
    picks = {m: advise(fit, loss=1.08, workload=heavy, minimise=m, method=Covariance()).chosen["P"] for m in
             ("latency_s", "memory_bytes", "training_flops")}  # fmt: skip
    assert picks["training_flops"] == 1
    assert (
        picks["memory_bytes"] == picks["latency_s"] == 1
    )  # a batch of 32 fills the machine: streams no longer pay
    light = advise(fit, loss=1.08, workload=SHORT, minimise="memory_bytes", method=Covariance())
    assert light.chosen["P"] == 8


def test_the_best_that_a_budget_buys(fit):
    work = Workload(D=42e9)
    advice = advise(fit, training_flops=1e21, latency_s=0.5, workload=work, method=Covariance())
    options = advice.options
    used = np.maximum(options["training_flops"] / 1e21, options["latency_s"] / 0.5)
    np.testing.assert_allclose(used, 1, rtol=2e-3)
    assert advice.chosen["loss"] == options["loss"].min()


def test_no_answer_is_explained(fit):
    assert re.search(r"\b0\.5\b.*\b0\.6912\b", advise(fit, loss=0.5, method=Covariance()).reason)
    advice = advise(fit, loss=1.05, memory_bytes=1e9, method=Covariance())
    assert advice.chosen is None
    assert re.search(r"P.*=.*8.*memory_bytes", advice.reason)
    far = advise(fit, loss=0.9, streams=[8], method=Covariance())
    assert far.reason.count(";") == 1


@pytest.mark.parametrize("streams", [[1], [1, 8]])
def test_a_loss_that_every_size_reaches_is_said_so(fit, streams):
    advice = advise(fit, loss=14.0, streams=streams, method=Covariance())
    assert advice.chosen is None
    assert {*advice.options["broken"]} == {"every size reaches the loss"}
    assert re.search(r"every size .*\b14\b.*P = 1\b.*N = 1000\b", advice.reason)
    assert advice.options["N"].isna().all()


def test_a_size_beyond_those_considered_is_no_answer(fit):
    loss = float(fit.law.predict(N=3e13, P=1))
    advice = advise(fit, loss=loss, streams=[1], method=Covariance())
    assert advice.chosen is None
    assert "1e+13" in advice.reason


@pytest.mark.parametrize("limit", [{"latency_s": 1e9}, {"memory_bytes": 1e30, "latency_s": 1e9}])
def test_limits_that_hold_no_size_down_choose_none(fit, limit):
    advice = advise(fit, **limit, method=Covariance())
    assert advice.chosen is None
    assert np.isinf(advice.options["N"]).all()
    assert re.search(r"P = 1, 2, 4, 8\b.*1e\+13", advice.reason)


def test_limits_that_hold_down_some_streams_only_choose_none(fit):
    """At P = 1 every size is within the limit, so that the best is unknown, whatever P = 8 offers."""
    limit = np.mean([Workload().costs(1e13, P)["memory_bytes"] for P in (1, 8)])
    advice = advise(fit, memory_bytes=limit, streams=[1, 8], method=Covariance())
    assert advice.options["broken"].tolist() == ["every size is within the limits", ""]
    assert advice.chosen is None
    assert re.search(r"P = 1\b(?!, 8).*1e\+13", advice.reason)


def test_the_floor_is_that_of_the_most_streams(losses):
    additive = scaling.fit(scaling.AdditiveLaw, losses[losses["corpus"] == "pile"])
    reason = advise(additive, loss=1.3978).reason
    assert re.search(r"1\.3978\b.*\b1\.408\b.*P = 8", reason)  # at P = 1 it is 1.475


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({}, "loss"),
        ({"loss": -1.0}, r"loss=-1\.0"),
        ({"loss": 1.1, "minimise": "money"}, "minimise='money'"),
        ({"training_flops": 1e20}, r"\bD\b"),
        ({"loss": 1.1, "level": 2.0}, r"level=2\.0"),
        ({"loss": 1.1, "minimise": "training_flops"}, r"\bD\b"),
    ],
)
def test_questions_without_an_answer_are_refused(fit, question, message):
    with pytest.raises(ValueError, match=message):
        advise(fit, **question)


def test_the_frontier_marks_what_is_within_the_limits(fit):
    advice = advise(fit, loss=1.05, memory_bytes=4 * 2**30, workload=SHORT, method=Covariance())
    table = candidate_costs(fit, advice, SHORT, points=12)
    assert len(table) == 4 * 12 + 1
    good = table[table["meets"]]
    assert (good["loss"] <= 1.05 + 1e-9).all()
    assert (good["memory_gib"] <= 4 + 1e-9).all()
    (axes,) = frontier_figure(table, budget=advice.limits).axes
    assert any("$P = 8$" in t.get_text() for t in axes.texts)


@pytest.fixture(scope="module")
def chinchilla():
    return scaling.fit(scaling.ChinchillaLaw, scaling.published("chinchilla"))


def test_the_cheapest_run_under_a_law_of_N_and_D(chinchilla):
    """The least 6 N D of those that reach the loss: a step of log N gains as much as a step of log D."""
    law = chinchilla.law
    found = advise(chinchilla, loss=2.1, workload=Workload(hardware=H100, price=2.5), method=Covariance())
    (row,) = found.options.to_dict("records")
    assert law.predict(N=row["N"], D=row["D"]) == pytest.approx(2.1, abs=1e-5)
    gains = law.alpha * law.A * row["N"] ** -law.alpha, law.beta * law.B * row["D"] ** -law.beta
    assert gains[0] == pytest.approx(gains[1], rel=2e-3)
    assert row["training_flops"] == pytest.approx(6 * row["N"] * row["D"])
    assert row["gpu_hours"] == pytest.approx(row["training_flops"] / (0.4 * 989e12 * 3600))
    assert row["price"] == pytest.approx(2.5 * row["gpu_hours"])
    for end in ("lower", "upper"):
        assert row[f"training_flops_{end}"] == pytest.approx(6 * row[f"N_{end}"] * row[f"D_{end}"])
    at = chinchilla.predict(N=row["N_upper"], D=row["D_upper"], method=Covariance()).iloc[0]
    assert at.new_upper == pytest.approx(2.1, abs=1e-3)
    N, D = (
        row[f"{axis}_lower"] * np.array([0.75, 1.35]) for axis in "ND"
    )  # the interval jumps at the hull's edge
    low = chinchilla.predict(N=N, D=D, method=Covariance()).new_lower
    assert low[0] > 2.1 > low[1]
    assert not row["inside"]
    assert found.reason.count(";") == 1


def test_limits_of_memory_hold_N_down_and_a_budget_is_spent(chinchilla):
    free = advise(chinchilla, loss=2.1, method=Covariance()).chosen
    small = advise(chinchilla, loss=2.1, memory_bytes=10 * 2**30, method=Covariance()).chosen
    assert small["memory_gib"] == pytest.approx(10, rel=1e-3)
    assert small["N"] < free["N"] / 2
    assert small["training_flops"] > free["training_flops"]
    spent = advise(chinchilla, training_flops=1e23, method=Covariance()).chosen
    law, a = chinchilla.law, chinchilla.law.beta / (chinchilla.law.alpha + chinchilla.law.beta)
    ratio = law.alpha * law.A / (law.beta * law.B)
    assert spent["N"] == pytest.approx(ratio ** (1 / (law.alpha + law.beta)) * (1e23 / 6) ** a, rel=2e-3)
    assert advise(chinchilla, loss=2.1, training_flops=1e20, method=Covariance()).chosen is None


def test_extremes_under_a_law_with_data(chinchilla):
    assert "every size reaches" in advise(chinchilla, loss=14.0e3, method=Covariance()).reason
    spent = advise(chinchilla, training_flops=1e33, method=Covariance())
    assert spent.chosen is None
    assert "1e+13" in spent.reason
    small = advise(chinchilla, loss=2.1, memory_bytes=1e3, method=Covariance())
    assert small.options["broken"].tolist() == ["no size is within the limits"]
    assert "within the limits" in small.reason


def test_below_the_floor_it_gives_E_with_its_interval(chinchilla):
    reason = advise(chinchilla, loss=1.5, method=Covariance()).reason
    low, high = chinchilla.intervals(method=Covariance()).loc["E", ["lower", "upper"]]
    assert all(f"{x:.4g}" in reason for x in (chinchilla.law.E, low, high))


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"memory_bytes": 1e9}, "FLOPs"),
        ({"loss": 2.1, "workload": Workload(D=1e9)}, r"\bD\b"),
    ],
)
def test_questions_to_a_law_with_data_that_have_no_answer(chinchilla, question, message):
    with pytest.raises(ValueError, match=message):
        advise(chinchilla, **question)


@pytest.mark.parametrize("wrong", [{"mfu": 0}, {"mfu": 1.2}, {"price": -1.0}, {"price": float("nan")}])
def test_shares_and_prices_that_cannot_be(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Workload(**wrong)


def test_streams_and_data_together():
    """A joint law: every P gets its own N and D, and reaches the loss with them."""
    law = scaling.ParallelDataLaw(E=1.6, A=3e6, alpha=0.3, k=0.4, B=500, beta=0.3)
    N, P, D = (
        v.ravel() for v in np.meshgrid(np.geomspace(2e7, 2e9, 4), [1.0, 4.0], np.geomspace(1e9, 1e11, 3))
    )
    noise = np.exp(1e-3 * np.random.default_rng(2).standard_normal(N.size))
    one = scaling.fit("parallel-data", {"N": N, "P": P, "D": D, "loss": law.predict(N=N, P=P, D=D) * noise})
    options = advise(one, loss=2.4, method=Covariance()).options
    np.testing.assert_allclose(one.law.predict(N=options.N, P=options.P, D=options.D), 2.4, atol=1e-5)
    assert list(options["P"]) == [1, 2, 4]
    assert (np.diff(options["training_flops"]) > 0).all()
    assert (np.diff(options["N"]) < 0).all()
