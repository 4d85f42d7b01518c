"""What `--dry-run` says of time: as finished runs took, at a given rate, as timed here, or nothing."""

import re
from dataclasses import replace

import pytest

import parscale
from sweeps.config.execution import Execution
from sweeps.driver import dry_run, time_estimate
from sweeps.grids.grids import Axes, find
from sweeps.store.store import Store

CPU = Execution(accelerator="cpu")
RUNS = find("ci")(Axes(sizes=("32x1",), streams=(1, 2), seeds=(0, 1)))


def test_finished_runs_tell_the_speed_of_their_shape(tmp_path):
    store = Store(tmp_path)
    store.create("ci", "")
    for run, speed in zip(RUNS, (100.0, 50.0, 300.0, 70.0), strict=True):
        store.finish(
            run.run_id,
            {"corpus": "stdlib", "N": 1, "P": 1, "seed": run.seed, "status": "ok"}
            | {"config": run.to_json(), "tokens_per_s": speed},
        )
    told = dry_run.plan_time(RUNS, tmp_path, CPU, "2", "local", None)
    assert told.hours == pytest.approx([50_176 / s / 3600 for s in (200, 60, 200, 60)])
    assert re.search(r"18m07s, 2\b", told.words)


def test_a_rate_tells_the_rest(tmp_path):
    told = dry_run.plan_time(RUNS[:1], tmp_path, CPU, "auto", "slurm", 1e6)
    assert told.hours == [pytest.approx(RUNS[0].C / 1e6 / 3600)]
    assert "1e+06 FLOP/s" in told.words


def test_compiled_runs_are_timed_eagerly_and_it_says_so(tmp_path, monkeypatch):
    compiled = [replace(run, compile=True) for run in RUNS]
    monkeypatch.setattr(time_estimate, "ProcessPoolExecutor", lambda *_, **__: Here())
    monkeypatch.setattr(time_estimate, "time_training", lambda run, *_: 1000.0 / run.model.P)
    told = dry_run.plan_time(compiled, tmp_path, CPU, "1", "local", None)
    assert told.hours == pytest.approx([50_176 * P / 1000 / 3600 for P in (1, 2, 1, 2)])
    plain = dry_run.plan_time(RUNS, tmp_path, CPU, "1", "local", None)
    assert told.words.startswith(f"{plain.words}. ")


class Here:
    """A pool of this process alone."""

    map = map

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.mark.slow
def test_a_small_grid_is_timed_in_processes_of_their_own(tmp_path):
    told = dry_run.plan_time(RUNS[::2], tmp_path, CPU, "2", "local", None)
    assert all(0 < hours < 1 for hours in told.hours)
    assert told.hours[0] == told.hours[1]  # a shape is timed once
    assert re.search(r", 2\b", told.words)


@pytest.mark.parametrize("argv", [("paper",), ("ci", "--launcher", "slurm"), ("ci", "--devices", "2")])
def test_what_cannot_be_tried_here_is_not_guessed_at(capsys, tmp_path, argv):
    assert parscale.main(["sweep", *argv, "--dry-run", "--out", str(tmp_path / "none")]) == 0
    out, _ = capsys.readouterr()
    assert "FLOPs" in out
    assert not (tmp_path / "none").exists()
    assert parscale.main(["sweep", *argv, "--dry-run", "--out", str(tmp_path), "--rate", "1.5e14"]) == 0
    out, _ = capsys.readouterr()
    assert re.search(r"1\.5e\+14.*FLOP/s", out)


def test_a_rate_that_is_none_is_refused(capsys):
    assert parscale.main(["sweep", "paper", "--dry-run", "--rate", "fast"]) == 2
    assert re.search(r"--rate.*fast.*FLOP/s.*1\.5e14", capsys.readouterr().err)


@pytest.mark.parametrize("room", [None, 60, 80, 120])
def test_the_plan_holds_every_number_at_any_width(room, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("scaling.terminal_text.width", lambda: room)
    call = (
        "sweep",
        "paper",
        "--dry-run",
        "--streams",
        "8",
        "--corpora",
        "pile",
        "--out",
        str(tmp_path / "x"),
    )
    assert parscale.main([*call]) == 0
    out = capsys.readouterr().out
    table, _ = out.split("state: weights")
    assert room is None or max(map(len, table.splitlines())) <= room
    words = table.split()
    for run in find("paper")():
        if run.model.P == 8 and run.corpus == "pile":
            assert {f"{run.model.N:,}", f"{run.D:,}", f"{run.lr:.3g}", f"{run.C:.2e}"} <= set(words)
    assert words.count("4.4B") == table.count("corpus")  # each part names the run
