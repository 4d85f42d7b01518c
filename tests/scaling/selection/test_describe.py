"""A table described before it is fitted: how columns were read, what it determines, and a command that runs."""

import re
import shlex
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import parscale
import scaling
from scaling import DenseLaw
from scaling.laws import by_name
from scaling.selection.describe import best_suited, one_line

CHINCHILLA = scaling.ChinchillaLaw(E=1.7, A=406.0, B=410.0, alpha=0.33, beta=0.29)
PARALLEL = scaling.ParallelLaw(E=1.31, A=1.9e8, alpha=0.21, k=0.37)


def of_P(noise: float = 0.002) -> pd.DataFrame:
    N, P = (a.ravel() for a in np.meshgrid(np.geomspace(5e8, 4.3e9, 5), [1, 2, 4], indexing="ij"))
    error = np.exp(noise * np.random.default_rng(0).standard_normal(N.size))
    return pd.DataFrame({"N": N, "P": P, "loss": PARALLEL.predict(N=N, P=P) * error})


def of_D(ladder: bool = False) -> pd.DataFrame:
    N, D = (
        a.ravel() for a in np.meshgrid(np.geomspace(7e7, 3e9, 6), np.geomspace(2e9, 6e10, 4), indexing="ij")
    )
    D = 20 * N if ladder else D
    error = np.exp(0.002 * np.random.default_rng(1).standard_normal(N.size))
    return pd.DataFrame({"N": N, "D": D, "loss": CHINCHILLA.predict(N=N, D=D) * error})


def two_kinds() -> pd.DataFrame:
    one = of_P()
    return pd.concat([one.assign(source="web"), one.assign(source="books", loss=one["loss"] + 0.1)])


def test_levels_units_and_columns_are_told():
    found = scaling.describe(of_P().rename(columns={"N": "num_params", "loss": "val_loss"}))
    told = found.table
    assert (told.column["N"], told.unit["N"], told.levels["N"]) == ("num_params", "parameters", 5)
    assert (told.column["loss"], told.unit["loss"]) == ("val_loss", "nats per token")
    given = scaling.describe(of_P(), columns={"N": "x"}).table
    assert (given.column["N"], given.why["N"]) == ("x", "as you said")
    assert list(found.levels["P"]["runs"]) == [5, 5, 5]
    assert list(found.levels["P"]["lowest"]) == [1, 2, 4]
    assert scaling.describe(of_P()[["N", "loss"]]).table.column["P"] == ""  # assumed


@pytest.mark.parametrize(
    ("table", "law"),
    [
        pytest.param(of_P(), "parallel", id="N, P"),
        pytest.param(of_P().query("P == 1"), "dense", id="N"),
        pytest.param(of_D(), "chinchilla", id="N, D"),
        pytest.param(of_D(ladder=True), "dense", id="D = 20 N"),
    ],
)
def test_the_law_that_suits_comes_first_and_tells_all(table, law):
    found = scaling.describe(table)
    assert found.laws.index[0] == law
    assert found.laws.cannot.iloc[0] == ()
    assert found.command == f'scaling.fit("{law}", table)'
    assert not scaling.fit(law, table).undetermined


def test_a_ladder_is_named_and_what_it_hides():
    found = scaling.describe(of_D(ladder=True))
    assert "D = 20 N" in " ".join(found.design)
    assert {"alpha", "beta"} <= set(found.laws.cannot["chinchilla"])
    assert found.laws.ignores["dense"] == ("D",)
    assert len(found.mixed) == 1
    assert scaling.fit("dense", of_D(ladder=True)).certificate.mixed == ()
    root = of_D(ladder=True).assign(D=lambda t: 3e5 * np.sqrt(t["N"]))
    assert re.search(r"D.*N\^0\.5", " ".join(scaling.describe(root).design))


def test_mixed_groups_are_taken_apart_in_the_command():
    found = scaling.describe(two_kinds())
    assert "source (web, books)" in found.mixed[0]
    fits = eval(found.command, {"scaling": scaling, "table": two_kinds()})  # noqa: S307
    assert set(fits) == {"web", "books"}
    lone = pd.concat([of_P().assign(source="web"), of_P().iloc[:3].assign(source="books", loss=9.0)])
    one = eval(scaling.describe(lone).command, {"scaling": scaling, "table": lone})  # noqa: S307
    assert one.loss.size == 15


