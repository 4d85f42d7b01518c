"""What a sweep shows while it runs: a table on a terminal, lines in a log."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from sweeps.driver import progress
from sweeps.driver.progress import View, describe_run
from sweeps.grids.axes import Axes
from sweeps.grids.grids import find
from sweeps.store.status import RunStatus

CONFIGS = find("ci")(Axes(streams=[1, 2, 4], seeds=range(10)))  # 60 runs


def status(index, state="pending", **facts):
    config = CONFIGS[index]
    return RunStatus(config.run_id, config, state, **facts)


def running(index, step=40, **facts):
    return status(index, "running", step=step, loss=3.25, tokens_per_s=12345.6, eta_s=3725.0, **facts)


@pytest.fixture
def clocked(monkeypatch):
    """The time that the view sees, set by hand."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def screen(height=24):
    return Console(
        file=io.StringIO(), force_terminal=True, width=80, height=height, color_system=None, _environ={}
    )


def frame(console, view, runs):
    """The lines that the view shows of `runs`, beneath what it has printed for good."""
    view.show(runs)  # what has ended is printed here
    start = console.file.tell()
    view.show(runs)
    console.file.seek(start)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.read()).replace("\r", "")
    return [line.rstrip() for line in text.splitlines()]


def test_the_table_has_what_runs_first_and_the_sums_last(clocked):
    console = screen()
    runs = [status(0, "done", step=100, loss=3.0), status(1), running(2), status(3, "interrupted", step=9)]
    with View(console) as view:
        view.show(runs)
        clocked[0] += 125.0
        lines = frame(console, view, [runs[0], running(1), replace(runs[2], step=80), runs[3]])
    head = next(i for i, line in enumerate(lines) if "tokens/s" in line)
    assert lines[head].split() == ["run", "state", "step", "loss", "tokens/s", "left"]
    rows = [line.split() for line in lines[head + 2 : head + 6]]
    names = [["32x1", f"P={P}", "seed", str(seed)] for P, seed in ((2, 0), (4, 0), (1, 0))]
    steps = CONFIGS[0].steps
    assert rows[0] == [*names[0], "running", f"40/{steps}", "3.2500", "12,346", "1h02m"]
    assert rows[1] == [*names[1], "running", f"80/{steps}", "3.2500", "12,346", "1h02m"]
    assert rows[2][4:] == ["interrupted", f"9/{steps}"]
    assert rows[3] == [*names[2], "done", f"100/{steps}", "3.0000"]
    total = sum(CONFIGS[i].own_C for i in range(4))
    before = CONFIGS[0].own_C + (40 * CONFIGS[2].own_C + 9 * CONFIGS[3].own_C) / steps
    after = before + 40 * (CONFIGS[1].own_C + CONFIGS[2].own_C) / steps
    left = progress.clock((total - after) * 125 / (after - before))
    assert lines[-2] == "4 runs: 2 running, 1 interrupted, 1 done"
    assert re.match(rf"grid {after / total:.0%}, 2m05s .*\b{left}\b", lines[-1])


@pytest.mark.parametrize(("height", "rows"), [(24, 15), (12, 3), (60, 15)])
def test_a_grid_larger_than_the_terminal_is_summed_up(height, rows):
    console = screen(height)
    states = ["done"] * 20 + ["failed", "diverged", "interrupted"] + ["pending"] * 34
    runs = [status(i, state) for i, state in enumerate(states)] + [running(57), running(58), running(59)]
    with View(console) as view:
        lines = frame(console, view, runs)
    assert len(lines) <= height
    assert max(map(len, lines)) <= 80
    shown = [line for line in lines if "seed" in line]
    assert len(shown) == rows - 1  # and a line for the others
    assert [("running" in line) for line in shown[:3]] == [True] * len(shown[:3])
    assert lines[-3].startswith("and ")
    counts = [int(count) for count in re.findall(r"(\d+) [a-z]+", lines[-3])]
    assert sum(counts) + len(shown) == 60
    states = "3 running, 1 interrupted, 1 failed, 1 diverged, 34 pending, 20 done"
    assert lines[-2] == f"60 runs: {states}"
    assert lines[-1].startswith("grid ")


def test_corpora_and_recipes_are_named_where_they_differ():
    console = screen()
    long = "files:a/folder/with/a/long/name/*.txt"
    runs = [running(0), replace(running(1), config=replace(CONFIGS[1], corpus=long, steps=20_027))]
    with View(console) as view:
        lines = frame(console, view, [replace(run, step=run.config.steps) for run in runs])
    assert max(map(len, lines)) <= 80
    assert re.search(r"32x1.*P=1.*0", "".join(lines))
    assert "32x1 P=2 seed 0 fil…" in "".join(lines)
    assert "20027/20027" in "".join(lines)


def test_what_has_ended_is_printed_once_whatever_it_says():
    console = screen()
    failed = status(0, "failed", error="KeyError: [/red]")
    with View(console) as view:
        view.show([failed])
        view.show([failed, status(1, "done", loss=3.0)])
    text = console.file.getvalue()
    assert text.count("32x1 P=1 stdlib seed 0  failed  KeyError: [/red]") == 1
    assert text.count("32x1 P=2 stdlib seed 0  done  loss 3.0000") == 1


def test_a_log_has_plain_lines_with_speed_and_time_left(clocked):
    console = Console(file=io.StringIO(), width=80)
    runs = [status(0), status(1)]
    with View(console) as view:
        view.show(runs)
        clocked[0] += 61
        view.show([running(0), status(1)])
        clocked[0] += 30
        view.show([running(0), status(1)])  # too soon
        view.show([status(0, "done", loss=3.0), status(1)])
    lines = console.file.getvalue().splitlines()
    assert lines[0].startswith("grid ")
    assert re.search(r": 1 running, 1 pending\. 1m01s\b.*\b\d+m\d\ds\b", lines[0])
    assert lines[1:] == [
        f"  32x1 P=1 stdlib seed 0  running  step 40/{CONFIGS[0].steps}  loss 3.2500  "
        "12,346 tokens/s  1h02m left",
        "32x1 P=1 stdlib seed 0  done  loss 3.0000",
    ]


def test_a_run_that_has_just_begun_has_no_speed_yet():
    line = describe_run(status(0, "running"))
    assert line == f"32x1 P=1 stdlib seed 0  running  step 0/{CONFIGS[0].steps}"
    assert "nan" not in describe_run(status(0, "running", loss=float("nan"), eta_s=float("nan")))
