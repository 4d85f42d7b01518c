"""A sweep on disk: whole files, stable identities."""

import json
import os
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from sweeps.store.checksums import write_text
from sweeps.store.curve_files import SO_FAR, curves_so_far, write_curve
from sweeps.store.status import sweep_folder, sweep_status
from sweeps.store.store import Store
from tests.sweeps.stored_runs import config, finish, row


def test_rows_are_seen_before_and_after_gathering(store):
    runs = [config(P, seed) for P in (1, 2) for seed in (0, 1)]
    store.add(runs)
    for run in runs[:3]:
        finish(store, run)
    assert store.finished() == {run.run_id for run in runs[:3]}
    before = store.table()
    store.gather(curves=True)
    finish(store, runs[3], loss=2.5)
    assert store.finished() == {run.run_id for run in runs}
    pd.testing.assert_frame_equal(
        store.table()[lambda t: t.run_id != runs[3].run_id], before[:3], check_like=True
    )
    store.gather(curves=True)
    table = pd.read_parquet(store.folder / "runs.parquet")
    assert len(table) == 4
    assert (table.dtypes[["N", "P", "loss"]] == ["int64", "int64", "float64"]).all()
    assert len(pd.read_parquet(store.folder / "curves.parquet")) == 8
    assert not list(store.folder.glob("rows/*")) + list(store.folder.glob("curves/*"))
    assert not list(store.folder.rglob("*.tmp"))


def test_a_gather_cut_short_loses_and_doubles_nothing(store):
    run = config()
    finish(store, run)
    kept = (store.folder / "rows" / f"{run.run_id}.json").read_text()
    store.gather()
    write_text(store.folder / "rows" / f"{run.run_id}.json", kept)  # as if killed before the unlink
    assert len(store.table()) == 1
    store.gather()
    assert len(pd.read_parquet(store.folder / "runs.parquet")) == 1


def test_an_old_configuration_keeps_its_identity_when_a_field_is_added(store):
    run = config(P=2)
    stored = json.loads(run.to_json())
    del stored["spike_share"]  # written before the code had this field
    write_text(store.folder / "configs" / "0123456789abcdef.json", json.dumps(stored))
    assert list(store.add([run, config()])) == ["0123456789abcdef", config().run_id]


def test_a_damaged_configuration_or_table_is_named(store):
    (store.folder / "configs" / "ab.json").write_text('{"half')
    with pytest.raises(ValueError, match=r"configs/ab.json"):
        store.configs()
    (store.folder / "runs.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ValueError, match=r"runs.parquet"):
        store.finished()


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "sweep").write_text("")
    with pytest.raises(OSError, match="--out"):
        Store(tmp_path / "sweep").create("s", "")


def test_forgotten_runs_are_to_be_trained_again(store):
    a, b = config(seed=0), config(seed=1)
    finish(store, a)
    store.gather()
    finish(store, b)
    store.forget([a.run_id, b.run_id])
    assert store.finished() == set()


def published(store, run):
    """The store with one run in its table, its configuration there alone."""
    store.add([run])
    store.finish(run.run_id, {**row(run), "config": run.to_json()})
    store.gather()
    shutil.rmtree(store.folder / "configs")
    return Store(store.folder)


def test_a_configuration_that_only_its_row_has_is_read_from_there(store):
    run = config()
    store = published(store, run)
    assert store.configs() == {run.run_id: run}
    assert list(store.add([run])) == [run.run_id]
    assert not (store.folder / "configs").exists()
    assert sweep_folder(str(store.folder)) == store.folder
    assert list(sweep_status(store.folder)["state"]) == ["done"]


def test_a_forgotten_run_keeps_its_configuration(store):
    run = config()
    store = published(store, run)
    store.create("s", "a rule")
    store.forget([run.run_id])
    assert store.configs() == {run.run_id: run}


def test_another_grids_folder_is_refused_and_keeps_its_name(store):
    with pytest.raises(ValueError, match="--out"):
        store.create("other", "")
    assert json.loads((store.folder / "sweep.json").read_text())["rule"] == "a rule"


def test_domains_of_unfinished_runs_are_not_gathered(store):
    done, half = config(seed=0), config(seed=1)
    finish(store, done)
    good = [{"run_id": done.run_id, "domain": "a", "tokens": 3, "loss": 2.0, "bits_per_byte": 1.0}]
    (store.checkpoint(done.run_id) / "domains.json").write_text(json.dumps(good))
    store.checkpoint(half.run_id).mkdir(parents=True)
    (store.checkpoint(half.run_id) / "domains.json").write_text('[{"half')
    store.gather(curves=True)
    assert pd.read_parquet(store.folder / "domains.parquet")["run_id"].tolist() == [done.run_id]


def test_a_run_carried_out_in_another_way_has_one_id_in_every_table(store):
    """Micro-batches, say: the training knows the run by another id than the folder."""
    planned = config()
    store.add([planned])
    (kept,) = store.add([replace(planned, accumulate=2)])
    inner, folder = store.config(kept), store.checkpoint(kept)
    assert kept == planned.run_id != inner.run_id
    folder.mkdir(parents=True)
    write_curve(inner.run_id, [{"step": 1, "tokens": 2, "train_loss": 3.0}], folder / SO_FAR)
    assert set(curves_so_far(store.folder)["run_id"]) == {kept}
    write_curve(inner.run_id, [{"step": 5, "tokens": 10, "train_loss": 2.0}], folder / "curve.parquet")
    (folder / "domains.json").write_text(json.dumps([{"run_id": inner.run_id, "domain": "a", "loss": 2.0}]))
    store.finish(kept, row(inner))
    assert set(pd.read_parquet(folder / "curve.parquet")["run_id"]) == {kept}
    store.gather(curves=True)
    for table in ("runs", "curves", "domains"):
        assert pd.read_parquet(store.folder / f"{table}.parquet")["run_id"].tolist() == [kept], table


def test_a_table_written_when_the_clock_was_set_back_is_read(store):
    one, other = config(seed=0), config(seed=1)
    finish(store, one)
    store.gather()
    path = store.folder / "runs.parquet"
    when = path.stat().st_mtime_ns
    assert store.finished() == {one.run_id}
    finish(Store(store.folder), other)
    Store(store.folder).gather()
    os.utime(path, ns=(when, when))
    assert store.finished() == {one.run_id, other.run_id}
