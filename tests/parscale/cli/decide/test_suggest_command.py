"""`parscale suggest`: what to train next, from a fit file."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from parscale.cli.decide import suggest_command
from parscale.cli.fit import fit_command
from tests.scaling.command_line import run
from tests.scaling.own_shapes import written


@pytest.mark.slow
def test_suggest_a_parameter_a_point_and_a_rival(folder: Path, tmp_path: Path) -> None:
    file, rival = str(folder / "parallel-pile.json"), str(folder / "additive-beta-0.5-pile.json")
    text = run(suggest_command, fit=file, tokens="42B", count=2)
    assert re.match(r"status: converged.*\n.* k: 0\.0", text)
    header, *rows = (line.split() for line in text.split("\n\n")[1].splitlines())
    assert header[:2] == ["N", "P"]
    assert "FLOPs" in header
    assert [row[-1] for row in rows] == ["N", "N"]
    body = json.loads(
        run(suggest_command, fit=file, target="N=1e11,P=8", tokens="42B", budget="1e21", json=True)
    )
    assert body["runs"][-1]["total_C"] <= 1e21
    assert body["runs"][0]["half_width"] < body["before"]
    table = tmp_path / "candidates.csv"
    table.write_text("N,P,D\n500M,32,42B\n4.4B,1,42B\n")
    body = json.loads(run(suggest_command, fit=file, target=rival, candidates=str(table), count=1, json=True))
    assert (body["runs"][0]["N"], body["runs"][0]["P"]) == (5e8, 32)
    relative = run(suggest_command, fit=file, sizes="0.5B,1B", streams="1,2").splitlines()
    assert next(line.split()[:6] for line in relative if " then " in line) == [
        "N",
        "P",
        "then",
        "cost",
        "in",
        "all",
    ]


@pytest.mark.slow
def test_suggest_refusals(folder: Path, tmp_path: Path) -> None:
    file = str(folder / "parallel-pile.json")
    with pytest.raises(ValueError, match=r"N=1e11,P=8"):
        run(suggest_command, fit=file, target="N=big")
    for point, says in (
        ("N=1e11", "ParallelLaw takes N, P"),
        ("N=1e11,P=2,D=1e9", "ParallelLaw takes N, P"),
        ("N=1e11,P=0.5", "P=0.5 must be finite and >= 1"),
    ):
        with pytest.raises(ValueError, match=re.escape(f"--target '{point}': {says}")):
            run(suggest_command, fit=file, target=point, sizes="0.5B,1B", streams="8,32")
    with pytest.raises(ValueError, match="--sizes"):
        run(suggest_command, fit=file, candidates="x.csv", sizes="1B")
    with pytest.raises(ValueError, match="--target"):
        run(suggest_command, fit=file, target=str(folder / "parallel-stack-v2-python.json"))
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        run(suggest_command, fit=file, candidates=str(tmp_path / "none.csv"))
    with pytest.raises(ValueError, match=r"--sizes.*'tiny'"):
        run(suggest_command, fit=file, sizes="tiny")


def test_a_budget_wants_to_know_the_tokens(folder: Path) -> None:
    with pytest.raises(ValueError, match="--tokens"):
        run(suggest_command, fit=str(folder / "parallel-pile.json"), budget="1e12")


def test_runs_on_own_axes_are_suggested(tmp_path: Path) -> None:
    law, table = written(tmp_path)
    run(fit_command, runs=table, law=law, out=str(tmp_path))
    more = {"fit": str(tmp_path / "fits" / "DepthLaw-all.json"), "law": law}
    text = run(suggest_command, **more, target="width=8192,depth=64", count=1)
    assert text.split("\n\n")[1].split()[:3] == ["width", "depth", "then"]
    assert "8192" in text
    body = json.loads(run(suggest_command, **more, target="b", grid="width=512,depth=8,64", json=True))
    assert {row["depth"] for row in body["runs"]} == {8, 64}
    (tmp_path / "some.csv").write_text(
        "d_model,depth,C\n512,8,1e18\n512,64,8e18\n".replace("d_model", "width")
    )
    body = json.loads(
        run(suggest_command, **more, target="b", candidates=str(tmp_path / "some.csv"), json=True)
    )
    assert body["runs"][-1]["total_C"] == 9e18
    with pytest.raises(ValueError, match=r"\bN\b"):
        run(suggest_command, **more, target="b", sizes="1B")


def test_default_candidates_of_whole_numbers_are_whole() -> None:
    found = suggest_command._about(np.array([13.0, 27.0]), 1.0)
    assert found == [3.0, 6.0, 13.0, 26.0, 52.0, 104.0, 208.0][: len(found)]
    assert suggest_command._about(np.array([0.5, 2.0]))[0] == 0.125
