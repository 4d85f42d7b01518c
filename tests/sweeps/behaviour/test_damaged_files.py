"""Files of a sweep with a flipped bit: noticed, set aside, rebuilt from what is left."""

import json
import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest

import scaling
from scaling.data.atomic_files import intact
from sweeps.grids.grids import Axes
from sweeps.store.store import Store
from tests.sweeps.fake_trainer import starts
from tests.sweeps.flipped_bits import flip
from tests.sweeps.stored_runs import config


def test_files_without_checksums_are_read(tmp_path, gathered):
    table = gathered.table()
    table.to_parquet(gathered.folder / "runs.parquet")
    assert intact(gathered.folder / "runs.parquet") is None
    run = config(seed=9)
    row = {"run_id": run.run_id, "corpus": "stdlib", "N": 5, "P": 1, "seed": 9, "loss": 2.0, "status": "ok"}
    (gathered.folder / "rows" / f"{run.run_id}.json").write_text(json.dumps(row))
    gathered.gather(curves=True)
    assert gathered.said == []
    assert gathered.outcome(run.run_id)["loss"] == 2.0
    assert len(gathered.table()) == 4


def test_any_reader_of_parquet_reads_a_table_with_a_seal(gathered):
    path = gathered.folder / "runs.parquet"
    assert intact(path)
    found = pq.ParquetFile(path)
    assert found.metadata.num_rows == 3
    assert found.read().num_rows == 3
    assert len(pd.read_parquet(path)) == 3


def test_a_damaged_table_is_refused_by_name_and_stays(gathered):
    path = gathered.folder / "runs.parquet"
    flip(path, path.stat().st_size - 60)
    with pytest.raises(ValueError, match=r"runs\.parquet"):
        scaling.read_runs(gathered.folder)
    with pytest.raises(ValueError, match=r"runs\.parquet"):
        Store(gathered.folder).finished()
    assert path.exists()


def test_unreadable_losses_by_domain_are_set_aside(gathered):
    one, *_ = sorted(gathered.finished())
    (gathered.checkpoint(one) / "domains.json").write_text('[{"half')
    gathered.gather(curves=True)
    assert "domains" in gathered.said[0]
    assert len(pd.read_parquet(gathered.folder / "domains.parquet")) == 3  # gathered before


def test_the_driver_says_what_was_set_aside_and_trains_what_is_lost(sweep, tmp_path):
    sweep()
    table = tmp_path / "out" / "runs.parquet"
    flip(table, 40)
    result, _ = sweep()
    assert (result.ok, result.trained) == (True, 0)
    assert f"{table}.damaged" in result.summary
    assert "4 runs" in result.summary
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
    assert f"{tmp_path / 'out' / 'runs.parquet.damaged'}" in result.summary
    assert set(starts(tmp_path / "out").values()) == {1}


def test_a_snapshot_that_a_worker_set_aside_is_named_by_the_driver(sweep):
    result, _ = sweep({"64x1/2": "set aside"})
    assert result.ok
    assert result.summary.count("ckpt.damaged: ") == 1
