"""Allocation under budgets: the closed form, its intervals, how far outside the runs it lies, and units."""

import re

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import ChinchillaLaw, ParallelDataLaw, ParallelLaw
from scaling.design.allocate import Allocation, one_more_run, outside_runs
from tests.scaling.isoflop_runs import CHINCHILLA, closed_form, isoflop_runs


def test_allocation_is_the_closed_form() -> None:
    law, C = CHINCHILLA, 5.76e23
    G = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))
    N = G * (C / 6) ** (law.beta / (law.alpha + law.beta))
    best = scaling.allocate(law, C)
    assert pytest.approx(N, rel=0.012) == best.N  # the search grid's step
    assert pytest.approx(C / 6 / best.N, rel=1e-9) == best.D
    assert best.intervals is None


def test_no_interior_optimum_is_said() -> None:
    interior = scaling.allocate(CHINCHILLA, 1e21).verdict
    lopsided = ChinchillaLaw(E=1.69, A=1e-9, B=410.7, alpha=0.34, beta=0.28)
    assert scaling.allocate(lopsided, 1e21).verdict != interior
    streams = ParallelDataLaw(E=1.4, A=2.9e7, B=1e-6, alpha=0.317, k=5.0, beta=0.277)
    cheap = scaling.allocate(streams, 1e21, cost=lambda N, P, D: N, limit=1e7)
    assert cheap.verdict not in (interior, scaling.allocate(lopsided, 1e21).verdict)
    free = scaling.allocate(ParallelDataLaw(1.4, 2.9e7, 0.317, 9.0, 411.0, 0.277), 1e21, streams=(1, 2))
    assert free.P == 2
    assert re.search(r"\bP\b.*\(2\)", free.verdict)


def test_an_inference_budget_trades_parameters_for_streams() -> None:
    law = ParallelDataLaw(E=1.43, A=2.9e7, B=37.0, alpha=0.317, k=0.487, beta=0.277)
    free = scaling.allocate(law, 1e22)
    memory = scaling.allocate(law, 1e22, cost=lambda N, P, D: 2 * N, limit=free.N / 4)
    assert memory.N <= free.N / 8 * 1.0001
    assert memory.P > free.P >= 1
    assert memory.loss > free.loss
    with pytest.raises(ValueError, match="limit=1"):
        scaling.allocate(law, 1e22, cost=lambda N, P, D: N, limit=1.0)


def test_a_fit_gives_intervals_and_a_table_of_its_fields(kyo: pd.DataFrame) -> None:
    fit = scaling.fit(ChinchillaLaw, kyo, "log-least-squares")
    best = scaling.allocate(fit, 1e22)
    table = best.intervals
    assert list(best.table["estimate"]) == [best.N, best.P, best.D, best.loss]
    assert best.table.loc["D", "upper"] == table.loc["D", "upper"]
    assert scaling.allocate(CHINCHILLA, 1e21).table["lower"].isna().all()
    assert table is not None
    assert (table.lower < table.upper)[["N", "D", "loss"]].all()
    assert table.lower["P"] == table.upper["P"] == 1
    assert table.lower["N"] < best.N < table.upper["N"]
    assert table.lower["loss"] < best.loss < table.upper["loss"]
    assert best.at_edge == 0
    assert scaling.allocate(fit, 1e22).intervals.equals(table)  # deterministic


def test_allocation_refusals() -> None:
    with pytest.raises(ValueError, match="ParallelLaw"):
        scaling.allocate(ParallelLaw(1.3, 1e8, 0.2, 0.3), 1e21)
    with pytest.raises(ValueError, match="training_flops=nan"):
        scaling.allocate(CHINCHILLA, float("nan"))
    with pytest.raises(ValueError, match=r"level=95.*0.*1"):
        scaling.allocate(CHINCHILLA, 1e21, level=95)


@pytest.fixture(scope="module")
def grid() -> dict:
    """Five sizes at six lengths, with little noise."""
    N, D = (x.ravel() for x in np.meshgrid(np.geomspace(7e7, 6e9, 5), np.geomspace(2e9, 1e11, 6)))
    noise = np.exp(1e-3 * np.random.default_rng(4).standard_normal(N.size))
    return {"N": N, "D": D, "loss": CHINCHILLA.predict(N=N, D=D) * noise}


@pytest.fixture(scope="module")
def fit(grid: dict) -> scaling.Fit:
    return scaling.fit("chinchilla", grid, "log-least-squares")


@pytest.fixture(scope="module")
def near(fit: scaling.Fit) -> Allocation:
    """A budget of the runs."""
    return scaling.allocate(fit, 1e21)


@pytest.fixture(scope="module")
def far(fit: scaling.Fit) -> Allocation:
    """A budget far beyond them."""
    return scaling.allocate(fit, 1e26)


def test_intervals_hold_the_closed_form_and_mirror_each_other(near: Allocation) -> None:
    best = near
    ends = best.intervals
    assert ends.lower["N"] < closed_form(1e21) < ends.upper["N"]
    assert ends.lower["D"] * ends.upper["N"] * 6 == pytest.approx(1e21, rel=1e-9)
    assert ends.upper["N"] / ends.lower["N"] < 1.3
    assert (best.beyond == 1).all()


