"""Objectives with kinks: the lowest of several minima, and faces of equal optima whose ends are known."""

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import LAD, Arms, Asymmetric, LeastSquares, LogHuber, Status
from scaling.laws.model_axes import PrecisionLaw
from scaling.optimise.kinks import arrived, lowest_nearby
from scaling.optimise.solver import minimise

N = np.array([1e7, 3e7, 1e8, 3e8, 1e9, 3e9])
OFFSETS = np.array([1.93, 2.03, 2.11, 2.27, 2.36, 2.51])  # of a power law that is known: E is their centre
KNOWN = {"A": 1500.0, "alpha": 0.41}


def of_offsets(objective: scaling.Objective, count: int = 6) -> scaling.Fit:
    """A fit of E alone: an optimum is a median, or another quantile, of the offsets."""
    loss = scaling.DenseLaw(E=0.0, **KNOWN).predict(N=N) + OFFSETS
    return scaling.fit("dense", {"N": N[:count], "loss": loss[:count]}, objective, fixed=KNOWN, groups=False)


@pytest.mark.parametrize(
    ("objective", "count", "low", "high"),
    [
        (LAD(log=False), 6, 2.11, 2.27),
        (LAD(log=False), 4, 2.03, 2.11),
        (Asymmetric(log=False, over=2.0), 6, 2.03, 2.11),  # twice the cost above: the third from below
        (LogHuber(1e-2, log=False), 6, 2.12, 2.26),  # within delta of a row it is not flat
    ],
)
def test_a_face_of_medians_has_known_ends(objective, count, low, high) -> None:
    fit = of_offsets(objective, count)
    [(name, lowest, highest)] = fit.certificate.equal_optima
    assert name == "E"
    assert (lowest, highest) == pytest.approx((low, high), abs=1e-8)
    assert lowest <= fit.law.E <= highest
    assert fit.status == Status.CONVERGED
    assert any(f"{low:.4g}" in note and f"{high:.4g}" in note for note in fit.certificate.notes)


@pytest.mark.parametrize(
    ("objective", "count"),
    [
        (LAD(log=False), 5),
        (Asymmetric(log=False, over=2.5), 6),
        (LogHuber(1e-1, log=False), 6),
        (LeastSquares(), 6),
    ],
)
def test_a_single_optimum_has_no_face(objective, count) -> None:
    assert of_offsets(objective, count).certificate.equal_optima == ()


def test_an_interval_covers_the_face() -> None:
    fit = of_offsets(LAD(log=False))
    [(_, lowest, highest)] = fit.certificate.equal_optima
    ends = fit.intervals().loc["E"]
    assert ends.lower <= lowest < highest <= ends.upper


def test_ends_of_a_face_of_several_parameters_are_those_of_fits_with_one_held() -> None:
    rng, sizes = np.random.default_rng(3), np.repeat([1e7, 1e8, 1e9], 4)  # a median a size: a box of faces
    loss = (1.7 + 90 * sizes**-0.3) * np.exp(4e-3 * rng.standard_normal(12))
    runs = {"N": sizes, "loss": loss}
    fit = scaling.fit("dense", runs, "lad", groups=False)
    found = {name: (low, high) for name, low, high in fit.certificate.equal_optima}
    assert {*found} == {"E", "A", "alpha"}
    low, high = found["E"]
    for E, rises in ((low, False), (high, False), (low - 0.1, True), (high + 0.1, True)):
        held = scaling.fit("dense", runs, "lad", groups=False, fixed={"E": E}).objective_value
        assert (held > fit.objective_value * (1 + 1e-6)) == rises


LEVELS = {"bf16": 1.0, "fp8": 0.91, "int4": 0.53}


def precisions(seed: int, rows: int) -> pd.DataFrame:
    """Runs of three precisions with heavy-tailed noise."""
    rng, parts = np.random.default_rng(seed), []
    for name, eff in LEVELS.items():
        n, d = 10 ** rng.uniform(7, 9.5, rows), 10 ** rng.uniform(9, 11, rows)
        loss = (1.7 + 90 * (n * eff) ** -0.3 + 300 * d**-0.31) * np.exp(4e-3 * rng.standard_t(3, rows))
        parts.append(pd.DataFrame({"N": n, "D": d, "precision": name, "loss": loss}))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize(("objective", "seed"), [("asymmetric", 1), ("lad", 1), (LogHuber(1e-5), 3)])
def test_a_category_under_a_kink_ends_where_its_twin_does(objective, seed) -> None:
    """An efficiency of each level and a prefactor of each are one law: the objectives' minima are equal."""
    runs = precisions(seed, 10 if seed == 1 else 20)
    twin = scaling.fit(Arms("chinchilla", "precision", own=("A",)), runs, objective, groups=False)
    one = scaling.fit(PrecisionLaw, runs, objective, groups=False)
    assert one.objective_value == pytest.approx(twin.objective_value, rel=1e-8)
    assert one.status == twin.status == Status.CONVERGED


def offsets_by_level() -> scaling.Fit:
    """A fit of an offset of each precision, which the truth has not, to rows with heavy-tailed noise."""
    rng, parts = np.random.default_rng(2), []
    for name, eff in LEVELS.items():
        n, _ = 10 ** rng.uniform(7, 9.5, 15), rng.uniform(size=15)
        loss = (1.7 + 90 * (n * eff) ** -0.3) * np.exp(4e-3 * rng.standard_t(3, 15))
        parts.append(pd.DataFrame({"N": n, "precision": name, "loss": loss}))
    runs = pd.concat(parts, ignore_index=True)
    return scaling.fit(Arms("dense", "precision", own=("E",)), runs, "asymmetric", groups=False)


def test_a_lower_minimum_nearby_is_found() -> None:
    """Between kinks lies another minimum, 3e-4 higher, in which a search by steps stays."""
    fit = offsets_by_level()
    assert fit.objective_value == pytest.approx(0.543272145, rel=1e-7)
    other = fit.form(
        1.6185363205853, 1.6446463812945, 1.6722100784522, np.exp(15.083844501331), 0.25727476853
    )
    higher = minimise(fit.problem, fit.problem.internal(other)[None], warm=True)
    assert higher.value[0] == pytest.approx(0.543443139, rel=1e-7)
    assert higher.converged[0]
    with np.errstate(all="ignore"):
        assert lowest_nearby(fit.problem, higher).value[0] == pytest.approx(fit.objective_value, rel=1e-9)


def test_programmes_arrive_where_steps_walk_along_kinks() -> None:
    fit = offsets_by_level()
    near = fit.problem.snapped(fit.theta * np.array([1.01, 1.01, 1.01, 0.98, 1.02]))
    walking = minimise(fit.problem, near[None], iterations=20, warm=True)
    assert not walking.converged[0]
    found = arrived(fit.problem, walking)
    assert found.converged[0]
    assert found.value[0] == pytest.approx(fit.objective_value, rel=4e-4)  # here, or at the minimum nearby
    assert found.value[0] < walking.value[0]
