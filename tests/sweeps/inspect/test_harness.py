"""Tasks of ours as tasks of the harness, and the table of benchmarks."""

import json
from importlib import metadata

import pandas as pd
import pytest

from sweeps.corpora import build as corpora
from sweeps.inspect.harness import check_harness, keep_benchmarks, write_tasks


def test_items_are_written_as_they_are_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))
    names = write_tasks("task:copy#letters=2,4", tmp_path)
    assert names == ["parscale_copy_letters_2_4_copy_2", "parscale_copy_letters_2_4_copy_4"]
    rows = [json.loads(line) for line in (tmp_path / f"{names[1]}.jsonl").read_text().splitlines()]
    items = corpora.open_corpus("task:copy#letters=4", 64).questions()["copy 4"]
    assert len(rows) == len(items.ids)
    assert all(row["completion"] == row["prompt"][:-1] + "\n" for row in rows)
    assert json.loads((tmp_path / f"{names[0]}.yaml").read_text())["output_type"] == "loglikelihood"


def test_a_task_asked_again_takes_the_place_of_its_rows(tmp_path):
    row = {"task": "t", "metric": "acc", "value": 0.1, "P": 1, "r": 1}
    for value, r in ((0.1, 1), (0.2, 1), (0.3, 2)):
        path = keep_benchmarks(tmp_path, "a", pd.DataFrame([{**row, "value": value, "r": r}]))
    assert pd.read_parquet(path)["value"].tolist() == [0.2, 0.3]


@pytest.mark.parametrize(("version", "fits"), [("0.4.9", False), ("0.4.10", True), ("0.5.0", False)])
def test_the_harness_must_be_of_a_known_version(version, fits, monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: version)
    if fits:
        assert check_harness() == version
    else:
        with pytest.raises(ValueError, match=f"{version}, .*0.4.10.*0.5"):
            check_harness()
