"""Columns that explain what a law leaves over, and losses that rise where they should fall."""

import re

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.fitting.table_notes import mixed_columns, rising_note

LAW = scaling.ParallelLaw(E=1.31, A=1.9e8, alpha=0.21, k=0.37)
N, P = (a.ravel() for a in np.meshgrid(np.geomspace(5e8, 4.3e9, 6), [1, 2, 4, 8], indexing="ij"))


def runs(seed: int = 0, noise: float = 0.003, size: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    of_size = size * rng.standard_normal(6)[np.unique(N, return_inverse=True)[1]]
    error = np.exp(noise * rng.standard_normal(N.size) + of_size)
    return pd.DataFrame({"N": N, "P": P, "loss": LAW.predict(N=N, P=P) * error})


def two_kinds(name: str = "source", gap: float = 0.08) -> pd.DataFrame:
    one, two = runs(1), runs(2)
    both = [one.assign(**{name: "web"}), two.assign(**{name: "books"}, loss=two["loss"] + gap)]
    return pd.concat(both, ignore_index=True)


def found(table: pd.DataFrame, law: str = "parallel") -> tuple:
    fit = scaling.fit(law, table)
    return mixed_columns(fit, table, np.ones(len(table), bool))


@pytest.mark.parametrize("name", ["Source", "x7"])
def test_any_column_that_explains_the_residuals_is_named(name):
    (one,) = found(two_kinds(name))
    assert (one.column, set(one.values)) == (name, {"web", "books"})
    assert one.share > 0.9
    assert one.p < 1e-6
    note = scaling.fit("parallel", two_kinds(name)).notes[-1]
    assert f"--by {name}" in note
    assert f"--where {name}=" in note


def test_a_column_that_the_caller_names_as_groups_is_not_named_again():
    assert scaling.fit("parallel", two_kinds("recipe")).certificate.mixed == ("recipe",)
    assert scaling.fit("parallel", two_kinds("recipe"), groups="recipe").certificate.mixed == ()


def test_numbers_and_truths_name_groups_too():
    numbers = two_kinds().assign(source=lambda t: np.where(t["source"] == "web", 1, 2))
    assert found(numbers)[0].values == ("1", "2")
    truths = two_kinds().assign(source=lambda t: t["source"] == "web")
    assert found(truths)[0].column == "source"


def test_a_column_beyond_the_first_is_named_and_its_copies_are_not():
    table = two_kinds().assign(copy=lambda t: t["source"].map({"web": "a", "books": "b"}))
    table["precision"] = np.random.default_rng(3).choice(["bf16", "fp8"], len(table))
    table.loc[table["precision"] == "fp8", "loss"] += 0.03
    assert [one.column for one in found(table)] == ["source", "precision"]


def test_a_column_that_follows_the_size_or_the_streams_is_no_kind():
    table = two_kinds().assign(size=lambda t: t["N"].astype(str))
    table["prefix_tokens"] = np.where(table["P"] > 1, 48, 0)
    table["layers"] = np.unique(table["N"], return_inverse=True)[1] // 2
    table["loss"] += 0.05 * (table["P"] > 1) + 0.05 * table["layers"]
    assert [one.column for one in found(table)] == ["source"]


MANY = np.repeat(np.geomspace(5e8, 8e9, 16), 2)  # sizes, with one and two streams


def bent() -> pd.DataFrame:
    """Sizes whose loss bends away from the law: what follows N explains the residuals."""
    streams = np.tile([1.0, 2.0], 16)
    loss = np.asarray(LAW.predict(N=MANY, P=streams)) + 0.05 * np.cos(np.log(MANY / 5e8) * 2.2)
    return pd.DataFrame({"N": MANY, "P": streams, "loss": loss})


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(np.digitize(MANY, [1e9, 2e9, 4e9]).astype(str), id="stretches of sizes"),
        pytest.param((MANY * 1e10) ** 0.5 // 3e8 * 1e8 + 1e8, id="stretches as numbers"),
        pytest.param([f"run {i}" for i in range(32)], id="each row"),
        pytest.param(["one"] * 32, id="one value"),
        pytest.param([["a"], ["b"]] * 16, id="lists"),
    ],
)
def test_columns_that_are_no_groups_are_not_named(column):
    assert found(bent().assign(other=column)) == ()


def test_a_product_of_axes_is_no_group():
    n, d = (
        a.ravel() for a in np.meshgrid(1e8 * 2.0 ** np.arange(8), 1e9 * 2.0 ** np.arange(8), indexing="ij")
    )
    loss = 2 + (n / 1e6) ** -0.3 + (d / 1e7) ** -0.3 + 0.05 * np.cos(np.log(n * d / 1e17) * 2)
    table = pd.DataFrame({"N": n, "D": d, "loss": loss})
    assert [one.column for one in found(table.assign(words=(n * d).round(-12).astype(str)), "chinchilla")]
    assert found(table.assign(flops=(6 * n * d).round(-12)), "chinchilla") == ()


