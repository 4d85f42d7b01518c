"""What arms share, and what one is worth: a known gain comes out, by the laws and by pairs."""

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import ChinchillaLaw, DenseLaw
from scaling.laws import law_of
from tests.scaling.category_runs import PrecisionLaw, precisions

TRUTHS = {
    "old": ChinchillaLaw(E=1.71, A=400.0, B=410.0, alpha=0.34, beta=0.28),
    "new": ChinchillaLaw(E=1.71, A=310.0, B=410.0, alpha=0.34, beta=0.28),
}
GAIN_N = (400 / 310) ** (1 / 0.34)  # where A alone differs the factor in N is the same everywhere


def runs(noise: float, laws=None) -> pd.DataFrame:
    """Two arms on one grid."""
    rng, rows = np.random.default_rng(8), []
    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(2e7, 2e9, 5), np.geomspace(1e9, 1e11, 4)))
    for arm, law in (laws or TRUTHS).items():
        loss = law.predict(N=N, D=D) * np.exp(noise * rng.standard_normal(N.size))
        rows.append(pd.DataFrame({"N": N, "D": D, "recipe_name": arm, "seed": 0, "loss": loss}))
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="module")
def found():
    return scaling.compare_arms("chinchilla", runs(3e-3), "recipe_name", reference="old")


@pytest.mark.slow
def test_the_parameter_that_differs_is_found(found):
    assert list(found.table.index[~found.table.shared]) == ["A"]
    assert found.table.p["A"] < 1e-6
    assert found.table.delta_aicc["A"] < 0
    assert (found.table.p.drop("A") > 0.05).all()


@pytest.mark.slow
def test_a_known_gain_comes_out_with_its_interval(found):
    row = found.gains.iloc[0]
    assert row.gain_N_lower < GAIN_N < row.gain_N_upper
    assert row.gain_N_upper / row.gain_N_lower < 1.2
    law, other = TRUTHS["new"], TRUTHS["old"]
    root = np.sqrt(row.gain_C)  # N and D grow together
    assert other.predict(N=row.N * root, D=row.D * root) == pytest.approx(
        law.predict(N=row.N, D=row.D), rel=3e-3
    )


def test_standard_errors_and_groups_are_those_of_the_fit():
    table = runs(3e-3).assign(se=0.005)
    table.loc[[3, 27], ["loss", "se"]] = [9.0, 50.0]  # two rows that say nothing
    how = {"shared": ["E", "B", "alpha", "beta"], "groups": False}
    told = scaling.compare_arms("chinchilla", table, "recipe_name", reference="old", se="se", **how)
    row = told.gains.iloc[0]
    assert row.gain_N_lower < GAIN_N < row.gain_N_upper < 1.2 * row.gain_N_lower
    assert told.table.p["A"] < 1e-6
    assert (told.table.p.drop("A") > 1e-3).all()
    assert told.fit.grouping == "off"


def test_a_row_of_weight_two_counts_as_two_rows():
    table = runs(3e-3).query("D == 1e9").drop(columns="D").reset_index(drop=True)
    how = {"reference": "old", "shared": ["E", "alpha"], "groups": False}
    counted = table.assign(count=np.arange(len(table)) % 2 + 1)
    twice = table.loc[table.index.repeat(counted["count"])]
    one = scaling.compare_arms(DenseLaw, counted, "recipe_name", weights="count", **how)
    two = scaling.compare_arms(DenseLaw, twice, "recipe_name", **how)
    assert one.gains.gain_N.iloc[0] == pytest.approx(two.gains.gain_N.iloc[0], rel=1e-6)
    assert one.fit.aicc == pytest.approx(two.fit.aicc)


def test_a_chosen_sharing_is_not_taken_for_known(found):
    """Intervals include those of sharings that the runs hardly distinguish from the chosen one."""
    shared = ["E", "B", "alpha", "beta"]
    told = scaling.compare_arms("chinchilla", runs(3e-3), "recipe_name", reference="old", shared=shared)
    assert (told.table.delta_aicc.drop("A") < 4).any()
    assert told.gains.gain_N.equals(found.gains.gain_N)
    ratio = [one.gains.gain_N_upper / one.gains.gain_N_lower for one in (found, told)]
    assert (ratio[0] > 1.02 * ratio[1]).all()
    row, (old, new) = found.gains.iloc[0], (found.fit.law.of_arm(arm) for arm in ("old", "new"))
    assert old.predict(N=row.N * row.gain_N, D=row.D) == pytest.approx(
        new.predict(N=row.N, D=row.D), rel=1e-12
    )


