"""What a call of `run_sweep` came to, and how it is reported."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from sweeps.driver.sweep_result import Outcome, SweepResult, result_of
from sweeps.grids.grids import Axes, find
from sweeps.store.status import RunStatus
from tests.sweeps import fake_trainer

RUNS = find("ci")(Axes(sizes=("32x1",), streams=(1, 2, 4)))
DONE = SweepResult(
    folder=Path("there"), table=pd.DataFrame({"run_id": ["a", "b"]}), trained=2, skipped=0, failed={},
    diverged=[], interrupted=False, fatal="", damaged=[],
)  # fmt: skip


@pytest.mark.parametrize(
    "change", [{"failed": {"32x1 P=1": "it broke"}}, {"interrupted": True}, {"fatal": "the disk is full"}]
)
def test_a_run_without_a_row_is_told_with_what_is_safe(change):
    result = replace(DONE, **change)
    assert not result.ok
    *first, last = result.summary.splitlines()
    assert len(first) == 1
    assert all(
        str(word) in first[0] for word in (change.get("failed") or change).values() if word is not True
    )
    assert re.search(r"\b2 finished runs\b", last)
    assert str(Path("there/runs.parquet")) in last


def test_all_is_well_with_and_without_something_to_train():
    assert DONE.ok
    assert re.match(r"2 runs trained, 0\b", DONE.summary)
    assert re.search(r"\b5 runs\b", replace(DONE, trained=0, skipped=5).summary)
    kept = replace(DONE, diverged=["32x1 P=4"], damaged=["x: set aside"])
    assert kept.ok
    assert [line.partition(":")[0] for line in kept.summary.splitlines()[:2]] == ["damaged", "diverged"]


def label(run):
    return RunStatus(run.run_id, run, "pending").label


def came(store, runs, before=(), fatal="", interrupted=False):
    return result_of(store, runs, set(before), set(), Outcome(fatal, interrupted))


def test_runs_are_counted_by_how_they_ended(store):
    runs = store.add(RUNS)
    first, second, third = runs
    store.finish(first, fake_trainer.row(runs[first]))
    store.note(first, state="done")
    store.finish(second, fake_trainer.row(runs[second], "diverged"))
    store.note(second, state="diverged")
    store.note(third, state="failed", error="ValueError: no")
    result = came(store, runs, before=[first])
    assert (result.trained, result.skipped, len(result.table)) == (1, 1, 2)
    assert result.diverged == [label(runs[second])]
    assert result.failed == {label(runs[third]): "ValueError: no"}


@pytest.mark.parametrize(
    ("fatal", "interrupted", "said"), [("", False, True), ("full", False, False), ("", True, False)]
)
def test_a_run_whose_worker_ended_early_failed_unless_all_were_stopped(store, fatal, interrupted, said):
    runs = store.add(RUNS[:1])
    result = came(store, runs, fatal=fatal, interrupted=interrupted)
    assert (list(result.failed) == [label(RUNS[0])]) == said
    assert not result.ok


def test_what_goes_on_by_itself_has_not_failed(store):
    store.note(*store.add(RUNS[:1]), state="failed", error="in an earlier call")
    result = result_of(store, store.add(RUNS[:1]), set(), set(), Outcome(left_to="array 7"))
    assert result.ok
    assert "array 7" in result.summary


def test_a_file_that_another_process_set_aside_is_told_once(store):
    aside = store.folder / "checkpoints" / "a" / "step-000000001-0000000000000000.ckpt.damaged"
    aside.parent.mkdir(parents=True)
    aside.touch()
    runs = store.add(RUNS[:1])
    (told,) = result_of(store, runs, set(), set(), Outcome()).damaged
    assert str(aside) in told
    assert result_of(store, runs, set(), {aside}, Outcome()).damaged == []
