"""The command line on tables as people bring them: the right answer, or one sentence that says what to type."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from parscale.cli.decide import advise_command, suggest_command
from parscale.cli.fit import compare_command, fit_command, predict_command
from parscale.cli.publish import explore_command
from tests.scaling.command_line import run
from tests.scaling.tables import STREAMS, TABLES


def written(table: pd.DataFrame, folder: Path, name: str = "runs.csv") -> str:
    table.to_csv(folder / name, index=False)
    return str(folder / name)


@pytest.mark.parametrize("command", [fit_command, compare_command])
def test_streams_under_another_name_are_asked_for(command, tmp_path: Path) -> None:
    path = written(STREAMS.rename(columns={"N": "num_params", "P": "parallel_size"}), tmp_path)
    with pytest.raises(ValueError, match=r"'parallel_size'.*--columns.*P=parallel_size"):
        run(
            command,
            runs=path,
            columns="N=num_params",
            **({"out": str(tmp_path)} if command is fit_command else {}),
        )


def test_candidates_with_streams_under_another_name(tmp_path: Path) -> None:
    path = written(pd.DataFrame({"N": [1e9, 5e9], "parallel_size": 8, "D": 1e10}), tmp_path)
    with pytest.raises(ValueError, match="--columns P=parallel_size"):
        run(suggest_command, fit=str(TABLES / "streams_fit.json"), candidates=path)


@pytest.mark.parametrize(
    ("column", "words"), [("state", ("finished", "crashed")), ("Status", ("COMPLETED", "TIMEOUT"))]
)
def test_crashed_runs_are_left_out_and_counted(column: str, words: tuple[str, str], tmp_path: Path) -> None:
    table = pd.read_csv(TABLES / "crashed.csv")
    table = table.rename(columns={"state": column}).replace({"finished": words[0], "crashed": words[1]})
    text = run(fit_command, runs=written(table, tmp_path), out=str(tmp_path))
    assert re.search(r"\b18\b.*\b6 ", text)
    assert "k                 0.3157" in text
    assert re.search(rf"\b6 {words[1]}", text)


@pytest.mark.slow
def test_checkpoints_are_noted_and_grouped(tmp_path: Path) -> None:
    path = str(TABLES / "checkpoints.csv")
    text = run(fit_command, runs=path, law="chinchilla", out=str(tmp_path))
    assert re.search(r"run_id.*6.*groups", " ".join(text.split()))
    assert "--groups" not in text
    how: Any = {"runs": path, "law": "chinchilla", "objective": "least-squares", "json": True}
    told = [run(fit_command, **how, out=str(tmp_path), groups=g) for g in ("run_id", None, "none")]
    ends = [json.loads(body)["all"]["intervals"] for body in told]
    assert ends[0] == ends[1] != ends[2]


@pytest.mark.parametrize(
    ("name", "unit", "note"), [("bits_per_byte", "bits per byte", ""), ("val_ppl", "val_ppl", "val_ppl")]
)
def test_the_unit_of_the_loss_is_the_columns(name: str, unit: str, note: str, tmp_path: Path) -> None:
    path = written(STREAMS.rename(columns={"loss": name}), tmp_path)
    text = run(fit_command, runs=path, columns=f"loss={name}", out=str(tmp_path))
    told = run(predict_command, fit=str(tmp_path / "fits" / "parallel-all.json"), N="2.8B", P="4")
    assert "nats per token" not in told
    assert f" {unit}" in told
    assert note in text
    assert f"{unit}\n" in text


def test_sizes_in_billions_are_asked_about_where_sizes_matter(tmp_path: Path) -> None:
    path = written(STREAMS.assign(N=STREAMS["N"] / 1e9), tmp_path)
    asked = r"\bN\b.*0\.5\b.*4\.4\b.*billions.*0\.5B"
    with pytest.raises(ValueError, match=asked):
        run(explore_command, sources=[path], out=str(tmp_path / "x.html"), no_open=True)
    assert "billions" in run(fit_command, runs=path, out=str(tmp_path))
    with pytest.raises(ValueError, match=asked):
        run(
            advise_command,
            runs=None,
            fit=str(tmp_path / "fits" / "parallel-all.json"),
            memory="4GB",
            latency="2s",
            out=str(tmp_path),
        )


@pytest.mark.slow
def test_words_of_status_after_where(tmp_path: Path) -> None:
    words = np.where(STREAMS.index.isin([3, 5]), "DROP", "done")
    path = written(STREAMS.assign(status=words), tmp_path)
    assert "22 fitted" in run(fit_command, runs=path, where="status=done", out=str(tmp_path))
    assert re.search(r"2.*DROP", run(fit_command, runs=path, out=str(tmp_path)))
    other = written(STREAMS.assign(status=np.where(words == "DROP", "b", "a")), tmp_path)
    with pytest.raises(
        ValueError,
        match=r"'ok'.*status.*b.*--where.*status=",
    ):
        run(fit_command, runs=other, out=str(tmp_path))


@pytest.mark.slow
def test_a_column_P_of_another_meaning(tmp_path: Path) -> None:
    text = run(fit_command, runs=str(TABLES / "sparsity.csv"), law="chinchilla", out=str(tmp_path))
    plain = written(pd.read_csv(TABLES / "sparsity.csv").drop(columns="P"), tmp_path)
    without = run(fit_command, runs=plain, law="chinchilla", out=str(tmp_path))
    assert "column P" not in text
    assert [line for line in text.splitlines() if line.startswith(("alpha", "beta", "E "))] == [
        line for line in without.splitlines() if line.startswith(("alpha", "beta", "E "))
    ]
