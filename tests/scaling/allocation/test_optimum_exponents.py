"""Exponents of N* = G C^a four ways, compared with published ones, and impossible units."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from tests.scaling.isoflop_runs import EXPONENT, isoflop_runs

RUNS = Path(__file__).parents[3] / "results/published/runs"


@pytest.fixture(scope="module")
def made() -> pd.DataFrame:
    return scaling.optimum_estimates(isoflop_runs(2e-3))


def test_isoflop_and_parametric_agree_on_made_runs(made: pd.DataFrame) -> None:
    assert list(made.index) == ["isoFLOP, degree 2", "isoFLOP, degree 3", "envelope", "parametric"]
    assert ((made["lower"] < EXPONENT) & (made["upper"] > EXPONENT)).all()
    assert made.exponent["parametric"] == pytest.approx(EXPONENT, abs=0.01)
    assert made.exponent["isoFLOP, degree 3"] == pytest.approx(EXPONENT, abs=0.02)
    assert (made.budgets[:3] == 6).all()
    assert "95%" in made.note["isoFLOP, degree 3"]
    assert (made["standard_error"] > 0).all()


def test_a_parabola_has_what_a_skew_moves_it_by_in_its_interval() -> None:
    runs = isoflop_runs(1e-5, centre=2.0, factor=8.0)
    table = scaling.optimum_estimates(runs)
    two, three = (table.loc[f"isoFLOP, degree {k}"] for k in (2, 3))
    assert two["upper"] - two["lower"] > 2 * abs(two["exponent"] - three["exponent"])


def test_published_exponents(kyo: pd.DataFrame) -> None:
    """Hoffmann et al. 2022, Table 2: a = 0.50 and 0.49 by approaches 1 and 2. Gemstones: their own fit of L(N, D)."""
    table = scaling.optimum_estimates(kyo)
    row = table.loc["isoFLOP, degree 3"]
    assert row["lower"] < 0.49 < row["upper"]
    assert row["exponent"] == pytest.approx(0.510, abs=0.005)
    assert table.loc["isoFLOP, degree 2", "exponent"] == pytest.approx(0.507, abs=0.005)
    name = "gemstones_hot_sampled_like_chinchilla.csv"
    fitted = json.loads((RUNS / "targets.json").read_text())[name]["published"]["1e-3"]
    gemstones = scaling.optimum_estimates(scaling.read_runs(RUNS / name))
    published = fitted["beta"] / (fitted["alpha"] + fitted["beta"])
    assert gemstones.exponent["parametric"] == pytest.approx(published, abs=1e-3)


def test_streams_are_in_the_factor_of_every_estimate(made: pd.DataFrame) -> None:
    runs = isoflop_runs(2e-3)
    four = scaling.optimum_estimates({**runs, "P": np.full(runs["N"].size, 4.0)})
    ratio = (four["factor"] / made["factor"]).drop("envelope")
    assert ratio.to_numpy() == pytest.approx(4.0 ** -made.exponent.drop("envelope").to_numpy(), rel=1e-3)


@pytest.mark.parametrize(("unit", "change"), [("PF-days", {"C": 8.64e19}), ("billions", {"D": 1e9})])
def test_units_that_were_put_right_are_named_in_every_note(
    made: pd.DataFrame, unit: str, change: dict
) -> None:
    runs = isoflop_runs(2e-3)
    frame = pd.DataFrame(runs).assign(C=6 * runs["N"] * runs["D"])
    wrong = frame.assign(**{axis: frame[axis] / by for axis, by in change.items()})
    found = scaling.optimum_estimates(wrong)
    assert found["note"].str.contains(f"taken in {unit}").all()
    told = [scaling.optimum_estimates(wrong, units={"D": unit})] if "D" in change else []
    for table in (found, *told):
        assert not table["note"].str.contains("doubt").any()
        assert table["factor"].to_numpy() == pytest.approx(made["factor"].to_numpy(), rel=1e-3)


def test_too_few_budgets_are_said() -> None:
    one = {k: v[:18] for k, v in isoflop_runs(1e-3).items()}
    table = scaling.optimum_estimates(one)
    assert np.isnan(table.exponent["isoFLOP, degree 2"])
    assert "2" in table.note["isoFLOP, degree 2"]
    three = scaling.optimum_estimates({k: v[:27] for k, v in isoflop_runs(1e-3).items()})
    assert ";" in three.note["isoFLOP, degree 3"]  # that three budgets are few
