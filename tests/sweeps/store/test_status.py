"""The state of each run, read from its files."""

import shutil

import pytest

from sweeps.store import status as module
from sweeps.store.locks import Locks
from sweeps.store.status import Observer, RunStatus, sweep_folder, sweep_status
from sweeps.store.store import Store
from tests.sweeps import fake_trainer, small_run
from tests.sweeps.stored_runs import config, row


@pytest.fixture
def begun(tmp_path):
    """A sweep of three runs, and their ids."""
    found = Store(tmp_path / "sweep")
    found.create("s", "a rule")
    return found, list(found.add([small_run.config("x", P) for P in (1, 2, 4)]))


def states(sweep, session=""):
    return [run.state for run in Observer(sweep.folder, session).look(sweep.configs())]


def test_runs_without_a_note_are_pending(begun):
    sweep, _ = begun
    assert states(sweep) == ["pending"] * 3


@pytest.mark.parametrize("noted", ["running", "done", "diverged"])
def test_a_run_without_a_row_runs_while_its_lock_is_held_else_it_was_interrupted(begun, noted):
    sweep, (first, *_) = begun
    sweep.note(first, state=noted, step=6)
    assert states(sweep)[0] == "interrupted"
    held = Locks(sweep.folder / "locks").take(first)
    assert states(sweep)[0] == "running"
    held.release()
    assert states(sweep)[0] == "interrupted"


def test_what_failed_in_an_earlier_session_is_yet_to_be_tried_in_this_one(begun):
    sweep, (first, *_) = begun
    sweep.note(first, state="failed", failed_in=["a"], error="it broke")
    assert (states(sweep)[0], states(sweep, "a")[0], states(sweep, "b")[0]) == ("failed", "failed", "pending")


def test_the_table_has_a_row_a_run_in_the_order_of_size_and_streams(begun):
    sweep, (first, second, third) = begun
    sweep.finish(second, fake_trainer.row(sweep.configs()[second]))
    held = Locks(sweep.folder / "locks").take(third)
    sweep.note(third, state="running", step=6, loss=3.5, tokens_per_s=120.0, eta_s=4.0)
    sweep.note(first, state="interrupted", step=2, tokens_per_s=99.0)
    table = sweep_status(sweep.folder).set_index("P")
    held.release()
    assert table.index.tolist() == [1, 2, 4]
    assert table["state"].tolist() == ["interrupted", "done", "running"]
    assert table["step"].tolist() == [2, 24, 6]
    assert table.loc[4, ["loss", "tokens_per_s", "eta_s"]].tolist() == [3.5, 120.0, 4.0]
    assert table["tokens_per_s"].isna().tolist() == [True, True, False]  # a speed that is over is none
    assert table.loc[2, "loss"] == pytest.approx(3.0 + 1 / sweep.configs()[second].model.N)


def test_an_empty_sweep_is_an_empty_table(tmp_path):
    Store(tmp_path / "sweep").create("s", "a rule")
    assert len(sweep_status(tmp_path / "sweep")) == 0


def test_a_sweep_is_found_by_its_folder_or_its_grids_name(begun, tmp_path, monkeypatch):
    sweep, _ = begun
    assert sweep_folder(str(sweep.folder)) == sweep.folder
    monkeypatch.setattr(module, "SWEEPS", tmp_path)
    assert sweep_folder("sweep") == sweep.folder
    with pytest.raises(ValueError, match="nowhere"):
        sweep_folder("nowhere")


@pytest.mark.parametrize(
    ("state", "share"), [("done", 1), ("diverged", 1), ("running", 0.25), ("pending", 0.25)]
)
def test_compute_spent_is_the_share_of_steps_until_a_run_is_over(state, share):
    run = small_run.config("x", 2)
    assert RunStatus(run.run_id, run, state, step=6).share == pytest.approx(share)


def test_a_run_is_called_by_what_it_is_and_its_recipe_where_it_has_one():
    run = small_run.config("x", 2)
    assert RunStatus(run.run_id, run, "done").label == "32x2 P=2 x seed 3"
    tuned = small_run.config("x", 2, recipe="peft", parent="base")
    assert RunStatus(tuned.run_id, tuned, "done").label == "32x2 P=2 x seed 3 peft"


def test_how_a_run_ended_is_read_from_its_row_where_its_weights_are_gone(store):
    runs = [config(seed=seed) for seed in (0, 1)]
    store.add(runs)
    for run, status in zip(runs, ("ok", "diverged"), strict=True):
        store.finish(run.run_id, row(run, 3.0) | {"status": status})
        store.note(run.run_id, state="running")  # killed between its row and the last note
    for _ in range(2):
        states = {run.run_id: run.state for run in Observer(store.folder).look(store.configs())}
        assert states == {runs[0].run_id: "done", runs[1].run_id: "diverged"}
        store.gather()
        shutil.rmtree(store.folder / "checkpoints", ignore_errors=True)
