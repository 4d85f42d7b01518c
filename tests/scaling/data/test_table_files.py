"""Files as spreadsheets of other languages write them: refused in one line that says what to do."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.data.atomic_files import seal
from scaling.data.runs import read_runs
from tests.scaling.nine_runs import N, write

TABLE = "N,P,loss\n1e9,1,2.5\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"N;P;loss\n1000;1;2,5\n2000;1;2.4\n", "'2,5'"),
        (b"PK\x03\x04\x00\x00" + bytes(range(256)), "bytes"),
    ],
)
def test_the_remedy_is_told(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"mine\.csv: ") as told:
        scaling.read_runs(path)
    assert says in str(told.value)
    assert "codec" not in str(told.value)


def test_a_bad_value_is_told_with_its_line(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text('{"N": 1e6, "loss": 3.0}\n{"N": 2e6, "loss": -1}\n')
    with pytest.raises(ValueError, match=r"2.*2.*loss.*-1.0.*0"):
        scaling.read_runs(path)


def test_files_that_cannot_be_read(table: pd.DataFrame, tmp_path: Path) -> None:
    whole = write(table, tmp_path, "parquet")
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"cut\.parquet.*parquet"):
        scaling.read_runs(cut)
    garbled = tmp_path / "runs.jsonl"
    garbled.write_text('{"N": 1e9, "loss"\n')
    with pytest.raises(ValueError, match=r"runs\.jsonl.*jsonl"):
        scaling.read_runs(garbled)
    empty = tmp_path / "runs.csv"
    empty.write_text("N,P,loss\n")
    with pytest.raises(ValueError, match=r"runs\.csv.* rows"):
        scaling.read_runs(empty)
    (tmp_path / "runs.xls").write_text("")
    with pytest.raises(ValueError, match=r"\.xls.*\.parquet.*\.pq.*\.csv"):
        scaling.read_runs(tmp_path / "runs.xls")
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        scaling.read_runs(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("empty.csv", "", "empty.csv: "),
        ("one.csv", "N:P:loss\n1e7:1:3.1\n", "'N'"),
    ],
)  # fmt: skip
def test_files_as_they_are_saved_by_mistake(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        scaling.read_runs(tmp_path / name)


HEAD = "N,P,loss,name\n"


ROWS = ["1e9,1,2.5,run#1", "2e9,2,2.4,b", "3e9,4,2.3,c"]


def test_a_hash_in_a_cell_is_no_remark(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("# two remarks\n# before the header\n" + HEAD.replace("P,", "P , ") + "\n".join(ROWS))
    runs = read_runs(path)
    assert list(runs["name"]) == ["run#1", "b", "c"]
    assert list(runs["loss"]) == [2.5, 2.4, 2.3]


def test_a_line_that_begins_with_a_hash_is_counted_after_the_header(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("# a remark\nname,N,P,loss\n#1,1e9,1,2.5\n\n#2,2e9,2,many\n")
    with pytest.raises(ValueError, match=r"2.*5.*loss.*'many'"):
        read_runs(path)


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("N,P,loss\n", '1e9,1,"2,111"', "loss.*'2,111'"),
        ("N,P,loss\n", '"2,8B",1,2.1', "N.*'2,8B'"),
    ],
)
def test_rows_that_could_be_misread_are_refused(header, row, message, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(header + row + "\n")
    with pytest.raises(ValueError, match=message):
        read_runs(path)


def test_a_table_that_fails_its_checksum_is_named(table: pd.DataFrame, tmp_path: Path) -> None:
    path = write(table, tmp_path, "parquet")
    seal(path)
    assert len(read_runs(path)) == 9
    damaged = bytearray(path.read_bytes())
    damaged[-40] ^= 1  # in the footer, where the pages' checksums do not reach
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"runs\.parquet.*damaged"):
        read_runs(path)
    assert path.exists()


def test_pages_of_any_table_are_held_against_their_checksums(table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "theirs.parquet"
    table.to_parquet(path, write_page_checksum=True, compression=None, use_dictionary=False)
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(np.float64(N[4]).tobytes())] ^= 1  # a number as good as any
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"theirs\.parquet.*parquet"):
        read_runs(path)
