"""Runs that crashed, in the words of every launcher and logger: left out, by whatever name and spelling."""

import re

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.data.any_table import as_runs
from scaling.data.columns.run_states import states_of, unread_states
from scaling.data.reading import reading_of
from scaling.data.runs import left_out, read_runs, usable
from tests.scaling.tables import K_OF_FINISHED, TABLES

CRASHED = pd.read_csv(TABLES / "crashed.csv")
GOOD = (CRASHED["state"] == "finished").to_numpy()
BARE = CRASHED.drop(columns="state")
WORDS = {
    "Weights & Biases": ("finished", "crashed"), "of W&B, killed": ("finished", "killed"),
    "still running": ("Finished", "running"), "MLflow": ("FINISHED", "KILLED"), "Slurm": ("COMPLETED", "TIMEOUT"),
    "Slurm, by whom": ("COMPLETED", "CANCELLED by 1001"), "Slurm, cut": ("COMPLETED", "OUT_OF_ME+"),
    "Slurm's codes": ("CD", "TO"), "Ray Tune": ("TERMINATED", "ERROR"), "Ray jobs": ("SUCCEEDED", "STOPPED"),
    "Optuna": ("COMPLETE", "PRUNED"), "Optuna's enumeration": ("TrialState.COMPLETE", "TrialState.FAIL"),
    "Kubernetes": ("Succeeded", "OOMKilled"), "with a reason": ("finished", "failed: CUDA out of memory"),
    "a word of their own": ("done", "DROP"), "nothing": ("finished", None), "this project": ("ok", "diverged"),
}  # fmt: skip
FLAGS = {
    "crashed": (False, True), "finished": (True, False), "diverged": (0, 1), "is_failed": ("no", "yes"),
    "hasDiverged": (False, True), "success": ("True", "False"), "exit_code": (0, 1), "ExitCode": ("0:0", "137:0"),
}  # fmt: skip


@pytest.mark.parametrize(
    "column", ["state", "State", "STATUS", "status", "run_state", "JobState", "sys/state"]
)
def test_columns_of_every_launcher(column: str) -> None:
    table = BARE.assign(**{column: np.where(GOOD, "finished", "crashed")})
    assert states_of(table, len(table)).names == (column,)
    assert (usable(table) == GOOD).all()


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_words_of_every_launcher(words: tuple[str, str]) -> None:
    table = BARE.assign(state=np.where(GOOD, *words))
    assert (usable(table) == GOOD).all()
    assert sum(left_out(table).values()) == 6


@pytest.mark.parametrize("name", FLAGS)
def test_columns_of_yes_or_no(name: str) -> None:
    table = BARE.assign(**{name: np.where(GOOD, *FLAGS[name])})
    assert (usable(table) == GOOD).all()
    assert list(left_out(table)) == [f"{name} {FLAGS[name][1]}"]


def test_a_plain_table_and_its_file_are_fitted_as_one(tmp_path) -> None:
    fits = [scaling.fit("parallel", CRASHED), scaling.fit("parallel", read_runs(TABLES / "crashed.csv"))]
    for fit in fits:
        assert fit.excluded == 6
        assert fit.law.k == pytest.approx(K_OF_FINISHED, abs=1e-4)
        assert re.search(r"6.*crashed", fit.reading.line())
    assert re.search(r"6.*crashed", repr(fits[0]))


def test_every_column_that_says_so_counts() -> None:
    table = BARE.assign(state="finished", nan=~GOOD)
    assert (usable(table) == GOOD).all()
    assert states_of(table, len(table)).why[~GOOD].tolist() == ["nan True"] * 6


@pytest.mark.parametrize("values", [["Oregon", "Texas"], ["running water", "lake"], [1.5, 2.5], ["CA", "TO"]])
def test_a_column_of_another_meaning(values: list) -> None:
    table = BARE.assign(state=np.resize(values, len(BARE)))
    assert states_of(table, len(table)).names == ()
    assert usable(table).all()


def test_numbers_of_state_are_a_doubt() -> None:
    table = BARE.assign(state=np.where(GOOD, 3, 4))
    assert unread_states(table) == [("state", ["3", "4"])]
    assert [doubt.column for doubt in scaling.fit("parallel", table).reading.doubts] == ["state"]


def test_a_status_is_spelled_ok_for_finished_runs_alone() -> None:
    table = pd.DataFrame(
        {
            "N": 1e9,
            "loss": 2.0,
            "status": ["completed", "terminated", "Done", None, "ok"],
            "nan": [0, 0, 1, 0, 0],
        }
    )
    found = as_runs(table)
    assert found["status"].fillna("").tolist() == ["ok", "terminated", "nan 1", "", "ok"]
    assert (usable(found) == usable(table)).all()


def test_ray_ends_what_others_were_ended_by() -> None:
    assert usable(pd.DataFrame({"loss": [1, 2], "state": ["TERMINATED", "ERROR"]})).tolist() == [True, False]
    assert usable(pd.DataFrame({"loss": [1, 2], "state": ["completed", "terminated"]})).tolist() == [
        True,
        False,
    ]


def test_a_loss_of_a_crashed_run_may_be_any_word(tmp_path) -> None:
    CRASHED.assign(loss=np.where(GOOD, CRASHED["loss"].astype(object), "diverged")).to_csv(
        tmp_path / "x.csv", index=False
    )
    runs = read_runs(tmp_path / "x.csv")
    assert scaling.fit("dense", runs).excluded == 6
    assert reading_of(runs).of("status")
