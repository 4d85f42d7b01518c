"""A file that is too large to read whole is refused in one line with its name and the limit."""

import pandas as pd
import pytest

import parscale
from scaling import Fit, read_runs
from scaling.data import limits

ROWS = pd.DataFrame({"N": [1e7, 4e7], "P": [1, 2], "loss": [3.1, 2.9], "note": ["x" * 40, "y" * 40]})


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_a_runs_table(tmp_path, monkeypatch, capsys, ending):
    path = tmp_path / f"runs.{ending}"
    writers = {
        "csv": lambda: ROWS.to_csv(path, index=False),
        "tsv": lambda: ROWS.to_csv(path, index=False, sep="\t"),
        "jsonl": lambda: ROWS.to_json(path, orient="records", lines=True),
        "parquet": lambda: ROWS.to_parquet(path),
    }
    writers[ending]()
    assert len(read_runs(path)) == 2
    monkeypatch.setattr(limits, "TABLE", 70)
    assert parscale.main(["fit", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{path}: " in line
    assert " 70 " in line


def test_a_parquet_table_of_few_bytes_and_many_rows(tmp_path, monkeypatch):
    path = tmp_path / "runs.parquet"
    pd.DataFrame({"N": [1e7] * 200_000, "loss": 2.0}).to_parquet(path)
    monkeypatch.setattr(limits, "TABLE", 20 * path.stat().st_size)
    with pytest.raises(limits.TooLarge, match="3,200,000"):
        read_runs(path)


def test_a_device_without_end_is_not_read_to_it(monkeypatch):
    monkeypatch.setattr(limits, "JSON", 1000)
    with pytest.raises(limits.TooLarge, match=r"/dev/zero.*1,001"):
        Fit.load("/dev/zero")
