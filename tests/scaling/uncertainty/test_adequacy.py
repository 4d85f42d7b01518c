"""The structure test keeps its level, also if noise changes along an axis, and has power."""

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

import scaling
from benchmarks.coverage.shared_offsets import designs
from scaling import Law, ParallelLaw, Range
from scaling.laws.data_axes import FineTuningLaw
from scaling.optimise.solver import minimise
from scaling.uncertainty.adequacy import size_test, streams_in_doubt, structure_test
from tests.scaling.isoflop_runs import CHINCHILLA
from tests.scaling.runs_off_by_size import off_by_size
from tests.scaling.twenty_four_runs import made

N, D = (x.ravel() for x in np.meshgrid(np.geomspace(7e7, 6e9, 8), np.geomspace(2e9, 1e11, 8)))
TRIALS = 1500


def share_that_speaks_up(growth: float) -> float:
    """Of trials about the fitted law, noise growing as exp(growth z), z the standardised log N."""
    z = (np.log(N) - np.log(N).mean()) / np.log(N).std()
    drawn = np.random.default_rng(8).standard_normal((TRIALS, N.size))
    y = CHINCHILLA.predict(N=N, D=D) * np.exp(0.005 * np.exp(growth * z) * drawn)
    base = scaling.fit("chinchilla", {"N": N, "D": D, "loss": y[0]}, "log-least-squares", start=8)
    problem = replace(base.problem, y=y)
    theta = minimise(problem, np.repeat(problem.internal(CHINCHILLA)[None], TRIALS, 0), tolerance=1e-12).theta
    found = []
    for i, at in enumerate(theta):
        law = problem.law.from_vector(problem.named(at[None])[0])
        found.append(structure_test(replace(base, law=law, problem=replace(problem, y=y[i]), theta=at)))
    return float(np.mean(np.array(found) < 0.05))


@pytest.mark.parametrize("growth", [0.0, 1.1])
def test_it_speaks_up_in_a_twentieth_of_trials_without_structure(growth: float) -> None:
    assert 0.03 < share_that_speaks_up(growth) < 0.07  # the F test alone: 0.15 where noise changes


def test_it_speaks_up_where_another_law_made_the_losses() -> None:
    other = scaling.InteractionLaw(E=1.7, A=2.2e8, B=3.1e9, alpha=0.42, beta=0.36, gamma=0.6)
    noise = np.exp(0.003 * np.random.default_rng(1).standard_normal(N.size))
    fit = scaling.fit("chinchilla", {"N": N, "D": D, "loss": other.predict(N=N, D=D) * noise})
    assert structure_test(fit) < 1e-6
    assert "p < 0.001" in scaling.adequacy(fit).verdict


def test_adequacy_finds_structure_where_there_is_some(pile: pd.DataFrame) -> None:
    wrong = scaling.adequacy(scaling.fit(ParallelLaw, pile, scaling.LeastSquares()))
    assert wrong.structure_p < 0.01
    assert re.search("p [=<] 0.0", wrong.verdict)
    assert wrong.grid.shape == (6, 4)
    right = [scaling.adequacy(scaling.fit(ParallelLaw, made(s), scaling.LeastSquares(log=True))).structure_p
             for s in range(16)]  # fmt: skip
    assert 0.3 < np.mean(right) < 0.7  # uniform under the truth
    assert np.mean(np.array(right) < 0.05) < 0.2


def test_a_term_that_the_law_already_has_is_no_structure() -> None:
    """The rounding error of a projected term is not tested for structure."""
    size = np.repeat([1e8, 3e8, 1e9], 4)
    loss = scaling.DenseLaw(E=1.4, A=3e7, alpha=0.2).predict(N=size)
    loss = loss + 1e-3 * np.random.default_rng(2).standard_normal(12)
    assert np.isnan(
        scaling.adequacy(
            scaling.fit(scaling.DenseLaw, {"N": size, "loss": loss}, scaling.LeastSquares())
        ).structure_p
    )


def test_an_axis_with_runs_at_zero_is_tested() -> None:
    examples = np.repeat([0, 100, 300, 1000, 3000, 1e4, 3e4, 1e5], 2)
    law = FineTuningLaw(E=1.2, B=80.0, D_l=60.0, beta=0.5)
    noise = 2e-3 * np.random.default_rng(1).standard_normal(16)
    bent = 0.05 * np.exp(-((np.log10(examples + 30) - 4.5) ** 2) / 0.3)
    for off, found in ((0.0, False), (bent, True)):
        table = {"D": examples, "loss": law.predict(D=examples) + off + noise}
        told = scaling.adequacy(scaling.fit(type(law), table, scaling.LeastSquares()))
        assert (told.structure_p < 0.05) == found
        assert "Too few" not in told.verdict


