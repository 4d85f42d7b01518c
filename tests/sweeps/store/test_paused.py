"""Paused runs: what is kept of them, and their end."""

from sweeps.store.paused import end_paused, pause, paused_row
from sweeps.store.store import Store
from tests.sweeps.fake_trainer import row
from tests.sweeps.planned_run import config


def test_a_paused_run_has_no_row_until_it_is_ended(tmp_path):
    store, run = Store(tmp_path), config()
    store.create("s", "")
    store.add([run])
    assert paused_row(store, run.run_id) == {}
    assert not end_paused(store, run.run_id, "why")
    pause(store, run.run_id, row(run, "stopped") | {"ended_step": 7})
    assert paused_row(store, run.run_id)["ended_step"] == 7
    assert not store.is_finished(run.run_id)
    assert end_paused(store, run.run_id, "it lost")
    assert store.outcome(run.run_id)["ended_why"] == "it lost"
    assert not end_paused(store, run.run_id, "again")
    store.gather()
    assert store.outcome(run.run_id)["ended_step"] == 7


def test_a_damaged_record_is_set_aside_so_that_the_run_goes_on(tmp_path):
    store = Store(tmp_path)
    pause(store, "a", {"ended_step": 7})
    place = store.checkpoint("a") / "paused.json"
    place.write_text(place.read_text().replace("7", "8"))
    assert paused_row(store, "a") == {}
    assert [path.name for path in place.parent.iterdir()] == ["paused.json.damaged"]