def test_groups_of_whole_sizes_are_tested_on_sizes():
    lab = np.where(np.arange(32) // 2 % 2 == 0, "a", "b")
    streams = np.tile([1.0, 2.0], 16)
    loss = LAW.predict(N=MANY, P=streams) * np.exp(0.002 * np.random.default_rng(0).standard_normal(32))
    table = pd.DataFrame({"N": MANY, "P": streams, "loss": loss, "lab": lab})
    assert found(table) == ()
    (one,) = found(table.assign(loss=table["loss"] + 0.05 * (lab == "b")))
    assert one.column == "lab"


def test_rows_of_one_run_are_one_observation():
    """Checkpoints of a run share an error: ten rows of each are not ten rows of evidence for its group."""
    rng, law = np.random.default_rng(3), scaling.ChinchillaLaw(E=1.7, A=406.0, B=410.0, alpha=0.33, beta=0.29)
    run, n = np.repeat(np.arange(24), 10), np.repeat(np.geomspace(1e8, 4e9, 6), 40)
    d = np.tile(np.geomspace(1e9, 6e10, 10), 24)
    of_run, kind = (
        rng.standard_normal(24)[run],
        np.concatenate([rng.permutation(4) % 2 for _ in range(6)])[run],
    )
    loss = law.predict(N=n, D=d) * np.exp(0.01 * of_run + 0.001 * rng.standard_normal(240))
    table = pd.DataFrame({"N": n, "D": d, "loss": loss, "kind": kind})
    assert [one.column for one in found(table, "chinchilla")] == ["kind"]  # nobody knows of the runs
    assert found(table.assign(run_id=run.astype(str)), "chinchilla") == ()


@pytest.mark.slow
def test_sizes_that_the_law_misses_name_no_column():
    """Type I error at 5%: sizes have offsets, one column is constant within sizes, one is not."""
    named = 0
    for seed in range(30):
        rng = np.random.default_rng(100 + seed)
        of_size = rng.permutation(["a", "b"] * 3)[np.unique(N, return_inverse=True)[1]]
        table = runs(seed, size=0.02).assign(lab=of_size, kind=rng.choice(["a", "b", "c"], N.size))
        named += bool(found(table))
    assert named <= 5  # P(X > 5) is 0.3% at 5%


def test_seeds_are_not_named_and_empty_cells_are_a_group():
    assert found(two_kinds("seed")) == ()
    table = two_kinds().assign(source=lambda t: t["source"].where(t["source"] == "web"))
    assert found(table)[0].values == ("web", "none")


def test_budgets_are_named_beside_a_law_without_them():
    law = scaling.ChinchillaLaw(E=1.7, A=406.0, B=410.0, alpha=0.33, beta=0.29)
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(7e7, 3e9, 5), [2e9, 5e9, 3e10], indexing="ij"))
    table = pd.DataFrame({"N": n, "tokens seen": d, "loss": law.predict(N=n, D=d)})
    assert [one.column for one in found(table, "dense")] == ["tokens seen"]
    known = scaling.fit("dense", table.rename(columns={"tokens seen": "D"})).notes
    assert len([note for note in known if re.search(r"\bD\b", note)]) == 1
    assert scaling.fit("chinchilla", table.rename(columns={"tokens seen": "D"})).certificate.table_notes == ()


def test_a_million_rows_are_sampled():
    table = two_kinds().sort_values(["N", "P"], kind="stable")  # kinds in turns: no even stride sees both
    table = pd.concat([table] * 500, ignore_index=True)
    assert found(table)[0].column == "source"


def test_notes_are_saved_with_the_fit(tmp_path):
    fit = scaling.fit("dense", two_kinds().query("P == 1"), "least-squares")
    assert fit.certificate.mixed == ("source",)
    fit.save(tmp_path / "fit.json")
    assert scaling.load(tmp_path / "fit.json").notes == fit.notes


@pytest.mark.parametrize(("scale", "remedy"), [(1, "1 -"), (100, "100")])
def test_a_loss_that_rises_is_named(scale, remedy):
    table = runs().assign(loss=lambda t: scale * (0.9 - 0.3 * t["loss"]))
    note = rising_note(scaling.fit("parallel", table))
    assert re.search(r"\bN\b.*\bP\b", note)
    assert remedy in note
    assert not [one for one in scaling.fit("parallel", table).notes if "corpora" in one]


@pytest.mark.parametrize("change", [0.0, 0.2])
def test_losses_that_fall_or_rise_with_streams_alone_are_not_named(change):
    table = runs().assign(loss=lambda t: t["loss"] + change * np.log(t["P"]))
    assert rising_note(scaling.fit("parallel", table)) == ""
