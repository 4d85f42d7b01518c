"""What the command line asks of a table: columns by quoted names, rows by any spelling of a value."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scaling.data.query import mapping, runs_of
from scaling.data.reading import reading_of
from scaling.data.runs import usable
from tests.scaling.tables import STREAMS, TABLES, same

CRASHED = pd.read_csv(TABLES / "crashed.csv")
FINISHED = CRASHED[CRASHED["state"] == "finished"][["N", "P", "loss"]]


def written(table: pd.DataFrame, folder: Path) -> Path:
    table.to_csv(folder / "runs.csv", index=False)
    return folder / "runs.csv"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("N=params, loss = val_loss", {"N": "params", "loss": "val_loss"}), ("a=b=c", {"a": "b=c"}), ("", {}), (None, {}),
     ('loss="val, loss",N=n', {"loss": "val, loss", "N": "n"}), ("loss='a=b'", {"loss": "a=b"}),
     ('"my, column"=x', {"my, column": "x"}), ('corpus=The "Pile", v=2', {"corpus": 'The "Pile"', "v": "2"}),
     ("N=it's,D=he's", {"N": "it's", "D": "he's"})],
)  # fmt: skip
def test_pairs_with_quotes(given: str | None, wanted: dict[str, str]) -> None:
    assert mapping(given, "--columns") == wanted


@pytest.mark.parametrize("given", ["N=", "N", "=x", "N=a,b"])
def test_what_is_no_pair_is_told(given: str) -> None:
    with pytest.raises(ValueError, match="write NAME=VALUE,NAME=VALUE"):
        mapping(given, "--columns")


@pytest.mark.parametrize("name", ["val, loss", "loss (nats)", "a=b"])
def test_a_column_whose_name_needs_quotes(name: str, tmp_path: Path) -> None:
    assert same(runs_of(written(STREAMS.rename(columns={"loss": name}), tmp_path), f'loss="{name}"'))


GOOD = (CRASHED["state"] == "finished").to_numpy()


@pytest.mark.parametrize(
    ("column", "values", "where"),
    [("ok", (True, False), "ok=true"), ("ok", (True, False), "ok=True"), ("good", (1, 0), "good=1"),
     ("good", (True, False), "good=yes"),
     ("good", ("Yes", "No"), "good=yes"), ("state", ("finished", "crashed"), "State=finished"),
     ("state", ("finished", "crashed"), "state=FINISHED"), ("status", ("done", "DROP"), "status=done"),
     ("status", ("keepers", "others"), "status=keepers"), ("State", ("kept one", "other one"), "State=kept one")],
)  # fmt: skip
def test_rows_by_any_spelling_of_a_value(column: str, values: tuple, where: str, tmp_path: Path) -> None:
    table = CRASHED.drop(columns="state").assign(**{column: np.where(GOOD, *values)})
    runs = runs_of(written(table, tmp_path), where=where)
    assert same(runs, FINISHED)
    assert usable(runs).all()


def test_a_word_of_a_crashed_run_does_not_make_it_one_that_finished(tmp_path: Path) -> None:
    runs = runs_of(TABLES / "crashed.csv", where="state=crashed")
    assert not usable(runs).any()


def test_rows_that_are_left_out_need_not_be_valid(tmp_path: Path) -> None:
    table = STREAMS.assign(corpus=np.where(STREAMS["P"] == 8, "broken", "good"))
    table["loss"] = table["loss"].where(table["corpus"] == "good")
    runs = runs_of(written(table, tmp_path), where="corpus=good")
    assert same(runs, STREAMS[STREAMS["P"] != 8])
    table.loc[5, "loss"] = -1.0
    with pytest.raises(ValueError, match=r"row 6 \(line 7\), column loss: -1\.0 must be > 0"):
        runs_of(written(table, tmp_path), where="corpus=good")


@pytest.mark.parametrize(
    ("where", "says"),
    [("N=big", "'big' is none"), ("ok=perhaps", "the column holds true and false"), ("corpus=b", "has it; there are a"),
     ("corpse=a", "did you mean 'corpus'"), ("x", "write NAME=VALUE")],
)  # fmt: skip
def test_what_cannot_be_chosen_is_told(where: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says) as told:
        runs_of(written(STREAMS.assign(corpus="a", ok=True), tmp_path), where=where)
    assert "\n" not in str(told.value)


def test_the_states_of_the_rows_chosen_are_told(tmp_path: Path) -> None:
    runs = runs_of(
        written(CRASHED.assign(corpus=np.where(CRASHED["N"] > 1e9, "b", "a")), tmp_path), where="corpus=a"
    )
    assert reading_of(runs).line() == "left out: 2 crashed"
