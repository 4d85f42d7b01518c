"""The driver, with a fake trainer: what is skipped, kept, restarted, refused, and said."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from scaling import read_runs
from sweeps.config.execution import Execution
from sweeps.corpora import build as corpora
from sweeps.driver.run_sweep import find_launcher
from sweeps.grids.grids import Axes
from sweeps.store.status import sweep_folder, sweep_status
from sweeps.store.store import Store
from tests.sweeps.fake_trainer import starts

HERE = Path(__file__).parents[1]


def test_a_sweep_trains_each_run_once_and_a_second_one_nothing(sweep, tmp_path):
    result, said = sweep()
    assert result.ok
    assert result.trained == 4
    assert said.count("done") == 4
    assert sorted(starts(tmp_path / "out").values()) == [1, 1, 1, 1]
    again, _ = sweep()
    assert again.ok
    assert again.trained == 0
    assert re.search(r"\b4 runs\b", again.summary)
    assert sorted(starts(tmp_path / "out").values()) == [1, 1, 1, 1]
    more, _ = sweep(axes=Axes(streams=(1, 2, 4)))
    assert (more.trained, more.skipped, len(more.table)) == (2, 4, 6)
    assert list(sweep_status(tmp_path / "out").state) == ["done"] * 6


def test_the_largest_run_starts_first(sweep, tmp_path):
    sweep(workers=1)
    started = {p.parent.name: p.stat().st_ctime_ns for p in (tmp_path / "out").glob("checkpoints/*/started")}
    configs = Store(tmp_path / "out").configs()
    costs = [configs[run_id].C for run_id in sorted(started, key=started.__getitem__)]
    assert costs == sorted(costs, reverse=True)


def test_a_run_that_fails_is_named_and_the_others_go_on(sweep):
    result, said = sweep({"64x1/2": "raise"})
    assert not result.ok
    assert list(result.failed.values()) == ["RuntimeError: the model caught fire"]
    assert re.search(r"\b3 finished runs\b", result.summary)
    assert "failed" in said
    again, _ = sweep()  # a new call tries it again
    assert again.ok
    assert again.trained == 1


def test_a_worker_that_dies_is_replaced_and_its_run_resumed(sweep, tmp_path):
    result, _ = sweep({"64x1/2": "die once"})
    assert result.ok
    assert sorted(starts(tmp_path / "out").values()) == [1, 1, 1, 2]


def test_a_run_that_always_kills_its_worker_is_given_up(sweep):
    result, _ = sweep({"64x1/2": "die"})
    assert re.search(r"\b3 times\b", *result.failed.values())
    assert len(result.table) == 3


def test_a_diverged_run_is_kept_and_tried_again_only_if_asked(sweep):
    result, _ = sweep({"32x1/2": "diverge"})
    assert result.ok
    assert result.diverged == ["32x1 P=2 stdlib seed 0"]
    assert sorted(result.table.status) == ["diverged", "ok", "ok", "ok"]
    assert sweep()[0].trained == 0
    retried, _ = sweep(retry_diverged=True)
    assert retried.trained == 1
    assert set(retried.table.status) == {"ok"}


def test_a_run_goes_on_with_the_threads_it_began_with_unless_told_otherwise(sweep, tmp_path, monkeypatch):
    monkeypatch.setattr("sweeps.config.execution.cores", lambda: 2)
    sweep({"64x1/2": "stop", "64x1/1": "raise"})  # two at a time, one thread each, and one leaves a snapshot
    sweep({"64x1/2": "stop", "64x1/1": "raise"}, workers=1)
    sweep({"64x1/2": "stop", "64x1/1": "raise"}, execution=Execution(threads=3))
    assert sweep(workers=1)[0].ok
    configs = Store(tmp_path / "out").configs()
    told = {
        configs[path.parent.name].model.P: path.read_text().split()
        for path in tmp_path.glob("out/checkpoints/*/threads")
        if configs[path.parent.name].size == "64x1"
    }
    assert told == {2: ["1", "1", "3", "3"], 1: ["1", "2", "3", "2"]}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_place_that_cannot_be_written_stops_the_sweep_and_keeps_what_is_finished(sweep, tmp_path, number):
    result, _ = sweep({"32x1/2": f"no file {number}"}, workers=1)
    assert not result.ok
    assert result.fatal.endswith(os.strerror(number))
    assert f"stopped: {tmp_path}" in result.summary
    assert re.search(r"\b2 finished runs\b", result.summary)
    assert list(result.table.status) == ["ok", "ok"]
    kept = result.table
    again, _ = sweep()
    assert (again.ok, again.trained, again.skipped) == (True, 2, 2)
    after = again.table.set_index("run_id").loc[kept.run_id].reset_index()
    pd.testing.assert_frame_equal(after, kept, check_like=True)
    assert set(starts(tmp_path / "out").values()) == {1, 2}  # the one that could not be written, twice


def test_a_full_disk_stops_a_run_in_one_line(sweep):
    result, _ = sweep({"64x1/2": "full"}, workers=1)
    assert not result.ok
    assert result.fatal.endswith("No space left on device")


def test_tables_that_cannot_be_written_leave_the_rows_where_they_are(sweep, tmp_path, monkeypatch):
    def refuse(path, table):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as full:
        full.setattr("sweeps.store.store.write_parquet", refuse)
        result, _ = sweep()
    assert result.fatal == f"{tmp_path / 'out' / 'runs.parquet'}: No space left on device"
    assert len(result.table) == len(list((tmp_path / "out" / "rows").glob("*.json"))) == 4
    again, _ = sweep()
    assert (again.ok, again.trained) == (True, 0)
    pd.testing.assert_frame_equal(again.table, result.table, check_like=True)


@pytest.mark.slow
def test_two_drivers_on_one_folder_start_each_run_once_where_flock_is_missing(tmp_path):
    settings = {**os.environ, "NO_FLOCK": "1", "PYTHONPATH": f"{HERE}:{HERE.parents[1]}"}
    command = [sys.executable, str(HERE / "fake_trainer.py"), str(tmp_path / "out")]
    drivers = [subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [driver.communicate(timeout=120)[0] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], said
    assert sorted(starts(tmp_path / "out").values()) == [1, 1, 1, 1]
    assert len(read_runs(tmp_path / "out")) == 4
    assert not list((tmp_path / "out" / "rows").glob("*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_keeps_what_is_finished(tmp_path, number):
    slow = {"32x1/1": "slow", "32x1/2": "slow"}
    settings = {**os.environ, "FAKE": json.dumps(slow), "PYTHONPATH": f"{HERE}:{HERE.parents[1]}"}
    process = subprocess.Popen(
        [sys.executable, str(HERE / "fake_trainer.py"), str(tmp_path / "out")],
        env=settings,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while len(starts(tmp_path / "out")) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "interrupted" in said
    assert re.search(r"\b2 finished runs\b", said)
    assert sorted(sweep_status(tmp_path / "out").state) == ["done", "done", "interrupted", "interrupted"]


def test_workers_stop_when_their_driver_is_killed(tmp_path):
    test_code = (
        "import sys; from pathlib import Path; from sweeps import corpora, grids; from sweeps.driver import run_sweep\n"
        "corpora.bind = lambda configs, **more: list(configs)\n"
        "configs = grids.find('ci')(grids.Axes(streams=(1,), sizes=('32x1',)))\n"
        "run_sweep.run_sweep(configs, Path(sys.argv[1]), trainer='fake_trainer:train')"
    )
    settings = {**os.environ, "FAKE": '{"32x1/1": "slow"}', "PYTHONPATH": f"{HERE}:{HERE.parents[1]}"}
    process = subprocess.Popen([sys.executable, "-c", test_code, str(tmp_path / "out")], env=settings)
    deadline = time.monotonic() + 30
    while not starts(tmp_path / "out") and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    while list(sweep_status(tmp_path / "out").state) == ["running"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(sweep_status(tmp_path / "out").state) == ["interrupted"]


def test_wrong_calls_are_refused_before_anything_is_written(sweep, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"--workers.*none"):
        sweep(workers="none")

    def too_few_tokens(configs, **more):
        raise ValueError("corpus tiny holds 5 training tokens")

    with monkeypatch.context() as small:
        small.setattr(corpora, "bind", too_few_tokens)
        with pytest.raises(ValueError, match=r"\b5\b.*tokens"):
            sweep()
    with pytest.raises(ValueError, match="'cloud'"):
        find_launcher("cloud")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="out"):
        sweep_folder(str(tmp_path / "out"))
