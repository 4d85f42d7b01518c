"""The smallest effect that can be seen, against simulation."""

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import AdditiveLaw, DenseLaw, LeastSquares, ParallelLaw

N = np.repeat([24_864.0, 49_696, 139_072, 231_744, 407_136], 4)
P = np.tile([1.0, 2, 4, 8], 5)
TRUTH = {"E": 1.5, "A": 2e5, "alpha": 0.25}


def runs(k: float, seed: int) -> dict:
    noise = 0.008 * np.random.default_rng(seed).standard_normal(N.size)
    return {"N": N, "P": P, "loss": ParallelLaw(**TRUTH, k=k).predict(N=N, P=P) + noise}


@pytest.mark.slow
def test_what_is_called_detectable_is_seen_four_times_in_five() -> None:
    said = [
        scaling.detectable(scaling.fit(ParallelLaw, runs(0.0, seed), LeastSquares())) for seed in range(8)
    ]
    k = float(np.mean(said))
    assert 0.01 < k < 0.05
    fits = [scaling.fit(ParallelLaw, runs(k, seed), LeastSquares()) for seed in range(100, 130)]
    seen = np.mean([fit.intervals().lower["k"] > 0 for fit in fits])
    assert 0.55 <= seen <= 0.98  # 0.8, three standard errors of thirty either side


def test_less_noise_and_more_seeds_see_smaller_effects() -> None:
    one = runs(0.0, 0)
    fit = scaling.fit(ParallelLaw, one, LeastSquares(), groups=False)
    four = {name: np.tile(v, 4) for name, v in one.items()}
    assert scaling.detectable(fit, power=0.5) < scaling.detectable(fit) < scaling.detectable(fit, power=0.95)
    more = scaling.detectable(scaling.fit(ParallelLaw, four, LeastSquares(), groups=False))
    assert more == pytest.approx(scaling.detectable(fit) / 2, rel=0.15)


def test_the_summary_says_it_only_where_k_may_be_zero() -> None:
    assert "80%" in repr(scaling.fit(ParallelLaw, runs(0.0, 1)))
    assert "80%" not in repr(scaling.fit(ParallelLaw, runs(0.4, 1)))


def test_a_law_without_the_parameter_says_what_it_has() -> None:
    fit = scaling.fit(DenseLaw, runs(0.0, 0))
    with pytest.raises(ValueError, match=r"DenseLaw.*E.*A.*'k'"):
        scaling.detectable(fit)
    with pytest.raises(ValueError, match="level=1"):
        scaling.detectable(fit, "A", level=1)


def test_a_coefficient_at_its_bound_is_let_go_whatever_its_place() -> None:
    up = runs(0.0, 2)
    up["loss"] = up["loss"] + 0.02 * (1 - P**-0.5)  # streams that harm: C ends at 0
    fit = scaling.fit(AdditiveLaw.with_fixed(beta=0.5), up, LeastSquares())
    assert fit.law.C == 0
    found = scaling.detectable(fit, "C")
    assert np.isfinite(found)
    assert 0.001 < found < 0.1


def test_rows_that_share_a_run_see_less_than_as_many_runs() -> None:
    table = {name: np.repeat(v, 3) for name, v in runs(0.0, 1).items()}
    wobble = 1e-3 * np.random.default_rng(4).standard_normal(60)
    table["loss"] = table["loss"] + wobble
    alone, shared = (
        scaling.fit(ParallelLaw, table, LeastSquares(), groups=g) for g in (False, np.arange(60) // 3)
    )
    assert scaling.detectable(shared) > 1.4 * scaling.detectable(
        alone
    )  # sqrt(3) if all rows had the same variance
    candidates = pd.DataFrame({"N": N, "P": P})
    before = [scaling.suggest(fit, candidates).attrs["before"] for fit in (alone, shared)]
    assert before[1] > 1.4 * before[0]


def test_more_runs_are_suggested_where_a_parameter_ended_at_its_bound() -> None:
    fit = next(f for s in range(9) if not (f := scaling.fit(ParallelLaw, runs(0.0, s), LeastSquares())).law.k)
    chosen = scaling.suggest(fit, pd.DataFrame({"N": N, "P": P}), count=3)
    assert chosen["half_width"].is_monotonic_decreasing
    assert chosen.attrs["before"] > chosen["half_width"].iloc[0] > 0