def test_an_answer_outside_the_runs_says_by_what_factor_on_each_axis(
    fit: scaling.Fit, far: Allocation
) -> None:
    best = far
    assert best.beyond["N"] == pytest.approx(best.N / 6e9)
    assert best.beyond["D"] == pytest.approx(best.D / 1e11)
    assert best.beyond["C"] == pytest.approx(1e26 / (6 * 6e9 * 1e11))
    assert all(f"x in {axis}" in best.verdict for axis in "NDC")
    assert list(best.table["beyond"].dropna()) == [best.beyond["N"], best.beyond["D"]]
    below = scaling.allocate(fit, 1e16)
    assert below.beyond["N"] == pytest.approx(7e7 / below.N)


def test_the_loss_interval_is_the_forecast_beyond_the_runs_and_the_fit_within(
    fit: scaling.Fit, near: Allocation, far: Allocation
) -> None:
    at = {"N": far.N, "P": 1.0, "D": far.D}
    found = tuple(far.table.loc["loss", ["lower", "upper"]])
    assert found == one_more_run(fit, at, 0.95)
    beyond, plain = (fit.predict(N=far.N, D=far.D, widened=w).iloc[0] for w in (True, False))
    assert found == pytest.approx((beyond["new_lower"], beyond["new_upper"]), rel=1e-9)
    assert found[1] > plain["new_upper"]
    inside = fit.predict(N=near.N, D=near.D)[["new_lower", "new_upper"]].iloc[0]
    assert list(near.table.loc["loss", ["lower", "upper"]]) == pytest.approx(list(inside), rel=1e-9)


@pytest.mark.parametrize(
    ("units", "flops"),
    [
        ({"N": "billions", "D": "billions"}, 1e21),
        ({"N": "millions"}, 1e21),
        ({"D": "billions"}, 1e21),
        ({"C": "PF-days"}, 1e21 / 8.64e19),
    ],
)
def test_units_are_corrected_when_told_and_doubted_when_not(
    grid: dict, near: Allocation, units: dict, flops: float
) -> None:
    worth = {"millions": 1e6, "billions": 1e9}
    scaled = {**grid, **{axis: grid[axis] / worth[unit] for axis, unit in units.items() if axis != "C"}}
    fit = scaling.fit("chinchilla", scaled, "log-least-squares")
    told = scaling.allocate(fit, flops, units=units)
    assert pytest.approx([near.N, near.D], rel=1e-3) == [told.N, told.D]
    assert told.intervals.upper["D"] == pytest.approx(near.intervals.upper["D"], rel=0.02)
    assert "{" not in told.verdict
    silent = scaling.allocate(fit, flops)
    assert "{" in silent.verdict  # the units to give
    if "N" not in units:
        assert all(f'"{axis}": "{unit}"' in silent.verdict for axis, unit in units.items())


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"D=furlongs.*D"):
        scaling.allocate(CHINCHILLA, 1e21, units={"D": "furlongs"})


def test_a_ladder_has_no_optimum_to_tell() -> None:
    N = np.geomspace(1e8, 1e10, 8)
    noise = np.exp(1e-3 * np.random.default_rng(1).standard_normal(8))
    runs = {"N": N, "D": 20 * N, "loss": CHINCHILLA.predict(N=N, D=20 * N) * noise}
    fit = scaling.fit("chinchilla", runs, "log-least-squares")
    best = scaling.allocate(fit, 1e21)
    assert best.intervals.loc[["N", "D"]].isna().all(axis=None)


def test_budgets_that_scatter_lengthen_the_interval() -> None:
    tables = (isoflop_runs(1e-3, scatter=s) for s in (0.0, 0.3))
    calm, wild = (scaling.fit("chinchilla", table, "log-least-squares") for table in tables)
    width = [
        np.log(e.upper["N"] / e.lower["N"])
        for e in (scaling.allocate(f, 1e21).intervals for f in (calm, wild))
    ]
    assert width[0] < 0.15
    assert width[1] > 0.5


def test_outside_runs_counts_every_stream() -> None:
    axes = {"N": np.array([1e8, 1e9]), "P": np.array([1.0, 8.0]), "D": np.array([1e10, 1e10])}
    far = outside_runs(axes, {"N": 1e9, "P": 16.0, "D": 1e10})
    assert dict(far) == {"N": 1.0, "P": 2.0, "D": 1.0, "C": 2.0}


def test_the_inference_budget_is_said_where_it_chose_P():
    law = ParallelDataLaw(E=1.5, A=1e7, B=400.0, alpha=0.3, k=3.0, beta=0.3)
    free = scaling.allocate(law, 1e20, streams=(1, 2, 4, 8))
    limited = scaling.allocate(law, 1e20, streams=(1, 2, 4, 8), cost=lambda N, P, D: P, limit=1)
    assert (free.P, limited.P) == (2, 1)
    assert free.verdict != limited.verdict