def test_pairs_tell_the_same(found):
    row = found.paired.iloc[0]
    assert row.pairs == 20
    assert row.change < 0
    assert row.gain_N_lower < GAIN_N < row.gain_N_upper


def test_arms_without_a_difference_share_one_law(found):
    alike = runs(3e-3, {"a": TRUTHS["old"], "b": TRUTHS["old"]}).query("D == 1e9")
    same = scaling.compare_arms(DenseLaw, alike, "recipe_name", level=0.999)
    assert same.table.shared.all()
    assert same.gains.gain_N_lower[0] < 1.0 < same.gains.gain_N_upper[0]
    assert same.verdict != found.verdict


def test_text_and_html_show_every_table(found):
    for shown in (repr(found), found._repr_html_()):
        assert "gain_N" in shown
        assert "delta_aicc" in shown
        assert "pairs" in shown


@pytest.mark.parametrize(("by", "reference"), [("lab", None), ("recipe_name", "older")])
def test_a_column_or_an_arm_that_is_not_there(by, reference):
    with pytest.raises(ValueError, match=reference or by):
        scaling.compare_arms("chinchilla", runs(3e-3), by, reference=reference)


def test_arms_of_a_law_with_a_category() -> None:
    """Points name a level, or are in the level that most runs are of."""
    plain = precisions()
    both = [
        plain.assign(optimizer="adam"),
        plain.assign(optimizer="muon", loss=1.8 + 0.85 * (plain.loss - 1.8)),
    ]
    noise = 5e-4 * np.random.default_rng(0).standard_normal(2 * len(plain))
    runs = pd.concat(both, ignore_index=True).assign(loss=lambda t: t.loss * np.exp(noise))
    shared = [name for name in law_of(PrecisionLaw, runs).free() if name != "A"]
    at = {"N": [1e8, 1e9], "precision": ["int4", "bf16"]}
    for points, levels in ((None, ["bf16", "bf16"]), (at, at["precision"])):
        found = scaling.compare_arms(PrecisionLaw, runs, "optimizer", at=points, shared=shared)
        assert found.gains.precision.tolist() == levels
        assert found.gains.gain_N.to_numpy() == pytest.approx(0.85 ** (-1 / 0.35), rel=0.01)
        assert found.paired.pairs.tolist() == [len(plain)]
        assert found.paired.gain_N.to_numpy() == pytest.approx(0.85 ** (-1 / 0.35), rel=0.01)
    with pytest.raises(ValueError, match="fp64"):
        scaling.compare_arms(
            PrecisionLaw, runs, "optimizer", at={"N": [1e8], "precision": ["fp64"]}, shared=shared
        )


def test_arms_on_one_ladder_have_a_gain_along_it() -> None:
    """On D = 20 N no gain in N alone is told. That in compute is, on the ladder."""
    laws = {"old": TRUTHS["old"], "new": ChinchillaLaw(E=1.71, A=330.0, B=340.0, alpha=0.34, beta=0.28)}
    N, noise = np.geomspace(2e7, 2e9, 10), np.random.default_rng(1)
    rows = [
        pd.DataFrame({"N": N, "D": 20 * N, "arm": arm, "loss": law.predict(N=N, D=20 * N)})
        for arm, law in laws.items()
    ]
    table = pd.concat(rows, ignore_index=True)
    table["loss"] *= np.exp(2e-3 * noise.standard_normal(len(table)))
    at = {"N": [2e8, 2e8], "D": [4e9, 4e10]}
    how = {"shared": ("E", "alpha", "beta"), "reference": "old", "at": at}
    found = scaling.compare_arms("chinchilla", table, "arm", **how)
    assert found.fit.status == scaling.Status.FLAT
    assert found.gains.gain_N.isna().all()
    assert found.gains.gain_C.notna().tolist() == [True, False]
    row = found.gains.iloc[0]
    assert (
        row.gain_C_lower < 3.465 < row.gain_C_upper < 1.3 * row.gain_C_lower
    )  # the truth, by a root of the two laws
