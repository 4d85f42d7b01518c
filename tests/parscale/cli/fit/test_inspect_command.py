"""`parscale inspect`: the description in every form, and what it says of files that hold no runs."""

import json
import re
from pathlib import Path

import pytest

import parscale
from parscale.cli.fit import inspect_command
from tests.scaling.command_line import LOSSES, run
from tests.scaling.own_shapes import written


def test_the_published_losses_are_described() -> None:
    text = run(inspect_command)
    assert re.search("48 rows.*48", text)
    assert re.search(r"\bcorpus\b.*pile", text)
    assert text.splitlines()[-1].split()[1:] == f"parscale fit {LOSSES} --law parallel --by corpus".split()


def test_every_form_holds_the_same() -> None:
    told = json.loads(run(inspect_command, json=True, where="corpus=pile"))
    assert told["rows"] == 24
    assert told["command"].endswith("--where corpus=pile --law parallel")
    assert [row["axis"] for row in told["axes"]] == ["N", "P", "D", "loss"]
    markdown = run(inspect_command, format="markdown")
    assert "| N " in markdown
    assert "tabular" in run(inspect_command, format="latex")


def test_columns_are_told_as_they_were_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + "\n".join(f"{n}e8,{3 - n / 10}" for n in range(1, 7)))
    text = run(inspect_command, runs=str(tmp_path / "t.csv"), columns="N=x,loss=y")
    assert re.search(r"\bN\b.*\bx\b", text)
    assert text.splitlines()[-1].endswith("--columns N=x,loss=y --law dense")


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ("a,b\n1,2\n", 0, "'N'"),
        ("N,loss\n1e8,two\n2e8,1\n", 0, "'two'"),
        ("", 2, ".csv"),
    ],
)
def test_what_cannot_be_read_as_runs_is_said(content, code, said, tmp_path, capsys) -> None:
    (tmp_path / "t.csv").write_text(content)
    assert parscale.main(["inspect", str(tmp_path / "t.csv")]) == code
    told = capsys.readouterr()
    assert said in told.out + told.err


def test_no_file_is_a_wrong_call(tmp_path, capsys) -> None:
    assert parscale.main(["inspect", str(tmp_path / "none.csv")]) == 2
    assert "none.csv" in capsys.readouterr().err
    assert parscale.main(["inspect", LOSSES, "--where", "corpus=wiki"]) == 2


def test_a_table_is_described_by_an_own_law(tmp_path: Path) -> None:
    law, table = written(tmp_path)
    body = json.loads(run(inspect_command, runs=table, law=law, json=True))
    assert [axis["axis"] for axis in body["axes"]] == ["width", "depth", "loss"]
    assert body["command"].endswith(f"--law {law}")
    assert "'N'" in run(inspect_command, runs=table)
