"""Published runs: our objective is never above the published one, and their optima come out as printed."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import least_squares, minimize

import scaling
from scaling import ChinchillaLaw, Fit, LogHuber, ParallelLaw

RUNS = Path(__file__).parents[3] / "results" / "published" / "runs"
TARGETS = json.loads((RUNS / "targets.json").read_text())
GEMSTONES = [(f, d) for f, t in TARGETS.items() if f.startswith("gemstones") for d in t["published"]]
PRINTED = {
    "stack-v2-python": {"E": "0.6912", "A": "1.131e7", "k": "0.3935", "alpha": "0.1894", "r2": "0.9978"},
    # The printed Pile constants (E 1.2888, A 1.974e8, k 0.3345) are not quite the optimum. These are.
    "pile": {"E": "1.2886", "A": "1.975e8", "k": "0.3344", "alpha": "0.1963", "r2": "0.9987"},
}


def chinchilla(published: dict) -> ChinchillaLaw:
    E, A, B = (float(np.exp(published[f"log_{x}"])) for x in "EAB")
    return ChinchillaLaw(E=E, A=A, B=B, alpha=published["alpha"], beta=published["beta"])


def value_at(fit: Fit, law: scaling.Law) -> float:
    return float(fit.problem.value(fit.problem.internal(law)[None])[0])


def huber(fit: Fit, law: scaling.Law) -> float:
    """The objective written out again, independently of scaling.optimise.objectives."""
    r = np.abs(np.log(law.predict(**fit.axes)) - np.log(fit.loss))
    d = fit.problem.objective.delta  # type: ignore[attr-defined]
    return float(np.where(r <= d, r**2 / 2, d * (r - d / 2)).sum())


@pytest.mark.parametrize("corpus", list(PRINTED))
def test_the_papers_fits_to_their_printed_digits(losses: pd.DataFrame, corpus: str) -> None:
    fit = scaling.fit(ParallelLaw, losses[losses.corpus == corpus])
    assert fit.status == scaling.Status.CONVERGED
    for name, digits in PRINTED[corpus].items():
        mine = fit.r2 if name == "r2" else getattr(fit.law, name)
        assert mine == pytest.approx(
            float(digits), abs=10 ** -(len(digits) - 2) / 2 if "e" not in digits else 5e-4 * mine
        )
    optimum = TARGETS["../paper/losses.csv"]["true_optimum"][corpus]
    assert fit.objective_value <= optimum["objective"] * (1 + 2e-8)  # its own printed digits
    printed = TARGETS["../paper/losses.csv"]["published (Figure 2)"][corpus]
    there = ParallelLaw(E=printed["E"], A=printed["A"], k=printed["k"], alpha=printed["alpha"])
    assert fit.objective_value < value_at(fit, there)
    assert fit.objective_value == pytest.approx(huber(fit, fit.law), rel=1e-9)


@pytest.mark.parametrize(("file", "delta"), GEMSTONES)
def test_gemstones_at_least_as_low_as_published(file: str, delta: str) -> None:
    runs = scaling.read_runs(RUNS / file)
    assert len(runs) == TARGETS[file]["rows"]
    fit = scaling.fit(ChinchillaLaw, runs, LogHuber(float(delta)))
    published = TARGETS[file]["published"][delta]
    theirs = huber(fit, chinchilla(published))
    assert theirs == pytest.approx(published["objective_recomputed"], rel=1e-8)
    assert fit.status == scaling.Status.CONVERGED
    assert huber(fit, fit.law) <= theirs
    assert fit.starts_agreeing >= 2
    assert abs(fit.certificate.second_gap) < 0.01


def test_the_published_fit_that_is_not_an_optimum_by_most() -> None:
    runs = scaling.read_runs(RUNS / "gemstones_slim_chinchilla.csv")
    fit = scaling.fit(ChinchillaLaw, runs, LogHuber(1e-4))
    published = TARGETS["gemstones_slim_chinchilla.csv"]["published"]["1e-4"]
    assert value_at(fit, chinchilla(published)) / fit.objective_value - 1 == pytest.approx(0.0277, abs=1e-3)


def test_chinchilla_kyo_huber_optimum(kyo: pd.DataFrame) -> None:
    fit = scaling.fit(ChinchillaLaw, kyo)
    for name, value in TARGETS["chinchilla_kyo.csv"]["huber_1e-3_optimum"].items():
        assert getattr(fit.law, name) == pytest.approx(value, rel=1e-6), name


def test_chinchilla_kyo_asymmetric_is_on_the_loss_itself(kyo: pd.DataFrame) -> None:
    target = TARGETS["chinchilla_kyo.csv"]["published_asymmetric_mae"]
    law = ChinchillaLaw(**{k: target[k] for k in ("E", "A", "B", "alpha", "beta")})
    r = np.asarray(law.predict(N=kyo.N, D=kyo.D)) - kyo.loss.to_numpy()
    mean = np.where(r > 0, 10, 1) * np.abs(r)
    assert mean.mean() == pytest.approx(target["objective_mean"], rel=1e-9)
    fit = scaling.fit(ChinchillaLaw, kyo, scaling.Asymmetric(log=False, over=10.0))
    assert fit.status == scaling.Status.CONVERGED
    r = -fit.residuals
    assert (np.where(r > 0, 10, 1) * np.abs(r)).mean() <= target["best_known_objective_mean"]


def test_olmo_ladder_prediction() -> None:
    target = TARGETS["olmo_ladder_c4.csv"]["published"]
    table = pd.read_csv(RUNS / "olmo_ladder_c4.csv")
    names = [f"{s}-{x}xC" for s in ("190M", "370M", "760M", "1B") for x in (1, 2, 5, 10)]
    rows = table[table.run.isin(names)].rename(columns={"tokens": "D", "c4_loss_ma5": "loss"})
    assert len(rows) == 16
    fit = scaling.fit(ChinchillaLaw, rows)
    predicted = fit.law.predict(N=13202396160, D=5e12)
    assert predicted == pytest.approx(target["prediction_13B_5T (N=13202396160, D=5e12)"], rel=2e-4)
    error = np.abs(fit.residuals / fit.loss).mean()
    assert error <= target["mean_abs_rel_fit_error"] * 1.01
    seen = table[table.run == "peteish13_eval_final"].c4_loss_ma5.item()
    assert seen == pytest.approx(target["actual"])
    assert predicted < seen  # the law is too hopeful at 13B: the annealing of the large run differs


def test_a_second_algorithm_on_the_same_objective_ends_no_lower(pile: pd.DataFrame, pile_fit: Fit) -> None:
    """scipy on log parameters with its own numeric gradients, polished: nothing of ours but the data."""
    N, P, y = pile.N.to_numpy(float), pile.P.to_numpy(float), np.log(pile.loss.to_numpy(float))

    def objective(v: np.ndarray) -> float:
        E, A, alpha, k = v[0], np.exp(v[1]), v[2], v[3]
        r = np.abs(np.log(E + (A / (N * (k * np.log(P) + 1))) ** alpha) - y)
        return float(np.where(r <= 1e-3, r**2 / 2, 1e-3 * (r - 5e-4)).sum()) * 1e6

    at = minimize(objective, [1.2, 19.0, 0.2, 0.3], method="Nelder-Mead",
                  options={"maxiter": 20000, "maxfev": 20000, "xatol": 1e-12, "fatol": 1e-14})  # fmt: skip
    assert pile_fit.objective_value * 1e6 <= at.fun * (1 + 1e-9)
    assert at.fun == pytest.approx(pile_fit.objective_value * 1e6, rel=1e-6)
    np.testing.assert_allclose([at.x[0], np.exp(at.x[1]), at.x[2], at.x[3]], pile_fit.law.vector, rtol=1e-3)


def test_least_squares_agrees_with_scipy(kyo: pd.DataFrame) -> None:
    fit = scaling.fit(ChinchillaLaw, kyo, scaling.LeastSquares())
    N, D, y = (kyo[c].to_numpy(float) for c in ("N", "D", "loss"))

    def residual(v: np.ndarray) -> np.ndarray:
        return v[0] + np.exp(v[1] - v[3] * np.log(N)) + np.exp(v[2] - v[4] * np.log(D)) - y

    at = least_squares(
        residual, [1.7, 6.0, 7.0, 0.34, 0.34], xtol=1e-15, ftol=1e-15, gtol=1e-15, x_scale="jac"
    )
    assert fit.objective_value == pytest.approx(2 * at.cost, rel=1e-10)
    np.testing.assert_allclose(fit.law.alpha, at.x[3], rtol=1e-5)
