"""The options of `parscale sweep`: what they come to, and what is refused in one line."""

import re
import tomllib
from pathlib import Path

import pytest

import parscale
from parscale.cli.options import read_options
from parscale.cli.train import sweep_command
from parscale.cli.train.sweep_command import folder_of
from sweeps.grids.grids import find


def parsed(*argv):
    return read_options(sweep_command.Options, parscale.build_parser().parse_args(["sweep", "ci", *argv]))


def test_options_reach_the_axes_and_the_execution():
    args = parsed("--recipe", "two-stage", "--stage2-share", "0.1", "--checkpoint-minutes", "0.5")
    assert args.axes().stage2_share == 0.1
    assert args.execution().checkpoint_minutes == 0.5
    args = parsed("--recipe", "peft", "--base", "there", "--threads", "3", "--accelerator", "cpu")
    assert args.axes().base == "there"
    execution = args.execution()
    assert (execution.threads, execution.accelerator, execution.checkpoint_minutes) == (3, "cpu", 5.0)


def test_devices_strategy_precision_and_loggers():
    args = parsed(
        "--devices", "8", "--strategy", "fsdp2", "--precision", "bf16", "--logger", "csv,tensorboard"
    )
    execution = args.execution()
    assert (execution.devices, execution.strategy, execution.loggers) == (8, "fsdp2", "csv,tensorboard")
    assert {run.precision for run in find("ci")(args.axes())} == {"bf16"}


@pytest.mark.parametrize(("name", "what"), [("wandb", "wandb"), ("tensorboard", "'parscale[tb]'")])
def test_a_logger_whose_package_is_missing_is_named(monkeypatch, name, what):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = f"--logger {name}: {name} is not installed: pip install {what}"
    with pytest.raises(ValueError, match=re.escape(said)):
        parsed("--logger", name).execution()
    stated = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert stated["project"]["optional-dependencies"]["tb"][0].startswith("tensorboard")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--threads", "0"], "--threads 0: give a whole number of at least 1"),
        (["--threads", "two"], "--threads two: give a whole number"),
        (["--checkpoint-minutes", "-1"], "--checkpoint-minutes -1: give a number of minutes above 0"),
        (["--checkpoint-minutes", "nan"], "--checkpoint-minutes nan: give a number of minutes above 0"),
        (["--accelerator", "abacus"], "--accelerator abacus: choose one of auto, cpu, gpu"),
        (["--recipe", "two-stage", "--stage2-share", "2"], "--stage2-share 2: give a share between 0 and 1"),
        (["--stage2-share", "0.1"], "only --recipe two-stage has a stage 2"),
        (["--base", "x"], "only --recipe continual and peft start from a checkpoint"),
        (["--recipe", "peft", "--base", "nowhere"], "--base nowhere: it has no config.json"),
        (["--devices", "0"], "--devices 0: give a whole number of at least 1"),
        (["--num-nodes", "2"], "--num-nodes 2: only --launcher slurm starts a run on several"),
        (["--strategy", "pipeline"], "--strategy pipeline: choose one of ddp, fsdp2"),
        (["--precision", "fp8"], "--precision fp8: choose one of float32, bf16"),
        (["--logger", "csv,paper"], "--logger paper: choose among csv, tensorboard, wandb"),
        (["--tokens", "-5"], "--tokens -5: give a number of tokens, e.g. 10M"),
        (["--tokens", "inf"], "--tokens inf: give a number of tokens"),
        (["--tokens", "many"], "--tokens many: give a number of tokens"),
        (["--corpora", "stdlib,nope"], "unknown corpus 'nope'; choose one of stdlib, code"),
        (["--seeds", "a"], "--seeds a: give whole numbers separated by commas"),
    ],
)
def test_wrong_values_are_one_line_and_exit_code_2(capsys, argv, says):
    assert parscale.main(["sweep", "ci", "--dry-run", *argv]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert len(err.splitlines()) == 1
    assert says in err


def test_a_plan_says_which_corpora_are_not_to_be_had(capsys, tmp_path):
    call = ("sweep", "ci", "--dry-run", "--rate", "1e9", "--out", str(tmp_path / "none"), "--corpora")
    assert parscale.main([*call, "stdlib,pile"]) == 0
    told = capsys.readouterr().out.splitlines()[-1]
    assert told.startswith("cannot be trained here: corpus pile is the paper's")
    assert parscale.main([*call, "stdlib"]) == 0
    assert "cannot be trained" not in capsys.readouterr().out


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
    assert alone == pytest.approx(16 * 4.8e9 / 2**30, rel=0.1)  # weights, gradients, two moments: 16 bytes
    assert sharded == pytest.approx(alone / 8, rel=0.01)
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
