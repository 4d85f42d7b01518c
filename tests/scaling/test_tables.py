"""Files as spreadsheets of other languages write them: refused in one line that says what to do."""

from pathlib import Path

import pytest

import scaling

TABLE = "N,P,loss\n1e9,1,2.5\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"N;P;loss\n1000;1;2,5\n2000;1;2,4\n", "semicolons between columns and commas in numbers: write"),
        (TABLE.encode("utf-16"), "it is UTF-16; save it as UTF-8"),
        (b"PK\x03\x04\x00\x00" + bytes(range(256)), "it is no text but bytes"),
        (b"N,P,loss,who\n1e9,1,2.5,Ren\xe9\n", "it is not UTF-8 text: save it so"),
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
    path = tmp_path / "runs.csv"
    path.write_text("# a remark\n\nN,loss\n1e6,3.0\n\n2e6,many\n")
    with pytest.raises(ValueError, match=r"row 2 \(line 6\), column loss: 'many' is not a number"):
        scaling.read_runs(path)
    path = tmp_path / "runs.jsonl"
    path.write_text('{"N": 1e6, "loss": 3.0}\n{"N": 2e6, "loss": -1}\n')
    with pytest.raises(ValueError, match=r"row 2 \(line 2\), column loss: -1.0 must be > 0"):
        scaling.read_runs(path)
