"""JSON tables in every shape that loggers and pandas write."""

import json
from pathlib import Path

import pandas as pd
import pytest

from scaling.data.formats.json_tables import flat
from scaling.data.reading import reading_of
from scaling.data.runs import read_runs
from tests.scaling.tables import STREAMS, same

RECORDS = STREAMS.to_dict("records")
WITH_C = [{**row, "C": 6 * int(row["N"]) * int(row["P"]) * 10**11} for row in RECORDS]  # integers above 2^63
NESTED = [
    {"name": f"r{i}", "state": "finished", "config": {"N": row["N"], "P": row["P"], "optimizer": {"lr": 0.1}},
     "summary": {"val": {"loss": row["loss"]}}}
    for i, row in enumerate(RECORDS)
]  # fmt: skip
OF_WANDB = [
    {"config": {"N": {"value": row["N"]}, "P": {"value": row["P"]}}, "summary": {"loss": row["loss"]}}
    for row in RECORDS
]


def lines(records: list[dict]) -> str:
    return "\n".join(map(json.dumps, records))


FORMS = {
    "lines.jsonl": lines(RECORDS),
    "lines.ndjson": lines(RECORDS),
    "lines.json": lines(RECORDS),
    "large_integers.jsonl": lines(WITH_C),
    "large_integers.json": json.dumps(WITH_C),
    "not_a_number.jsonl": lines([{**row, "x": float("nan")} for row in RECORDS]),
    "blank_lines.jsonl": lines(RECORDS).replace("\n", "\n\n"),
    "records.json": json.dumps(RECORDS),
    "columns.json": json.dumps({name: STREAMS[name].tolist() for name in STREAMS}),
    "inside.json": json.dumps({"runs": RECORDS, "made": {"by": "a script"}}),
    "by_name.json": json.dumps({f"run-{i}": row for i, row in enumerate(RECORDS)}),
    **{
        f"pandas_{orient}.json": STREAMS.to_json(orient=orient)
        for orient in ("columns", "split", "index", "table")
    },
    "nested.jsonl": lines(NESTED),
    "nested.json": json.dumps(NESTED),
    "of_wandb.json": json.dumps(OF_WANDB),
}


MARKED = [(name, "utf-8-sig") for name in ("lines.jsonl", "records.json", "nested.json")]


@pytest.mark.parametrize(("name", "encoding"), [*((name, "utf-8") for name in FORMS), *MARKED])
def test_every_shape_is_the_same_table(name: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(FORMS[name].encode(encoding))
    runs = read_runs(tmp_path / name)
    assert same(runs)
    if "large" in name:
        assert runs["C"].tolist() == [float(row["C"]) for row in WITH_C]


def test_nested_names_are_told(tmp_path: Path) -> None:
    (tmp_path / "nested.json").write_text(FORMS["nested.json"])
    runs = read_runs(tmp_path / "nested.json")
    assert [guess.column for guess in reading_of(runs).guesses] == [
        "config.N",
        "summary.val.loss",
        "config.P",
    ]
    assert set(runs["config.optimizer.lr"]) == {0.1}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("cut.jsonl", lines(RECORDS)[:-9], "line 24"),
        ("list.jsonl", "[1, 2]\n[3, 4]", "0, 1"),
        ("twice.jsonl", '{"N": 1e9, "loss": 2.5, "loss": 9.9}', "'loss'"),
        ("number.json", "3", "number.json"),
        ("numbers.json", "[1, 2]", "[{"),
        ("broken.json", "{", "broken.json"),
        ("fit.json", '{"law": "ParallelLaw", "certificate": {}}', "fit.json"),
    ],
)
def test_what_is_no_table_is_told(name: str, text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=name) as told:
        read_runs(tmp_path / name)
    assert says in str(told.value)
    assert "\n" not in str(told.value)


def test_structs_of_other_libraries_are_columns() -> None:
    frame = flat(pd.DataFrame({"config": [None, {"N": 1e9}], "big": [2**70, 1]}))
    assert frame["config.N"].tolist()[1] == 1e9
    assert frame["big"].tolist() == [2.0**70, 1.0]
