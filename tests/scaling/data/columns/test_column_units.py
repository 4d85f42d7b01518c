"""Units that a table's own numbers rule out: corrected if other columns show how, otherwise asked about."""

import numpy as np
import pandas as pd
import pytest

from scaling.data.any_table import as_runs
from scaling.data.columns.column_units import check_sizes, doubt, implausible, units_of
from scaling.data.reading import reading_of
from tests.scaling.tables import TOKENS, same

WITH_C = TOKENS.assign(C=6 * TOKENS["N"] * TOKENS["D"])
SHAPED = TOKENS.assign(d_model=np.sqrt(TOKENS["N"] / 12 / 24), n_layers=24)


@pytest.mark.parametrize("by", [{"N": 1e9, "D": 1e9}, {"N": 1e6, "D": 1e9}, {"N": 1e6, "D": 1e6}, {"D": 1e9}, {"N": 1e9},
                                {"C": 8.64e19}, {"C": 1e18}, {"C": 1e21}, {"N": 1e9, "D": 1e9, "C": 8.64e19}])  # fmt: skip
def test_compute_tells_the_units(by: dict[str, float]) -> None:
    table = WITH_C.assign(C=WITH_C["C"] * (1.3 if "N" in by else 0.7))  # not counted as we do
    found = as_runs(table.assign(**{axis: table[axis] / worth for axis, worth in by.items()}))
    assert same(found, table)
    assert {guess.axis for guess in reading_of(found).guesses} == set(by)
    assert not reading_of(found).doubts


@pytest.mark.parametrize("worth", [1e6, 1e9])
def test_width_and_depth_tell_the_unit_of_N(worth: float) -> None:
    assert same(as_runs(SHAPED.assign(N=SHAPED["N"] / worth)), TOKENS)


@pytest.mark.parametrize(
    ("by", "asked"),
    [({"N": 1e9}, {"N": "billions"}), ({"N": 1e6}, {"N": "millions"}), ({"D": 1e9}, {"D": "billions"}),
     ({"D": 1e6}, {"D": "millions"}), ({"N": 1e9, "D": 1e9}, {"N": "billions", "D": "billions"})],
)  # fmt: skip
def test_what_nothing_tells_is_asked_and_left(by: dict[str, float], asked: dict[str, str]) -> None:
    given = TOKENS.assign(**{axis: TOKENS[axis] / worth for axis, worth in by.items()})
    found = as_runs(given)
    assert same(found, given)
    doubts = {guess.axis: guess.action for guess in reading_of(found).doubts}
    assert set(doubts) == set(asked)
    assert all(unit in doubts[axis] for axis, unit in asked.items())


def test_plain_numbers_and_other_compute_are_left() -> None:
    assert as_runs(WITH_C) is WITH_C
    rng = np.random.default_rng(3)
    odd = WITH_C.assign(C=WITH_C["C"] / 8.64e19 * np.exp(rng.normal(0, 3, len(WITH_C))))
    assert same(as_runs(odd), odd)


def test_streams_may_or_may_not_be_counted_in_compute() -> None:
    P = np.resize([1.0, 2.0, 4.0, 8.0], len(WITH_C))
    for counted in (1.0, P):
        given = WITH_C.assign(P=P, C=WITH_C["C"] * counted / 8.64e19)
        assert [unit.name for unit in units_of({a: given[a].to_numpy() for a in "NDCP"}, {})] == ["PF-days"]


def test_mixed_units_in_one_column() -> None:
    mixed = np.where(TOKENS["N"] < 2e8, TOKENS["N"] / 1e6, TOKENS["N"])
    assert "mixed" in doubt("N", mixed)


def test_sizes_that_a_shape_needs() -> None:
    assert not implausible("N", np.array([1e6]))
    check_sizes(np.array([5e8]), "runs")
    with pytest.raises(ValueError, match=r"N.*0\.5.*4\.4.*0\.5B"):
        check_sizes(np.array([0.5, 4.4]), "runs")


def test_cells_that_say_their_unit_are_not_scaled_again() -> None:
    named = pd.DataFrame(
        {"N": TOKENS["N"], "tokens (B)": [f"{d / 1e9:g}B" for d in TOKENS["D"]], "loss": TOKENS["loss"]}
    )
    found = as_runs(named)
    assert found["D"].tolist() == named["tokens (B)"].tolist()  # the cells themselves: the fit reads them
