"""A worker: takes the runs that nobody holds, trains them, publishes them, and says why it cannot."""

import errno
import json
import os
from dataclasses import replace

import pytest

from sweeps.config.execution import Execution
from sweeps.driver import worker
from sweeps.driver.worker import CRASHES, EXIT_FATAL, Fatal, Job, run_worker, work
from sweeps.grids.grids import Axes, find
from sweeps.store.locks import Locks
from sweeps.store.store import Store
from tests.sweeps import fake_trainer

RUNS = find("ci")(Axes(sizes=("32x1",), streams=(1, 2)))
STAGES = find("ci")(Axes(sizes=("32x1",), streams=(2,), recipe="two-stage", stage2_share=0.1))


@pytest.fixture
def trained(monkeypatch):
    """Replace training by a function of (run, folder, **more). Returns the runs that were started."""
    begun = []

    def use(train):
        def training(run, folder, **more):
            begun.append(run)
            return train(run, folder, **more)

        monkeypatch.setattr(worker, "_resolve", lambda name: training)
        monkeypatch.setattr(worker, "IDLE_S", 0.0)
        return begun

    return use


def good(run, folder, *, progress, **more):
    progress({"step": 1, "loss": 3.5})
    return fake_trainer.row(run)


def job(store, runs, session="s", **more):
    return Job(str(store.folder), list(runs), session, **more)


def test_a_job_survives_its_line_of_json():
    one = Job("there", ["a", "b"], "s", Execution(threads=3, loggers="csv"), "m:f", "/here", 2)
    text = one.to_json()
    assert "\n" not in text
    assert Job.from_json(text) == one


def test_runs_are_trained_in_order_once_and_published(store, trained):
    begun, runs = trained(good), store.add(RUNS)
    work(job(store, runs), lambda: False)
    assert begun == list(runs.values())
    assert Store(store.folder).finished() == set(runs)
    assert [store.noted(run_id)["state"] for run_id in runs] == ["done", "done"]
    assert store.noted(next(iter(runs)))["step"] == RUNS[0].steps
    work(job(store, runs), lambda: False)
    assert len(begun) == 2


def test_a_run_that_others_hold_is_left_to_them(store, trained):
    begun, runs = trained(good), store.add(RUNS)
    first, second = runs
    held, looks = Locks(store.folder / "locks").take(first), iter(range(9))
    work(job(store, runs), lambda: next(looks) > 5)
    assert [run.run_id for run in begun] == [second]
    held.release()


def test_a_failed_run_is_noted_with_its_error_and_tried_again_in_another_session(store, trained):
    def bad(run, folder, **more):
        raise RuntimeError("it broke\nin many places")

    begun, runs = trained(bad), store.add(RUNS[:1])
    (run_id,) = runs
    for session, tries in (("s", 1), ("s", 1), ("t", 2)):
        work(job(store, runs, session), lambda: False)
        assert len(begun) == tries
    noted = store.noted(run_id)
    assert (noted["state"], noted["error"]) == ("failed", "RuntimeError: it broke")
    assert noted["failed_in"] == ["s", "t"]


def test_a_run_whose_worker_died_too_often_is_given_up(store, trained):
    begun, runs = trained(good), store.add(RUNS[:1])
    (run_id,) = runs
    facts = {"session": "s", "state": "running", "step": 4, "died_at": 4}
    store.note(run_id, **facts, crashes=CRASHES - 1)
    work(job(store, runs), lambda: False)
    assert begun == []
    assert store.noted(run_id)["state"] == "failed"
    store.note(run_id, **{**facts, "step": 5}, crashes=CRASHES - 1)  # it had come further
    work(job(store, runs), lambda: False)
    assert len(begun) == 1


@pytest.mark.parametrize(("state", "word"), [("diverged", "diverged"), ("ok", "weights")])
def test_a_second_stage_fails_with_a_first_that_left_no_weights(store, trained, state, word):
    begun, runs = trained(good), store.add(STAGES)
    first, second = runs
    store.finish(first, fake_trainer.row(runs[first], state))
    work(job(store, runs), lambda: False)
    assert begun == []
    assert word in store.noted(second)["error"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_place_that_cannot_be_written_ends_the_worker_with_the_reason(store, trained, number):
    def full(run, folder, **more):
        raise OSError(number, os.strerror(number), str(folder))

    trained(full)
    told, text = [], job(store, store.add(RUNS)).to_json()
    assert run_worker(text, lambda: False, told.append) == EXIT_FATAL
    assert told[0]["fatal"].endswith(os.strerror(number))


def test_a_worker_of_other_code_trains_nothing(store, trained):
    begun, runs = trained(good), store.add(RUNS)
    (store.folder / "code.json").write_text(json.dumps({"training_version": 99, "torch": "1.0"}))
    with pytest.raises(Fatal, match="99"):
        work(job(store, runs), lambda: False)
    assert begun == []


@pytest.mark.parametrize(
    ("told", "noted", "own", "used"),
    [(3, None, 2, 3), (None, None, 2, 2), (None, 4, 2, 4), (None, None, 0, None)],
)
def test_threads_are_those_told_else_those_begun_with_else_a_share(
    store, trained, monkeypatch, told, noted, own, used
):
    runs = store.add(RUNS[:1])
    (run_id,) = runs
    if noted:
        store.note(run_id, threads=noted)
        store.checkpoint(run_id).mkdir(parents=True, exist_ok=True)
        (store.checkpoint(run_id) / f"step-{3:09d}-{0:016x}.ckpt").touch()
    seen = []
    trained(lambda run, folder, **more: (seen.append(more["execution"].threads), fake_trainer.row(run))[1])
    monkeypatch.setattr(
        "sweeps.driver.worker.free_threads", lambda threads, work: threads
    )  # as on a quiet machine
    work(job(store, runs, execution=Execution(threads=told), threads=own), lambda: False)
    assert seen == [used]


def test_the_work_of_a_pick_does_not_grow_with_what_is_left(store, trained, monkeypatch):
    looks = []
    begun, runs = trained(good), store.add(replace(RUNS[0], seed=seed) for seed in range(40))
    monkeypatch.setattr(
        Store, "noted", lambda self, run_id, real=Store.noted: (looks.append(run_id), real(self, run_id))[1]
    )
    work(job(store, runs), lambda: len(begun) > 3)
    assert len(begun) == 4
    assert len(looks) < 30


def test_a_worker_that_may_leave_does_so_once_the_rest_is_in_living_hands(store, trained):
    begun, parents = trained(good), [run for run in STAGES if not run.parent]
    runs = store.add([*RUNS, *STAGES])
    first, second, parent = (next(id for id, run in runs.items() if run == one) for one in [*RUNS, *parents])
    locks, looks = Locks(store.folder / "locks"), iter(range(9))
    held = [locks.take(first), locks.take(parent)]
    work(job(store, runs, leave=True), stop=lambda: False)
    assert begun == [runs[second]]  # stage 2 waits for a stage 1 that somebody has
    for lock in held:
        lock.release()
    elsewhere = store.folder / "locks" / first / "9.lock"
    elsewhere.write_text(json.dumps({"host": "far", "pid": 1, "started": "", "key": "k", "count": 1}))
    work(job(store, [first], leave=True), stop=lambda: next(looks) > 5)  # nobody knows yet: it stays
    assert next(looks) > 6