def test_names_of_arms_are_no_curve() -> None:
    """The same runs under other names, and so in another order of the arms."""
    arm, factor = np.repeat(["a", "b", "c"], 15), np.repeat([1.0, 1.05, 0.95], 15)
    size, tokens = (
        np.tile(v.ravel(), 3) for v in np.meshgrid(np.geomspace(1e8, 1e10, 5), [1e10, 3e10, 1e11])
    )
    noise = np.exp(2e-3 * np.random.default_rng(5).standard_normal(45))
    loss = CHINCHILLA.predict(N=size / factor, D=tokens) * noise
    found = []
    for names in ("abc", "bca", (0, 1, 2)):
        named = [dict(zip("abc", names, strict=True))[one] for one in arm]
        table = pd.DataFrame({"N": size, "D": tokens, "arm": named, "loss": loss})
        fit = scaling.fit(scaling.Arms("chinchilla", "arm", own=("A",)), table, scaling.LeastSquares())
        found.append(structure_test(fit))
    assert 0 < found[0] < 1
    assert found == pytest.approx([found[0]] * 3, rel=1e-4)


@pytest.mark.slow
def test_the_structure_test_is_right_as_often_as_it_says() -> None:
    size, streams = (v.ravel() for v in np.meshgrid([1e8, 3e8, 1e9], [1.0, 2.0, 4.0]))
    law = scaling.AdditiveLaw(E=1.2, A=60.0, alpha=0.2, C=0.1, beta=0.5)
    found = []
    for seed in range(30):
        noise = 1e-3 * np.random.default_rng(seed).standard_normal(9)
        table = {"N": size, "P": streams, "loss": law.predict(N=size, P=streams) + noise}
        found.append(scaling.adequacy(scaling.fit(type(law), table, scaling.LeastSquares())).structure_p)
    p = np.array(found)
    assert 0.2 < np.nanmean(p < 0.5) < 0.8
    assert np.isfinite(p).mean() > 0.9


def test_sizes_that_miss_alike_are_found_and_noise_is_not() -> None:
    def found(scatter: float, seed: int) -> bool:
        fit = scaling.fit(scaling.ParallelLaw, off_by_size(scatter, seed), scaling.LeastSquares())
        return size_test(fit) < 0.05

    assert all(found(5e-3, seed) for seed in range(3))
    assert np.mean([found(0.0, seed) for seed in range(16)]) <= 0.2  # 5% is what it promises


def test_a_fit_says_what_its_intervals_are_worth_then(stack: pd.DataFrame) -> None:
    """The paper's own runs of one size have errors of one sign."""
    fit = scaling.fit(scaling.ParallelLaw, stack, scaling.LeastSquares())
    assert size_test(fit) < 1e-6
    assert "within a model size" in scaling.adequacy(fit).verdict
    assert "within a model size: 6 groups" in repr(fit)
    quiet = scaling.fit(scaling.ParallelLaw, off_by_size(0.0, 1), scaling.LeastSquares())
    assert "within a model size" not in repr(quiet)
    assert np.isnan(size_test(scaling.fit(scaling.DenseLaw, stack[stack["P"] == 1])))


def test_offsets_of_configurations_put_the_effect_of_streams_in_doubt() -> None:
    """A draw of k = 0 whose offsets look like an effect of P: k was 0.01 to 0.29, as if streams helped."""
    design = designs()["4 sizes x 3 P x 3 seeds, cell offsets 1 sigma, k = 0"]
    noise = np.exp(design.noise(np.random.default_rng(6), 250)[43])
    runs = pd.DataFrame({**design.axes, "loss": design.law.predict(**design.axes) * noise})
    fit = scaling.fit(ParallelLaw, runs, "log-least-squares")
    assert streams_in_doubt(fit, 0.95)
    assert not streams_in_doubt(fit, 0.5)
    assert fit.intervals().lower["k"] == 0.0 < fit.intervals(level=0.5).lower["k"]
    assert fit.intervals().lower["A"] > 0  # whose slope is small only for its unit
    worth = fit.equivalent_N([1e7, 1e7], [4, 1], at_P=2)
    assert worth.lower[0] == 1e7 == worth.upper[1]
    real = runs.assign(loss=replace(design.law, k=0.6).predict(**design.axes) * noise)
    assert scaling.fit(ParallelLaw, real, "log-least-squares").intervals().lower["k"] > 0
    assert not streams_in_doubt(scaling.fit(ParallelLaw, runs, "log-least-squares", groups=False), 0.95)


@dataclass(frozen=True)
class SignedLaw(Law):
    """Eq 5 with a k that may be negative."""

    E: float
    A: float
    alpha: float
    k: float

    axes = ("N", "P")
    nonlinear = {"alpha": Range(0.05, 1.0, 8), "k": Range(-0.1, 0.5, 4, -0.45, 20.0)}  # noqa: RUF012

    @staticmethod
    def terms(N, P, alpha, k):
        return 1.0, (N * (1 + k * np.log(P))) ** -alpha


def test_streams_in_doubt_leave_an_end_below_0_where_it_is() -> None:
    """0 lies in the interval, and so does a negative estimate."""
    design = designs()["4 sizes x 3 P x 3 seeds, cell offsets 1 sigma, k = 0"]
    noise = np.exp(design.noise(np.random.default_rng(6), 250)[0])
    runs = {**design.axes, "loss": design.law.predict(**design.axes) * noise}
    fit = scaling.fit(SignedLaw, runs, "log-least-squares")
    assert streams_in_doubt(fit, 0.95)
    k = fit.intervals().loc["k"]
    assert k.lower < k.estimate < 0 < k.upper
