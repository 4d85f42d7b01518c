"""Snapshots: chosen, set aside, refused, written as often as asked, and where they lie."""

import errno
import random
import re
import resource
import tempfile
import time
from dataclasses import replace

import pytest
import torch

from sweeps.training import snapshots
from sweeps.training.train import train
from tests.sweeps.ends_of_runs import assert_same_end, interrupted_at
from tests.sweeps.small_run import ONE, config


def test_a_run_goes_on_from_the_snapshot_it_is_told_and_half_written_ones_are_removed(rhymes, tmp_path):
    run, told = config(rhymes), []
    interrupted_at(run, tmp_path, 5)
    half = tmp_path / ".snapshot-12.tmp"
    half.write_bytes(b"half")
    assert snapshots.choose(run, tmp_path, told.append) == next(tmp_path.glob("step-*.ckpt"))
    assert re.match(rf"run {run.run_id}: .*step 5$", *told)
    assert not half.exists()
    begun = []
    train(run, tmp_path, execution=ONE, progress=begun.append, snapshot=None)
    assert begun[0]["step"] == 1


def test_a_damaged_snapshot_is_set_aside_and_the_one_before_used(rhymes, whole, tmp_path):
    run = config(rhymes)
    interrupted_at(run, tmp_path / "run", 5)
    interrupted_at(run, tmp_path / "run", 9)
    _, new = sorted((tmp_path / "run").glob("step-*.ckpt"))
    damaged = bytearray(new.read_bytes())
    damaged[len(damaged) // 3] ^= 1
    new.write_bytes(bytes(damaged))
    told, seen = [], []
    row = train(run, tmp_path / "run", execution=ONE, report=told.append, progress=seen.append)
    assert "checksum" in told[0]
    assert seen[0]["step"] == 6
    assert_same_end(whole[0], tmp_path / "run", whole[1], row)


def test_a_snapshot_is_written_where_it_lies_and_a_disk_that_does_not_take_it_is_named(
    rhymes, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
    run, kept = config(rhymes), resource.getrlimit(resource.RLIMIT_FSIZE)
    interrupted_at(run, tmp_path / "run", 5)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, kept[1]))  # of a file: less than its weights take
    try:
        with pytest.raises(OSError, match=str(tmp_path / "run")) as caught:
            train(run, tmp_path / "run", execution=replace(ONE, checkpoint_minutes=1e-9))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / "run"))
    assert [snapshots.step_of(path) for path in (tmp_path / "run").glob("*.ckpt")] == [5]


def test_a_snapshot_of_another_configuration_or_torch_is_refused(rhymes, tmp_path, monkeypatch):
    run = config(rhymes)
    interrupted_at(run, tmp_path / "run", 5)
    with pytest.raises(snapshots.SnapshotError, match=r"step-\d+.*\.ckpt"):
        train(replace(run, lr=1e-3), tmp_path / "run", execution=ONE)
    monkeypatch.setattr(torch, "__version__", "1.0.0")
    with pytest.raises(snapshots.SnapshotError, match=r"torch.*1.0.0"):
        train(run, tmp_path / "run", execution=ONE)


def test_a_run_may_be_carried_out_otherwise_once_it_is_gone_on_with(rhymes, whole, tmp_path):
    """Micro-batches add up in another order, so the losses are equal to rounding, not to the bit."""
    first, alone = config(rhymes), whole[1]
    later = replace(first, accumulate=2, eval_batch=3, log_points=6)
    interrupted_at(first, tmp_path / "run", 9)
    seen = []
    row = train(later, tmp_path / "run", execution=ONE, progress=seen.append)
    assert [now["step"] for now in seen] == list(range(10, 25))
    assert row["loss"] == pytest.approx(alone["loss"], rel=1e-5)
    assert row["train_loss"] == pytest.approx(alone["train_loss"], rel=1e-5)
    assert row["loss_se"] != alone["loss_se"]  # over other batches of the same windows


def test_a_clock_that_jumps_changes_nothing(rhymes, whole, tmp_path, monkeypatch):
    right, days, published = time.time, random.Random(5), []
    monkeypatch.setattr(time, "time", lambda: right() + days.choice([-86_400, 0, 86_400]))
    publish = snapshots.publish
    monkeypatch.setattr(snapshots, "publish", lambda *args: published.append(publish(*args)))
    hourly = replace(ONE, checkpoint_minutes=60)
    row = train(config(rhymes), tmp_path / "jumping", execution=hourly)
    assert not published
    assert 0 < row["wall_s"] < 3600
    train(config(rhymes), tmp_path / "often", execution=replace(ONE, checkpoint_minutes=1e-9))
    assert len(published) == config(rhymes).steps - 1
    assert_same_end(whole[0], tmp_path / "jumping", whole[1], row)