def test_what_rises_or_says_nothing_has_no_command():
    risen = scaling.describe(of_P().assign(loss=lambda t: 1 - t["loss"] / 4))
    assert risen.command == ""
    assert len(risen.mixed) == 1
    assert risen.verdict != scaling.describe(of_P()).verdict
    for table in (of_P().iloc[:2], of_P().assign(N=1e9)):
        assert scaling.describe(table).command == ""
    with pytest.raises(ValueError, match=r"15.*crashed"):
        scaling.describe(of_P().assign(state="crashed"))
    with pytest.raises(ValueError, match="'N'"):
        scaling.describe({"x": [1, 2], "loss": [2, 1]})
    with pytest.raises(ValueError, match="'loss'"):
        scaling.describe({"N": [1e8, 2e8]})


def test_repeats_seeds_and_left_out_rows_are_told():
    table = pd.concat([of_P().assign(seed=s, loss=of_P()["loss"] + s / 1e4) for s in (0, 1)])
    found = scaling.describe(table.assign(state=["finished"] * 29 + ["crashed"]))
    assert found.left_out == {"crashed": 1}
    assert found.rows == 30
    assert re.search(r"29.*15.*1.*2.*seed.*2", " ".join(found.repeats))
    assert "15 " in " ".join(scaling.describe(pd.concat([of_P()] * 2)).repeats)


def test_checkpoints_are_named_and_kept_together_in_the_command():
    rows = of_D().assign(run_id=lambda t: t["N"].astype(str))
    found = scaling.describe(rows)
    assert "groups='run_id'" in found.command
    assert scaling.describe(rows, source="r.csv").command.endswith("--law chinchilla --groups run_id")
    assert "run_id" in " ".join(found.notes)
    steps = of_D()[["N", "loss"]].assign(step=[1000, 2000, 3000, 4000] * 6)
    assert "--where step=4000" in " ".join(scaling.describe(steps).repeats)


def test_text_fits_and_values_are_plain():
    found = scaling.describe(
        two_kinds().assign(state="finished"), source="a table.csv", options=("--where", "P=1")
    )
    assert max(map(len, found.text(80).splitlines())) <= 80
    assert found.command == "parscale fit 'a table.csv' --where P=1 --law parallel --by source"
    plain = found.to_dict()
    assert plain["axes"][0]["axis"] == "N"
    assert plain["laws"][0]["law"] == "parallel"
    assert plain["command"] in found._repr_html_().replace("&#x27;", "'")
    assert repr(found) == found.text()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [two_kinds, lambda: of_D().rename(columns={"loss": "val, loss"})])
def test_the_command_runs_as_it_is_printed(kind, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    kind().to_csv("my runs.csv", index=False)
    assert parscale.main(["inspect", "my runs.csv"]) == 0
    words = capsys.readouterr().out.splitlines()[-1].partition("next")[2]
    assert parscale.main([*shlex.split(words)[1:], "--save"]) == 0
    assert list((tmp_path / "results" / "fits").iterdir())


def test_one_line_says_what_is_odd_and_nothing_else():
    assert one_line(scaling.describe.__globals__["as_runs"](of_P()), "runs.csv") == ""
    odd = one_line(of_D(ladder=True), "my runs.csv")
    assert "D = 20 N" in odd
    read = scaling.describe.__globals__["as_runs"](two_kinds())
    assert "2 " in one_line(read, "runs.csv")
    assert one_line(read, "runs.csv", "source") == ""
    assert "runs.csv'" in odd


def test_many_rows_are_described_from_a_sample():
    table = pd.concat([two_kinds()] * 80, ignore_index=True)
    table["loss"] *= np.exp(0.001 * np.random.default_rng(3).standard_normal(len(table)))
    assert scaling.describe(table).command.count("groupby('source')") == 1


def test_axes_of_other_laws_are_described() -> None:
    N, experts = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 4), [1, 4, 16]))
    loss = 1.5 + (300 / (N * experts**0.3)) ** 0.3
    found = scaling.describe({"N": N, "experts": experts, "loss": loss})
    assert "experts" in found.levels
    assert {"experts", "dense"} <= set(found.laws.index)
    assert best_suited({"N": N, "experts": experts, "loss": loss}) == "experts"
    with pytest.raises(scaling.FitError):
        best_suited({"N": N[:2], "loss": loss[:2]})


