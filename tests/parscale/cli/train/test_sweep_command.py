"""`parscale sweep`: plans, folders and memory."""

import re
from pathlib import Path

import pytest

import parscale
from parscale.cli.options import read_options
from parscale.cli.train import sweep_command
from parscale.cli.train.sweep_command import folder_of
from sweeps.config.execution import Execution
from sweeps.grids import Axes, find


def parsed(*argv):
    return read_options(sweep_command.Options, parscale.build_parser().parse_args(["sweep", "ci", *argv]))


def test_a_plan_says_which_corpora_are_not_to_be_had(capsys, tmp_path):
    call = ("sweep", "ci", "--dry-run", "--rate", "1e9", "--out", str(tmp_path / "none"), "--corpora")
    assert parscale.main([*call, "stdlib,pile"]) == 0
    told = capsys.readouterr().out.splitlines()[-1]
    assert re.search(r"corpus pile\b.*--corpora hf:NAME", told)
    assert parscale.main([*call, "stdlib"]) == 0
    assert "hf:NAME" not in capsys.readouterr().out


def test_a_missing_compiler_is_said_before_training(monkeypatch):
    laptop, cpu = find("laptop")(Axes(streams=(1,), seeds=(0,))), Execution(accelerator="cpu")
    monkeypatch.setattr("sweeps.config.execution.cxx_compiler", lambda: None)
    assert sweep_command.slow_here(laptop, cpu) == [sweep_command.EAGER]
    assert sweep_command.slow_here(laptop, Execution(accelerator="gpu")) == []
    monkeypatch.setattr("sweeps.config.execution.cxx_compiler", lambda: "/usr/bin/g++")
    assert sweep_command.slow_here(laptop, cpu) == []


def test_each_function_of_a_grid_file_has_its_own_folder():
    assert folder_of("laptop", None) == Path("results/sweeps/laptop")
    assert folder_of("grids/mine.py", None) == Path("results/sweeps/mine")
    assert folder_of("grids/mine.py:wide", None) == Path("results/sweeps/mine-wide")
    assert folder_of("grids/mine.py:wide", "here") == Path("here")


def test_memory_is_planned_for_a_number_of_devices(capsys):
    largest = ("sweep", "paper", "--sizes", "4.4B", "--streams", "8", "--corpora", "pile", "--dry-run")
    planned = []
    for more in ((), ("--devices", "8", "--strategy", "fsdp2"), ("--devices", "8", "--strategy", "ddp")):
        assert parscale.main([*largest, *more]) == 0
        out, _ = capsys.readouterr()
        [row] = [line.split() for line in out.splitlines() if line.split()[:2] == ["pile", "4.4B"]]
        planned.append((float(row[-2]), float(row[-1])))
    (alone, sequence), (sharded, same), copied = planned
    # Weights, gradients and two moments are 16 bytes, the copies in bf16 that products used 2.
    assert alone == pytest.approx(18 * 4.8e9 / 2**30, rel=0.1)
    assert sharded == pytest.approx(
        (16 / 8 + 2 / 4) * 4.8e9 / 2**30, rel=0.1
    )  # with two blocks and the embedding in bf16
    assert copied == (alone, sequence)
    assert same == pytest.approx(sequence, rel=0.01)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90", 90),
        ("1:30", 90),
        ("1:30:00", 90),
        ("1:30:01", 91),
        ("0-1:30", 90),
        ("2-12", 3600),
        ("1-00:00:00", 1440),
    ],
)
def test_a_time_limit_as_slurm_writes_it(text, minutes):
    assert parsed("--launcher", "slurm", "--time", text).place()[1]["minutes"] == minutes


@pytest.mark.parametrize("text", ["soon", "1:75", "1-", "0", "1:2:3:4"])
def test_what_is_no_time_limit(text):
    with pytest.raises(ValueError, match=f"--time {text}"):
        parsed("--launcher", "slurm", "--time", text).place()
