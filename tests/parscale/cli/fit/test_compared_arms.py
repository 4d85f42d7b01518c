"""`parscale compare --arms`: what arms share, their own parameters, what each is worth."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from parscale.cli.fit import compare_command
from scaling import DenseLaw
from tests.scaling.command_line import run

GAIN = (4e7 / 3e7) ** 1.0  # of A in (A/N)^alpha


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> str:
    N, rng, parts = np.tile(np.geomspace(2e7, 2e9, 8), 2), np.random.default_rng(5), []
    for arm, A in {"adam": 4e7, "muon": 3e7}.items():
        loss = DenseLaw(E=1.7, A=A, alpha=0.31).predict(N=N) * np.exp(0.002 * rng.standard_normal(N.size))
        parts.append(pd.DataFrame({"N": N, "optimizer": arm, "seed": np.repeat([0, 1], 8), "loss": loss}))
    path: Path = tmp_path_factory.mktemp("arms") / "arms.csv"
    pd.concat(parts).to_csv(path, index=False)
    return str(path)


@pytest.mark.slow
def test_arms_are_compared_by_the_law_that_suits(table):
    body = json.loads(run(compare_command, runs=table, arms="optimizer", at="N=1e9", json=True))["all"]
    assert {name for name, row in body["tests"].items() if not row["shared"]} == {"A"}
    assert body["parameters"]["A[muon]"]["upper"] < body["parameters"]["A[adam]"]["lower"]
    (gain,) = body["gains"]
    assert gain["N"] == 1e9
    assert gain["gain_N_lower"] < GAIN < gain["gain_N_upper"]
    assert body["paired"][0]["pairs"] == 16


def test_text_tables_and_refusals(table):
    more = {"runs": table, "arms": "optimizer", "laws": "dense:alpha=0.31", "shared": "E"}
    text = run(compare_command, **more, reference="muon")
    assert "A[adam]" in text
    assert re.search(r"\badam\b.*\b0\.\d", text)
    assert "| adam |" in run(compare_command, **more, reference="muon", format="markdown")
    body = json.loads(run(compare_command, **more, json=True))[
        "all"
    ]  # least squares by default, as in Python
    law, runs = more["laws"], pd.read_csv(table)
    found = scaling.compare_arms(law, runs, "optimizer", shared=("E",)).table
    assert body["tests"]["A"]["F"] == pytest.approx(found.loc["A", "F"])
    for wrong, says in (
        ({"laws": "dense,kaplan"}, "by one law"),
        ({"holdout": "N"}, "--holdout"),
        ({"arms": "optimiser"}, "'optimiser'"),
        ({"arms": None}, "--shared.*--arms"),
        ({"at": "N=1e9,2e9,D=1,2,3"}, "as many values"),
    ):
        with pytest.raises(ValueError, match=says):
            run(compare_command, **{**more, **wrong})