@dataclass(frozen=True)
class Recipes(DenseLaw):
    """A law of a user's own with a category."""

    eff: float

    categories = {"recipe": scaling.Category("eff")}  # noqa: RUF012
    nonlinear = {**DenseLaw.nonlinear, "eff": scaling.Range(0.3, 3, 3)}  # noqa: RUF012

    @staticmethod
    def terms(N, alpha, eff):
        return 1.0, (N * eff) ** -alpha


def test_a_law_with_a_category_is_told_with_its_levels() -> None:
    N = np.tile(np.geomspace(1e7, 1e9, 5), 2)
    loss = 1.5 + (3e7 / N / np.repeat([1.0, 0.8], 5)) ** 0.3 + 1e-3 * np.sin(np.arange(10) ** 2)
    recipe = ["tuned"] * 5 + ["plain"] * 5
    found = scaling.describe({"N": N, "recipe": recipe, "loss": loss}, law=Recipes)
    assert found.laws.index[0] == "Recipes"
    assert found.levels["recipe"]["lowest"].tolist() == ["tuned", "plain"]
    assert "scaling.fit(Recipes, table)" in found.command


AXES = {
    "parallel": ("N", "P"), "chinchilla": ("N", "D"), "parallel-data": ("N", "P", "D"), "dense": ("N",),
    "experts": ("N", "experts"), "precision": ("N", "D", "precision"),
}  # fmt: skip


def runs_of(axes: tuple[str, ...], ladder: bool = False) -> pd.DataFrame:
    """Runs at four sizes and three values of each other axis, with a loss that falls in all."""
    values = {
        "N": np.geomspace(1e8, 3e9, 5),
        "P": [1.0, 2.0, 4.0],
        "D": [1e10, 4e10, 1e11],
        "experts": [1, 4, 16],
    }
    kinds = {**values, "precision": ["bf16", "fp8"]}
    table = pd.DataFrame(
        dict(zip(axes, (v.ravel() for v in np.meshgrid(*(kinds[a] for a in axes))), strict=True))
    )
    table = table.assign(D=20 * table["N"]) if ladder else table
    gain = table.get("P", 1.0) ** 0.2 * table.get("experts", 1.0) ** 0.3
    low = (table["precision"] == "fp8") * 0.01 if "precision" in table else 0.0
    noise = 1e-3 * np.sin(np.arange(len(table)) ** 2)
    return table.assign(
        loss=1.7 + 400 / (table["N"] * gain) ** 0.34 + 400 / table.get("D", 4e10) ** 0.28 + low + noise
    )


@pytest.mark.parametrize(
    ("law", "ladder"), [*((law, False) for law in AXES), ("dense", True), ("parallel", True)]
)
def test_one_rule_chooses_the_law_of_a_table(law: str, ladder: bool) -> None:
    table = runs_of(AXES[law], ladder)
    assert best_suited(table) == law
    if law != "precision":  # a category, which a description shows no levels of
        assert scaling.describe(table).laws.index[0] == law


@pytest.mark.slow
@pytest.mark.parametrize(
    ("axes", "ladder", "law"), [(("N", "D"), False, "chinchilla"), (("N",), True, "dense")]
)
def test_fit_advise_and_verdict_take_it(axes, ladder, law, tmp_path, monkeypatch, capsys) -> None:
    table = runs_of(axes, ladder)
    table.to_csv(place := tmp_path / "runs.csv", index=False)
    fitted: list[str] = []
    whole = scaling.fit.__globals__["law_of"]

    def spy(law: object, *of: object) -> object:
        fitted.append(str(law))
        return whole(law, *of)

    monkeypatch.setitem(scaling.fit.__globals__, "law_of", spy)
    form = by_name(law).__name__
    assert parscale.main(["fit", str(place), "--out", str(tmp_path)]) == 0
    assert [one.name for one in (tmp_path / "fits").iterdir()] == [f"{law}-all.json"]
    assert scaling.verdict(table).fit.form.__name__ == form
    fitted.clear()
    assert (
        parscale.main(["advise", str(place), "--loss", "2.4", *([] if "D" in axes else ["--tokens", "20B"])])
        == 0
    )
    assert fitted[0] == law
    capsys.readouterr()


def test_an_axis_of_two_budgets_is_no_reason_to_leave_it_out() -> None:
    """Two budgets of D do not identify beta. A law without D would mix their rows."""
    table = runs_of(("N", "P", "D"))
    two = table[table["D"] < 5e10]
    assert best_suited(two) == "parallel-data"
    assert best_suited(two[two["P"] == 1]) == "chinchilla"
