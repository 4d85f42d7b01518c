"""Files of a sweep in which a bit has flipped: noticed, set aside, made anew from what is left."""

import json
import random
import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest

import scaling
from scaling.data.atomic_files import intact
from sweeps.grids.grids import Axes
from sweeps.store import checksums
from sweeps.store.checksums import Damaged
from sweeps.store.store import Store
from tests.sweeps.fake_trainer import starts
from tests.sweeps.store.test_store import config, finish


@pytest.fixture
def store(tmp_path):
    """Three finished runs, gathered, with their losses by domain."""
    store = Store(tmp_path / "sweep")
    store.create("s", "a rule")
    runs = [config(seed=seed) for seed in range(3)]
    store.add(runs)
    for run in runs:
        finish(store, run)
        parts = [{"run_id": run.run_id, "domain": "a", "tokens": 3, "loss": 2.0, "bits_per_byte": 1.0}]
        (store.checkpoint(run.run_id) / "domains.json").write_text(json.dumps(parts))
    store.gather(curves=True)
    return store


def flip(path, place, bit=0):
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(bytes(data))


def flips(path, count, last):
    """Random bits of a file, and each of its last bytes' bits; the file is whole again after each."""
    whole, generator = path.read_bytes(), random.Random(5)
    size = 8 * len(whole)
    for bit in [*generator.sample(range(size), min(count, size)), *range(size - 8 * last, size)]:
        flip(path, bit // 8, bit % 8)
        yield bit
        path.write_bytes(whole)


def test_no_flipped_bit_changes_a_table(tmp_path):
    path = tmp_path / "runs.parquet"
    table = pd.DataFrame({"run_id": ["a", "b", "c"], "N": [1, 2, 3], "loss": [3.0, 2.5, None]})
    checksums.write_parquet(path, table)
    pd.testing.assert_frame_equal(checksums.read_parquet(path), table)
    seal_at = path.read_bytes().index(b"sha256 ")
    for bit in flips(path, 400, last=12):
        if seal_at <= bit // 8 < seal_at + 7:  # no seal, then: the table is what it was
            pd.testing.assert_frame_equal(checksums.read_parquet(path), table)
        else:
            with pytest.raises(Damaged, match=r"runs\.parquet is damaged"):
                checksums.read_parquet(path)


def test_no_flipped_bit_changes_a_row(tmp_path):
    path = tmp_path / "r.json"
    row = {"run_id": "r", "loss": 3.25, "status": "ok", "lr": 1e-3, "similarity": float("nan")}
    checksums.write_row(path, row)
    for _ in flips(path, 400, last=1):
        with pytest.raises(Damaged, match=r"r\.json is damaged"):
            checksums.read_row(path)
    assert json.dumps(checksums.read_row(path)) == json.dumps(row)


def test_files_without_checksums_are_read(tmp_path, store):
    table = store.table()
    table.to_parquet(store.folder / "runs.parquet")
    assert intact(store.folder / "runs.parquet") is None
    run = config(seed=9)
    row = {"run_id": run.run_id, "corpus": "stdlib", "N": 5, "P": 1, "seed": 9, "loss": 2.0, "status": "ok"}
    (store.folder / "rows" / f"{run.run_id}.json").write_text(json.dumps(row))
    store.gather(curves=True)
    assert store.said == []
    assert store.outcome(run.run_id)["loss"] == 2.0
    assert len(store.table()) == 4


def test_any_reader_of_parquet_reads_a_table_with_a_seal(store):
    path = store.folder / "runs.parquet"
    assert intact(path)
    found = pq.ParquetFile(path)
    assert found.metadata.num_rows == 3
    assert found.read().num_rows == 3
    assert len(pd.read_parquet(path)) == 3


def test_a_damaged_table_is_refused_by_name_and_stays(store):
    path = store.folder / "runs.parquet"
    flip(path, path.stat().st_size - 60)
    with pytest.raises(ValueError, match=r"runs\.parquet is damaged: it fails its checksum; restore it"):
        scaling.read_runs(store.folder)
    with pytest.raises(ValueError, match=r"runs\.parquet is damaged .*`parscale sweep` sets it aside"):
        Store(store.folder).finished()
    assert path.exists()


@pytest.mark.parametrize("name", ["runs", "curves", "domains"])
def test_a_gathered_table_is_made_anew_from_what_lies_beside_the_weights(store, name):
    path = store.folder / f"{name}.parquet"
    before = pd.read_parquet(path)
    flip(path, 40)
    again = Store(store.folder)
    again.gather(curves=True)
    assert len(again.said) == 1
    assert again.said[0].startswith(f"{path}.damaged: fails its checksum")
    assert again.damaged() == {path.with_name(f"{path.name}.damaged")}
    pd.testing.assert_frame_equal(
        pd.read_parquet(path).sort_values("run_id", ignore_index=True),
        before.sort_values("run_id", ignore_index=True),
    )


def test_what_a_damaged_table_held_and_nobody_else_has_is_said(store):
    lost, *_ = sorted(store.finished())
    shutil.rmtree(store.checkpoint(lost))
    flip(store.folder / "runs.parquet", 40)
    flip(store.folder / "curves.parquet", 40)
    again = Store(store.folder)
    again.gather(curves=True)
    assert lost not in again.finished()
    assert len(again.finished()) == 2
    assert again.said[0].endswith("made anew with the rows of 2 runs, any others are trained again")
    assert again.said[1].endswith("made anew with the curves of 2 runs, any others are lost")
    assert lost not in set(pd.read_parquet(store.folder / "curves.parquet")["run_id"])


def test_a_damaged_row_or_curve_is_made_anew_or_its_run_is_to_be_trained_again(store):
    runs = [config(seed=seed) for seed in (3, 4)]
    for run in runs:
        finish(store, run)
    had, lost = (run.run_id for run in runs)
    (store.checkpoint(lost) / "row.json").unlink()
    (store.checkpoint(lost) / "curve.parquet").unlink()
    for run_id in (had, lost):
        flip(store.folder / "rows" / f"{run_id}.json", 90)
        flip(store.folder / "curves" / f"{run_id}.parquet", 90)
    store.gather(curves=True)
    told = {line.partition(": ")[0].rpartition("sweep/")[2]: line.rpartition("; ")[2] for line in store.said}
    assert told == {
        f"rows/{had}.json.damaged": "made anew",
        f"rows/{lost}.json.damaged": "trained again",
        f"curves/{had}.parquet.damaged": "made anew",
        f"curves/{lost}.parquet.damaged": "lost",
    }
    assert store.finished() == {config(seed=seed).run_id for seed in range(4)}
    assert len(pd.read_parquet(store.folder / "curves.parquet")) == 8


def test_a_run_that_was_forgotten_does_not_come_back(store):
    gone, *_ = sorted(store.finished())
    store.forget([gone])
    flip(store.folder / "runs.parquet", 40)
    store.gather()
    assert gone not in store.finished()
    assert len(store.finished()) == 2


def test_unreadable_losses_by_domain_are_set_aside(store):
    one, *_ = sorted(store.finished())
    (store.checkpoint(one) / "domains.json").write_text('[{"half')
    store.gather(curves=True)
    assert store.said[0].endswith("the run's losses by domain are lost")
    assert len(pd.read_parquet(store.folder / "domains.parquet")) == 3  # gathered before


def test_the_driver_says_what_was_set_aside_and_trains_what_is_lost(sweep, tmp_path):
    sweep()
    table = tmp_path / "out" / "runs.parquet"
    flip(table, 40)
    result, _ = sweep()
    assert (result.ok, result.trained) == (True, 0)
    assert result.summary.startswith(f"damaged: {table}.damaged: fails its checksum")
    assert "made anew with the rows of 4 runs" in result.summary
    assert not sweep()[0].damaged  # said once
    lost, *_ = starts(tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "checkpoints" / lost)
    flip(table, 40)
    result, _ = sweep()
    assert (result.ok, result.trained, len(result.table)) == (True, 1, 4)


def test_a_table_damaged_while_a_sweep_runs_is_made_anew(sweep, tmp_path):
    sweep(axes=Axes(streams=(1,)))
    result, _ = sweep({"64x1/2": "damage"}, workers=1)
    assert (result.ok, result.trained, result.skipped) == (True, 2, 2)
    assert f"damaged: {tmp_path / 'out' / 'runs.parquet.damaged'}: fails its checksum" in result.summary
    assert set(starts(tmp_path / "out").values()) == {1}


def test_a_snapshot_that_a_worker_set_aside_is_named_by_the_driver(sweep):
    result, _ = sweep({"64x1/2": "set aside"})
    assert result.ok
    assert result.summary.count("ckpt.damaged: fails its checksum: set aside") == 1
