"""How many workers a sweep has work for, as its runs begin, end and lose their owners."""

from dataclasses import replace

import pytest

from sweeps.driver.clusters.vacancies import IN_VAIN, Vacancies
from sweeps.store.locks import Locks
from sweeps.store.paused import pause


def test_as_many_as_runs_that_nobody_will_take(store, job):
    vacancies, started = Vacancies(job), []

    def fill(going, workers=9):
        started.clear()
        left = vacancies.fill(going, workers, started.append)
        return left, sum(started)

    one, two, parent, child = job.run_ids
    assert store.config(child).parent == parent
    assert fill(going=0) == (True, 3)  # stage 2 waits for its stage 1
    assert fill(going=0, workers=2) == (True, 2)
    assert fill(going=1) == (True, 2)
    assert fill(going=3) == (True, 0)
    locks = Locks(store.folder / "locks")
    lock = locks.take(one)
    store.note(one, state="running", step=3)
    assert fill(going=1) == (True, 2)  # the one that goes has a run of its own
    lock.release()  # its owner has died
    assert fill(going=0) == (True, 3)
    for run_id in (one, two, parent):
        store.note(run_id, state="failed", failed_in=["mine"])
    assert fill(going=0) == (True, 1)  # somebody is to say that stage 2 failed with its stage 1
    store.note(child, state="failed", failed_in=["mine"])
    assert fill(going=0) == (False, 0)
    store.note(two, state="failed", failed_in=["another"])
    assert fill(going=0) == (True, 1)


def test_a_run_that_another_session_took_to_its_step_wants_no_worker(store, job):
    one, *others = job.run_ids
    for run_id in others:
        store.note(run_id, state="failed", failed_in=["mine"])
    store.note(one, state="paused", session="another", step=5)
    pause(store, one, {"status": "stopped", "ended_step": 5})
    started = []
    assert not Vacancies(replace(job, until={one: 5})).fill(0, 9, started.append)
    assert Vacancies(replace(job, until={one: 6})).fill(0, 9, started.append)
    assert started == [1]


def test_workers_that_end_again_and_again_without_progress_are_given_up(store, job):
    vacancies, started = Vacancies(job), []
    for _ in range(IN_VAIN):
        vacancies.fill(0, 2, started.append)
    with pytest.raises(OSError, match=f"{IN_VAIN} times"):
        vacancies.fill(0, 2, started.append)
    store.note(job.run_ids[0], state="interrupted", step=5)
    assert vacancies.fill(0, 2, started.append)
    assert started == [2] * (IN_VAIN + 1)
