"""What the command line asks of a table: columns by quoted names, rows by any spelling of a value."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import FitError, ParallelLaw
from scaling.data.query import Asked, check_axis, each, mapping, mixed, runs_of, slug, split, values
from scaling.data.reading import reading_of
from scaling.data.runs import usable
from tests.scaling.command_line import LOSSES
from tests.scaling.tables import STREAMS, TABLES, same

CRASHED = pd.read_csv(TABLES / "crashed.csv")
FINISHED = CRASHED[CRASHED["state"] == "finished"][["N", "P", "loss"]]


def written(table: pd.DataFrame, folder: Path) -> Path:
    table.to_csv(folder / "runs.csv", index=False)
    return folder / "runs.csv"


PAIRS = [("N=params, loss = val_loss,", {"N": "params", "loss": "val_loss"}), ("a=b=c", {"a": "b=c"}), ("", {}), (None, {}),
     ('loss="val, loss",N=n', {"loss": "val, loss", "N": "n"}), ("loss='a=b'", {"loss": "a=b"}),
     ('"my, column"=x', {"my, column": "x"}), ('corpus=The "Pile", v=2', {"corpus": 'The "Pile"', "v": "2"}),
     ("N=it's,D=he's", {"N": "it's", "D": "he's"})]  # fmt: skip


def test_pairs_with_quotes() -> None:
    for given, wanted in PAIRS:
        assert mapping(given, "--columns") == wanted, given


def test_what_is_no_pair_is_told() -> None:
    for given in ("N=", "N", "=x", "N=a,b"):
        with pytest.raises(ValueError, match=r"^--columns .*NAME=VALUE,NAME=VALUE"):
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
    with pytest.raises(ValueError, match=r"6.*7.*loss.*-1\.0.*0"):
        runs_of(written(table, tmp_path), where="corpus=good")


@pytest.mark.parametrize(
    ("where", "says"),
    [("N=big", "'big'"), ("P=3", "P=3"), ("ok=perhaps", "ok=perhaps.*true"), ("corpus=b", r"corpus=b.*\ba\b"),
     ("corpse=a", "'corpus'"), ("x", "NAME=VALUE")],
)  # fmt: skip
def test_what_cannot_be_chosen_is_told(where: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"--where .*{says}") as told:
        runs_of(written(STREAMS.assign(corpus="a", ok=True), tmp_path), where=where)
    assert "\n" not in str(told.value)


def test_the_states_of_the_rows_chosen_are_told(tmp_path: Path) -> None:
    runs = runs_of(
        written(CRASHED.assign(corpus=np.where(CRASHED["N"] > 1e9, "b", "a")), tmp_path), where="corpus=a"
    )
    assert reading_of(runs).line() == "left out: 2 crashed"


RUNS = pd.DataFrame(
    {"corpus": ["b", "a", "b", None], "N": [1e6, 2e6, 3e6, 4e6], "loss": [3.0, 2.5, 2.2, 2.0]}
)


def test_rows_are_those_whose_values_were_asked_for_however_numbers_are_written(losses):
    pile = losses[(losses["corpus"] == "pile") & (losses["P"] == 4)]
    assert runs_of(LOSSES, where="corpus=pile,P=4.0").index.tolist() == pile.index.tolist()
    assert len(runs_of(LOSSES, where="corpus=pile,P=4,N=1583.571460M")) == 1
    assert Asked(where="P=4").read(LOSSES)["P"].unique().tolist() == [4]
    assert Asked("D=N", "P=4").words == ["--columns", "D=N", "--where", "P=4"]


def test_groups_come_in_the_order_of_the_table_those_without_a_label_last():
    assert [(name, part["N"].tolist()) for name, part in split(RUNS, "corpus", "x.csv")] == [
        ("b", [1e6, 3e6]), ("a", [2e6]), ("none", [4e6]),
    ]  # fmt: skip
    ((name, whole),) = split(RUNS, None, "x.csv")
    assert name == "all"
    assert whole is RUNS


def test_a_column_that_is_not_there_and_names_of_one_file_are_refused():
    with pytest.raises(ValueError, match=r"--by.*colour.*x\.csv"):
        list(split(RUNS, "colour", "x.csv"))
    alike = RUNS.assign(corpus=["a b", "a/b", "c", "d"])
    with pytest.raises(ValueError, match=r"'a b'.*'a/b'"):
        list(split(alike, "corpus", "x.csv"))


@pytest.mark.parametrize("kind", [ValueError, FitError])
def test_an_error_keeps_its_kind_and_names_its_group(kind):
    def work(part):
        if len(part) == 1:
            raise kind("too few")
        return len(part)

    done = each(RUNS, "corpus", "x.csv", work)
    assert done.found == {"b": 2}
    assert done.refused == {"a": "corpus=a: too few", "none": "corpus=none: too few"}
    with pytest.raises(kind, match=r"^corpus=a: too few$") as error:
        each(RUNS[RUNS["corpus"] == "a"], "corpus", "x.csv", work)
    assert type(error.value) is kind
    assert each(RUNS, None, "x.csv", len).found == {"all": 4}


@pytest.mark.parametrize(
    ("columns", "axes", "named"),
    [
        ({"corpus": ["a", "a", "b", "b"]}, ("N",), ["corpus"]),
        ({"corpus": ["a", "a", "b", "b"]}, ("N", "corpus"), []),
        ({"corpus": "a", "recipe": ["x", "y", "x", "y"]}, ("N",), ["recipe"]),
        ({"corpus": "a", "D": [1e9, 2e9, 1e9, 2e9]}, ("N",), ["D"]),
        ({"corpus": "a", "D": [1e9, 2e9, 1e9, 2e9]}, ("N", "D"), []),
        ({"corpus": "a", "D": 1e9}, ("N",), []),
        ({"corpus": "a", "D": 20 * RUNS["N"]}, ("N",), []),  # a ladder
        ({"corpus": ["a", "b", "a", "a"], "status": ["ok", "failed", "ok", "ok"]}, ("N",), []),
    ],
)
def test_runs_that_cannot_be_compared_are_named_where_they_are_fitted_as_one(columns, axes, named):
    told = mixed(RUNS.assign(**columns), axes)
    assert list(told) == named
    assert all(f" {name} " in note for name, note in told.items())


def test_numbers_of_an_option_and_its_axis_are_read_or_named():
    assert values("1B,2.8B", "--N").tolist() == [1e9, 2.8e9]
    with pytest.raises(ValueError, match=r"^--N: 'big'"):
        values("1B,big", "--N")
    assert check_axis(RUNS, "N", "--by", "x.csv") is check_axis(RUNS, "C", "--by", "x.csv") is None
    with pytest.raises(ValueError, match=r"--by P: .*N, C"):
        check_axis(RUNS, "P", "--by", "x.csv")


def test_a_name_as_part_of_a_file_name():
    assert slug("stdlib, two-stage/v1.2_b") == "stdlib--two-stage-v1.2_b"


def test_one_column_cannot_be_two(tmp_path):
    (tmp_path / "runs.csv").write_text("params,loss\n1e9,2\n2e9,1.9\n")
    with pytest.raises(ValueError, match=r"'params'.*N.*D"):
        scaling.read_runs(tmp_path / "runs.csv", mapping("N=params,D=params", "--columns"))


def test_an_error_in_a_group_names_the_group(pile):
    runs = pd.concat([pile, pile.assign(corpus="other", loss=-1.0)])
    worked = each(runs, "corpus", "runs.csv", lambda part: scaling.fit(ParallelLaw, part))
    assert list(worked.found) == ["pile"]
    assert re.search(r"corpus=other.*1.*loss.*-1.*0", worked.refused["other"])
