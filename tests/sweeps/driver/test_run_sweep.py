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


def test_a_sweep_trains_each_run_once_the_largest_first_and_a_second_one_nothing(sweep, tmp_path):
    result, said = sweep(workers=1)
    assert result.ok
    assert result.trained == 4
    assert said.count("done") == 4
    started = {p.parent.name: p.stat().st_ctime_ns for p in (tmp_path / "out").glob("checkpoints/*/started")}
    configs = Store(tmp_path / "out").configs()
    costs = [configs[run_id].C for run_id in sorted(started, key=started.__getitem__)]
    assert costs == sorted(costs, reverse=True)
    again, _ = sweep()
    assert again.ok
    assert again.trained == 0
    assert re.search(r"\b4 runs\b", again.summary)
    assert sorted(starts(tmp_path / "out").values()) == [1, 1, 1, 1]
    more, _ = sweep(axes=Axes(streams=(1, 2, 4)))
    assert (more.trained, more.skipped, len(more.table)) == (2, 4, 6)
    assert list(sweep_status(tmp_path / "out").state) == ["done"] * 6


def test_runs_that_fail_diverge_or_kill_their_worker_are_named_and_the_others_go_on(sweep, tmp_path):
    result, said = sweep({"32x1/1": "die once", "32x1/2": "diverge", "64x1/1": "raise", "64x1/2": "die"})
    assert not result.ok
    crashed, died = sorted(result.failed.values())
    assert crashed == "RuntimeError: the model caught fire"
    assert re.search(r"\b3 times\b", died)
    assert result.diverged == ["32x1 P=2 stdlib seed 0"]
    assert re.search(r"\b2 finished runs\b", result.summary)
    assert "failed" in said
    assert sorted(result.table.status) == ["diverged", "ok"]
    assert sorted(starts(tmp_path / "out").values()) == [1, 1, 2, 3]
    again, _ = sweep()  # a new call tries what failed again, and what diverged only if asked
    assert (again.ok, again.trained, len(again.diverged)) == (True, 2, 1)
    retried, _ = sweep(retry_diverged=True)
    assert retried.trained == 1
    assert set(retried.table.status) == {"ok"}


def test_a_run_goes_on_with_the_threads_it_began_with_unless_told_otherwise(sweep, tmp_path, monkeypatch):
    monkeypatch.setattr("sweeps.config.execution.cores", lambda: 2)
    behaviour, axes = {"64x1/2": "stop", "64x1/1": "raise"}, Axes(sizes=("64x1",), streams=(1, 2))
    sweep(behaviour, axes)  # two at a time, one thread each, and one leaves a snapshot
    sweep(behaviour, axes, execution=Execution(threads=3))
    assert sweep(axes=axes, workers=1)[0].ok
    configs = Store(tmp_path / "out").configs()
    told = {
        configs[path.parent.name].model.P: path.read_text().split()
        for path in tmp_path.glob("out/checkpoints/*/threads")
    }
    assert told == {2: ["1", "3", "3"], 1: ["1", "3", "2"]}


def test_a_place_that_cannot_be_written_stops_the_sweep_and_keeps_what_is_finished(sweep, tmp_path):
    result, _ = sweep({"32x1/2": f"no file {errno.EROFS}"}, workers=1)
    assert not result.ok
    assert result.fatal.endswith(os.strerror(errno.EROFS))
    assert f"stopped: {tmp_path}" in result.summary
    assert re.search(r"\b2 finished runs\b", result.summary)
    assert list(result.table.status) == ["ok", "ok"]
    kept = result.table
    again, _ = sweep()
    assert (again.ok, again.trained, again.skipped) == (True, 2, 2)
    after = again.table.set_index("run_id").loc[kept.run_id].reset_index()
    pd.testing.assert_frame_equal(after, kept, check_like=True)
    assert set(starts(tmp_path / "out").values()) == {1, 2}  # the one that could not be written, twice


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


def test_a_sweep_asked_to_end_keeps_what_is_finished(tmp_path):
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
    process.send_signal(signal.SIGTERM)
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
