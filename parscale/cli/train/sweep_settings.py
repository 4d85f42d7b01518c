"""What the options of `parscale sweep` come to: axes, execution, launcher. Nothing here loads torch or ray."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from parscale.cli.option_values import count, items, number, one_of, tokens, whole_numbers
from sweeps.config.execution import DEFAULT, Execution, gpus
from sweeps.grids.axes import Axes

if TYPE_CHECKING:
    from parscale.cli.train.sweep_command import Options

ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")
LOGGERS = {"csv": "", "tensorboard": "'parscale[tb]'", "wandb": "wandb"}  # name: what pip is to install
LAUNCHERS: dict[str, tuple[str, ...]] = {  # name: the options that it alone takes
    "local": (),
    "slurm": ("cpus", "gpus", "partition", "time"),
    "ray": ("cpus", "gpus", "ray_address"),
}


def axes_of(options: Options) -> Axes:
    """The grid's axes as the command line narrows them."""
    recipe, base = options.recipe, options.base
    share = number(
        options.stage2_share, "--stage2-share", float, lambda x: 0 < x < 1, "a share between 0 and 1"
    )
    if share is not None and recipe != "two-stage":
        raise ValueError(f"--stage2-share {share:g}: only --recipe two-stage has a stage 2")
    if base is not None and recipe not in ("continual", "peft"):
        raise ValueError(f"--base {base}: only --recipe continual and peft start from a checkpoint")
    start = one_of(options.start, "--start", ("random", "quiet"))
    if start is not None and recipe not in ("two-stage", "continual", "peft"):
        raise ValueError(f"--start {start}: only --recipe two-stage, continual and peft grow streams")
    return Axes(
        sizes=items(options.sizes),
        streams=whole_numbers(options.streams, "--streams"),
        corpora=items(options.corpora),
        seeds=whole_numbers(options.seeds, "--seeds"),
        tokens=tokens(options.tokens),
        recipe=recipe,
        base=base,
        stage2_share=share,
        start=start,
        precision=one_of(options.precision, "--precision", ("float32", "bf16")),
        tokenizer=options.tokenizer,
        repeat=options.repeat or None,
    )


def execution_of(options: Options) -> Execution:
    """How the runs are carried out."""
    wanted = "a number of minutes above 0, e.g. 5"
    minutes = number(options.checkpoint_minutes, "--checkpoint-minutes", float, lambda m: 0 < m < 1e6, wanted)
    nodes = count(options.num_nodes, "--num-nodes") or 1
    if nodes > 1 and options.launcher != "slurm":
        raise ValueError(f"--num-nodes {nodes}: only --launcher slurm starts a run on several nodes")
    loggers = items(options.logger) or []
    for name in loggers:
        _check_logger(name)
    return Execution(
        devices=count(options.devices, "--devices") or 1,
        num_nodes=nodes,
        gradient_checkpointing=options.gradient_checkpointing,
        strategy=one_of(options.strategy, "--strategy", ("ddp", "fsdp2")) or DEFAULT.strategy,
        loggers=",".join(loggers),
        accelerator=_accelerator(options),
        threads=count(options.threads, "--threads"),
        checkpoint_minutes=DEFAULT.checkpoint_minutes if minutes is None else minutes,
    )


def _accelerator(options: Options) -> str:
    """The accelerator; refused where this machine is to train and lacks it."""
    name = one_of(options.accelerator, "--accelerator", ACCELERATORS) or DEFAULT.accelerator
    if name in ("gpu", "cuda") and options.launcher == "local" and sys.platform == "linux" and not gpus():
        raise ValueError(f"--accelerator {name}: this machine has none")
    return name


def _check_logger(name: str) -> None:
    """Refuse a logger that is unknown, or whose package is not installed."""
    if name not in LOGGERS:
        raise ValueError(f"--logger {name}: choose among {', '.join(LOGGERS)}")
    if LOGGERS[name] and importlib.util.find_spec(name) is None:
        raise ValueError(f"--logger {name}: {name} is not installed: pip install {LOGGERS[name]}")


def rate_of(options: Options) -> float | None:
    """The FLOP/s that --rate says one run sustains."""
    return number(
        options.rate, "--rate", float, lambda rate: 0 < rate < 1e21, "FLOP/s of one run, e.g. 1.5e14"
    )


def launcher_of(options: Options) -> tuple[str, dict[str, Any]]:
    """The launcher's name and its settings; an option that it does not take is refused."""
    name = one_of(options.launcher, "--launcher", tuple(LAUNCHERS)) or "local"
    every = {
        "cpus": options.cpus,
        "gpus": options.gpus,
        "partition": options.partition,
        "time": options.time,
        "ray_address": options.ray_address,
    }
    for option, text in every.items():
        if text is not None and option not in LAUNCHERS[name]:
            where = " and ".join(key for key, taken in LAUNCHERS.items() if option in taken)
            raise ValueError(f"--{option.replace('_', '-')}: only --launcher {where} takes it")
    wanted = "a number of minutes, or hours as H:MM"
    given = {
        "cpus": count(options.cpus, "--cpus"),
        "gpus": count(options.gpus, "--gpus"),
        "partition": options.partition,
        "minutes": number(options.time, "--time", _minutes, lambda m: m >= 1, wanted),
        "address": options.ray_address,
    }
    return name, {key: value for key, value in given.items() if value is not None}


def _minutes(text: str) -> int:
    """90 from "90" or "1:30"."""
    hours, _, rest = text.rpartition(":")
    return 60 * int(hours or 0) + int(rest)
