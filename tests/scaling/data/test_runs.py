"""Tables as people have them: read, or refused in one line that names row, column and value."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import ParallelLaw
from scaling.data.reading import reading_of
from scaling.data.runs import arrays, read_runs, usable, validate
from scaling.data.units import parse_size
from tests.scaling.nine_runs import TRUTH, N, P, write
from tests.scaling.own_shapes import shapes, written


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_file(table: pd.DataFrame, tmp_path: Path, ending: str) -> None:
    runs = scaling.read_runs(write(table, tmp_path, ending))
    for name in ("N", "P", "loss"):
        assert runs[name].dtype == np.float64
        np.testing.assert_allclose(runs[name], table[name], rtol=1e-14)
    assert scaling.fit(ParallelLaw, runs).law.k == pytest.approx(TRUTH.k, rel=1e-6)


def test_a_sweep_folder(table: pd.DataFrame, tmp_path: Path) -> None:
    write(table, tmp_path, "parquet")
    assert len(scaling.read_runs(tmp_path)) == 9


def test_columns_mapped_and_sizes_in_words(table: pd.DataFrame, tmp_path: Path) -> None:
    words = pd.DataFrame(
        {"params": ["57M", "310M", "2.8B"] * 3, "tokens": "42B", "streams": P.astype(int), "val_loss": 2.0}
    )
    path = write(words, tmp_path, "csv")
    runs = scaling.read_runs(path, {"N": "params", "D": "tokens", "P": "streams", "loss": "val_loss"})
    assert sorted(runs.N.unique()) == [57e6, 310e6, 2.8e9]
    assert (runs.D == 42e9).all()


def test_a_table_without_P_is_one_stream(table: pd.DataFrame, tmp_path: Path) -> None:
    assert (scaling.read_runs(write(table.drop(columns="P"), tmp_path, "csv")).P == 1).all()


def test_a_wandb_export(tmp_path: Path) -> None:
    """Their csv quotes everything and carries columns nobody asked for."""
    lines = ['"Name","State","Runtime","model.n_params","config.streams","val/loss","_wandb"']
    for i, (n, p) in enumerate(zip(N, P, strict=True)):
        loss = TRUTH.predict(N=n, P=p)
        lines.append(f'"quiet-sea-{i}","finished","{100 + i}","{int(n)}","{int(p)}","{loss!r}","{{}}"')
    path = tmp_path / "wandb_export_2025-05-15.csv"
    path.write_text("\n".join(lines) + "\n")
    runs = scaling.read_runs(path, {"N": "model.n_params", "P": "config.streams", "loss": "val/loss"})
    assert scaling.fit(ParallelLaw, runs).law.k == pytest.approx(TRUTH.k, rel=1e-6)
    gone = path.read_text().replace(repr(TRUTH.predict(N=N[3], P=P[3])), "")
    path.write_text(gone)
    with pytest.raises(ValueError, match=r"4.*5.*loss"):
        scaling.read_runs(path, {"N": "model.n_params", "P": "config.streams", "loss": "val/loss"})
    path.write_text(gone.replace('"quiet-sea-3","finished"', '"quiet-sea-3","crashed"'))
    runs = scaling.read_runs(path, {"N": "model.n_params", "P": "config.streams", "loss": "val/loss"})
    fit = scaling.fit(ParallelLaw, runs)
    assert (fit.excluded, fit.law.k) == (1, pytest.approx(TRUTH.k, rel=1e-6))


def test_a_column_state_of_something_else_is_no_status(table: pd.DataFrame, tmp_path: Path) -> None:
    runs = scaling.read_runs(write(table.assign(State="Oregon"), tmp_path, "csv"))
    assert "status" not in runs


SIZES = [("2.8B", 2.8e9), ("57M", 57e6), ("1,000", 1000), ("42_000", 42000), (" 1.5k ", 1500), ("3e8", 3e8),
     ("1T", 1e12), (7, 7.0), ("0.5b", 5e8), ("-3", -3.0)]  # fmt: skip


def test_sizes() -> None:
    for text, value in SIZES:
        assert parse_size(text) == pytest.approx(value, rel=1e-15)
    for wrong in ("big", "2.8 billion", "1e", "--3", "B", None, [1], "1.2.3"):
        with pytest.raises(ValueError, match=re.escape(repr(wrong))):
            parse_size(wrong)


BAD = [
    ("loss", np.nan, "row 3, column loss: the cell is empty: it must be a number"),
    ("loss", np.inf, "row 3, column loss: inf must be finite"),
    ("loss", -2.0, "row 3, column loss: -2.0 must be > 0"),
    ("loss", 0.0, "row 3, column loss: 0.0 must be > 0"),
    ("N", 0.0, "row 3, column N: 0.0 must be > 0"),
    ("N", -1e9, "row 3, column N: -1000000000.0 must be > 0"),
    ("N", np.inf, "row 3, column N: inf must be finite"),
    ("P", 0.5, "row 3, column P: 0.5 must be >= 1"),
    ("P", np.nan, "row 3, column P: the cell is empty: it must be a number"),
]


@pytest.mark.parametrize(("column", "value", "message"), BAD)
def test_bad_numbers_in_files_and_tables(
    table: pd.DataFrame, tmp_path: Path, column: str, value: float, message: str
) -> None:
    table.loc[2, column] = value
    path = write(table, tmp_path, "parquet")
    with pytest.raises(ValueError, match=message) as caught:
        scaling.read_runs(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=rf"row 3, column {column}: .*>"):
        scaling.fit(ParallelLaw, table)
    with pytest.raises(ValueError, match=rf"row 3, column {column}"):
        scaling.fit(ParallelLaw, {c: table[c].tolist() for c in table})


def test_strings_in_numbers(table: pd.DataFrame, tmp_path: Path) -> None:
    words = table.astype(object)
    words.loc[4, "N"] = "many"
    with pytest.raises(ValueError, match=r"5.*6.*N.*'many'"):
        scaling.read_runs(write(words, tmp_path, "csv"))
    with pytest.raises(ValueError, match=r"5.*N.*'many'"):
        scaling.fit(ParallelLaw, words)
    words.loc[4, "N"] = "310M"  # this one is
    assert scaling.fit(ParallelLaw, words).law.k == pytest.approx(TRUTH.k, rel=1e-6)


@pytest.mark.parametrize("column", ["N", "loss"])
def test_a_missing_column_is_named_with_the_remedy(table: pd.DataFrame, tmp_path: Path, column: str) -> None:
    path = write(table.rename(columns={column: "x"}), tmp_path, "csv")
    with pytest.raises(ValueError, match=f"'{column}'.*--columns {column}=COLUMN"):
        scaling.read_runs(path)
    with pytest.raises(ValueError, match=f"'{column}'"):
        scaling.fit(ParallelLaw, table.drop(columns=column))


def test_a_mapped_column_that_is_not_there(table: pd.DataFrame, tmp_path: Path) -> None:
    path = write(table.rename(columns={"N": "params"}), tmp_path, "csv")
    with pytest.raises(ValueError, match=r"'parms'.*'params'"):
        scaling.read_runs(path, {"N": "parms"})


def test_a_diverged_run_is_kept_and_never_fitted(table: pd.DataFrame, tmp_path: Path) -> None:
    table["status"] = "ok"
    table.loc[9] = [57e6, 8.0, np.nan, "diverged"]
    runs = scaling.read_runs(write(table, tmp_path, "csv"))
    assert len(runs) == 10
    assert usable(runs).sum() == 9
    fit = scaling.fit(ParallelLaw, runs)
    assert fit.excluded == 1
    assert fit.loss.size == 9
    assert re.search("9 fitted.* 1 ", repr(fit))


def test_stage_1_is_no_result_beside_the_stage_2_that_goes_on_from_it(table: pd.DataFrame) -> None:
    table["recipe"] = "two-stage"
    first = table.iloc[:3].assign(recipe="stage-1", loss=9.0, P=1.0)
    both = pd.concat([first, table], ignore_index=True)
    assert usable(both).tolist() == [False] * 3 + [True] * 9
    assert scaling.fit(ParallelLaw, both).law == scaling.fit(ParallelLaw, table).law
    assert scaling.fit(ParallelLaw, both).excluded == 3
    assert usable(first).all()  # alone they may be fitted


def test_the_index_of_the_table_does_not_matter(table: pd.DataFrame) -> None:
    shuffled = table.sample(frac=1, random_state=3).set_index(np.arange(9) * 7 + 100)
    assert scaling.fit(ParallelLaw, shuffled).law.k == pytest.approx(scaling.fit(ParallelLaw, table).law.k)
    shuffled.loc[shuffled.index[5], "loss"] = np.nan
    with pytest.raises(ValueError, match=r"6.*loss"):
        scaling.fit(ParallelLaw, shuffled)


def test_a_folder_that_holds_no_runs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"runs\.parquet"):
        scaling.read_runs(tmp_path)


def test_a_column_of_our_name_gives_way_to_the_one_asked_for(table: pd.DataFrame, tmp_path: Path) -> None:
    path = write(table.assign(val_loss=table["loss"] + 1, P=1, streams=table["P"]), tmp_path, "csv")
    read = scaling.read_runs(path, {"loss": "val_loss", "P": "streams"})
    assert read["loss"].tolist() == pytest.approx((table["loss"] + 1).tolist())
    assert read["P"].tolist() == table["P"].tolist()
    swapped = scaling.read_runs(
        write(table.rename(columns={"N": "P", "P": "N"}), tmp_path, "csv"), {"N": "P", "P": "N"}
    )
    assert swapped["N"].tolist() == table["N"].tolist()


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_an_empty_status_is_no_result(table: pd.DataFrame, tmp_path: Path, ending: str) -> None:
    status = ["ok"] * 8 + [None]
    path = write(table.assign(status=status, recipe=[None] * 9), tmp_path, ending)
    assert scaling.fit(scaling.DenseLaw, scaling.read_runs(path)).excluded == 1


@pytest.mark.parametrize("word", ["archived", "failed", None])
def test_words_of_no_finished_run_are_named(word):
    table = {"N": [1e9, 2e9], "loss": [2.5, 2.4], "status": [word, word]}
    with pytest.raises(ValueError, match=f"'ok'.*status.*{word or ''}"):
        arrays(table, ("N",))


def test_the_first_bad_row_is_counted_in_the_file(tmp_path):
    table = pd.DataFrame(
        {"N": [1e9] * 3, "P": 1.0, "loss": [2.5, 2.4, -1.0], "status": ["failed", "ok", "ok"]}
    )
    table.index = [7, 7, 7]
    with pytest.raises(ValueError, match=r"3.*loss.*-1"):
        validate(table)


def test_names_in_jsonl_stay_words(tmp_path):
    (tmp_path / "runs.jsonl").write_text(
        '{"run_id": "1e5", "N": 1e9, "loss": 2}\n{"run_id": "12", "N": 2e9, "loss": 1}\n'
    )
    assert list(scaling.read_runs(tmp_path / "runs.jsonl")["run_id"]) == ["1e5", "12"]


def test_a_law_decides_which_axes_a_table_needs(tmp_path: Path) -> None:
    law, table = written(tmp_path, shapes().rename(columns={"depth": "Depth", "width": "config.width"}))
    runs = read_runs(table, law=law)
    assert {"width", "depth"} <= set(runs)
    assert runs["P"].tolist() == ["bf16"] * len(runs)
    assert [guess.axis for guess in reading_of(runs).guesses] == ["width", "depth"]
    with pytest.raises(ValueError, match="'N'"):
        read_runs(table)
    low = written(tmp_path, shapes().assign(depth=1))[1]
    with pytest.raises(ValueError, match=r"1.*2.*depth.*1.0.*>=.*2"):
        read_runs(low, law=law)
    with pytest.raises(ValueError, match="'N'"):
        read_runs(low, law=[law, "chinchilla"])
