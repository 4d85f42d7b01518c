"""The options of `parscale sweep`: what they come to, and what is refused in one line."""

import re
import tomllib
from pathlib import Path

import pytest

import parscale
from parscale.cli.options import read_options
from parscale.cli.train import sweep_command
from parscale.cli.train.sweep_options import corpus_names
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
    with pytest.raises(ValueError, match=rf"--logger {name}: .*pip install {re.escape(what)}"):
        parsed("--logger", name).execution()
    stated = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text())
    assert stated["project"]["optional-dependencies"]["tb"][0].startswith("tensorboard")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--threads", "0"], "--threads 0"),
        (["--threads", "two"], "--threads"),
        (["--checkpoint-minutes", "-1"], "--checkpoint-minutes -1"),
        (["--checkpoint-minutes", "nan"], "--checkpoint-minutes nan"),
        (["--accelerator", "abacus"], "--accelerator abacus"),
        (["--recipe", "two-stage", "--stage2-share", "2"], "--stage2-share 2"),
        (["--stage2-share", "0.1"], "--recipe"),
        (["--base", "x"], "--recipe"),
        (["--recipe", "peft", "--base", "nowhere"], "--base nowhere"),
        (["--devices", "0"], "--devices 0"),
        (["--num-nodes", "2"], "--num-nodes 2"),
        (["--strategy", "pipeline"], "--strategy pipeline"),
        (["--precision", "fp8"], "--precision fp8"),
        (["--logger", "csv,paper"], "--logger paper"),
        (["--tokens", "-5"], "--tokens -5"),
        (["--tokens", "inf"], "--tokens inf"),
        (["--tokens", "many"], "--tokens many"),
        (["--corpora", "stdlib,nope"], "'nope'"),
        (["--seeds", "a"], "--seeds"),
    ],
)
def test_wrong_values_are_one_line_and_exit_code_2(capsys, argv, says):
    assert parscale.main(["sweep", "ci", "--dry-run", *argv]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert len(err.splitlines()) == 1
    assert says in err


def test_every_option_of_slurm_reaches_its_launcher():
    given = {"account": "lab", "qos": "high", "mem": "64G", "constraint": "a100", "exclude": "n[3-5]",
             "gres": "gpu:2", "sbatch": "--nice=100", "setup": "module load cuda", "partition": "long"}  # fmt: skip
    argv = [f"--{name}={value}" for name, value in given.items()]
    assert parsed("--launcher", "slurm", *argv).place() == ("slurm", given)
    for option in ("--detach", "--mem=4G"):
        with pytest.raises(ValueError, match=r"--launcher.*slurm"):
            parsed(option).place()


def test_a_number_behind_a_comma_goes_on_with_its_corpus():
    told = (
        "code,task:copy#letters=2,4,task:hops#hops=1,2#nodes=8,mix:0.5*task:copy#letters=2,3+0.5*task:facts"
    )
    assert corpus_names(told) == [
        "code", "task:copy#letters=2,4", "task:hops#hops=1,2#nodes=8",
        "mix:0.5*task:copy#letters=2,3+0.5*task:facts",
    ]  # fmt: skip
    assert corpus_names(None) is None
