"""What is too large to be read whole is refused in one line that names the file and the limit."""

import json

import pandas as pd
import pytest

import parscale
from analysis.costs.hardware import read_hardware
from scaling import Fit, read_runs
from scaling.data import limits
from sweeps.checkpoint import released_format
from sweeps.corpora.cleaning import clean
from sweeps.corpora.documents import Document
from sweeps.corpora.sources.user_files import UserFiles
from sweeps.grids import recipes

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
    assert "more than the 70 read at once; keep the rows and columns" in line


def test_a_parquet_table_of_few_bytes_and_many_rows(tmp_path, monkeypatch):
    path = tmp_path / "runs.parquet"
    pd.DataFrame({"N": [1e7] * 200_000, "loss": 2.0}).to_parquet(path)
    monkeypatch.setattr(limits, "TABLE", 20 * path.stat().st_size)
    with pytest.raises(limits.TooLarge, match=r"3,200,000 bytes, more than the"):
        read_runs(path)


@pytest.mark.parametrize(
    "read",
    [
        lambda path: Fit.load(path),
        lambda path: read_hardware(path),
        lambda path: released_format.read_config(path.parent),
        lambda path: recipes._read_shape(path.parent),
    ],
    ids=["fit", "hardware", "checkpoint", "base"],
)
def test_a_description(tmp_path, monkeypatch, read):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"name": "x" * 100}))
    monkeypatch.setattr(limits, "JSON", 99)
    with pytest.raises(
        ValueError, match=r"^\S*config.json: 112 bytes, more than the 99 read at once; this is"
    ):
        read(path)


def test_a_device_without_end_is_not_read_to_it(monkeypatch):
    monkeypatch.setattr(limits, "JSON", 1000)
    with pytest.raises(limits.TooLarge, match="/dev/zero: 1,001 bytes"):
        Fit.load("/dev/zero")


def test_a_document(tmp_path, monkeypatch):
    (tmp_path / "long.txt").write_text("word " * 30)
    monkeypatch.setattr(limits, "DOCUMENT", 100)
    with pytest.raises(limits.TooLarge, match=r"long\.txt: 150 bytes.*cut it into documents"):
        list(UserFiles(f"{tmp_path}/*.txt").documents(tmp_path))


def test_a_line_without_end_is_not_read_to_it(tmp_path, monkeypatch):
    lines = [json.dumps({"text": "short"}), json.dumps({"text": "word " * 300})]
    (tmp_path / "d.jsonl").write_text("\n".join(lines))
    monkeypatch.setattr(limits, "DOCUMENT", 100)
    found = UserFiles(f"{tmp_path}/*.jsonl").documents(tmp_path)
    assert next(found).text == "short"
    with pytest.raises(limits.TooLarge, match=r"d\.jsonl: 101 bytes.*one document a line"):
        next(found)


def test_a_corpus(monkeypatch):
    texts = (Document(f"d{i}", f"{i} " * 10, "a") for i in range(9))
    monkeypatch.setattr(limits, "CORPUS", 110)
    with pytest.raises(ValueError, match=r"^d5: with it the corpus has more than 110 characters"):
        clean(texts)
