"""What the options of `parscale sweep` come to; nothing here loads torch, ray or submitit."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from scaling.data.units import parse_size
from sweeps.config.execution import DEFAULT, Execution, gpus
from sweeps.grids.axes import Axes

T = TypeVar("T", int, float)


def items(text: str | None) -> list[str] | None:
    """["a", "b"] from "a,b"."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else None


def whole(text: str | None, option: str) -> list[int] | None:
    """[1, 2] from "1,2"; ValueError names the option and the value that is no whole number."""
    try:
        return [int(part) for part in items(text) or []] or None
    except ValueError:
        raise ValueError(f"--{option} {text}: give whole numbers separated by commas") from None


def number(
    args: Any, option: str, read: Callable[[str], T], fits: Callable[[T], bool], wanted: str
) -> T | None:
    """The value of --option; None if it was not given; ValueError says what is wanted instead."""
    text = getattr(args, option.replace("-", "_"), None)
    if text is None:
        return None
    try:
        value = read(str(text))
    except ValueError:
        value = None
    if value is None or not fits(value):
        raise ValueError(f"--{option} {text}: give {wanted}")
    return value


def count(args: Any, option: str) -> int | None:
    """The whole number of at least 1 that --option gives."""
    return number(args, option, int, lambda value: value >= 1, "a whole number of at least 1")


def one_of(args: Any, option: str, allowed: tuple[str, ...]) -> str | None:
    """The word that --option gives, if it is one of those."""
    text: str | None = getattr(args, option.replace("-", "_"), None)
    if text is not None and text not in allowed:
        raise ValueError(f"--{option} {text}: choose one of {', '.join(allowed)}")
    return text


def axes_of(args: Any) -> Axes:
    """The grid's axes as the command line narrows them."""
    recipe, base = args.recipe, getattr(args, "base", None)
    share = number(args, "stage2-share", float, lambda x: 0 < x < 1, "a share between 0 and 1")
    if share is not None and recipe != "two-stage":
        raise ValueError(f"--stage2-share {share:g}: only --recipe two-stage has a stage 2")
    if base is not None and recipe not in ("continual", "peft"):
        raise ValueError(f"--base {base}: only --recipe continual and peft start from a checkpoint")
    start = one_of(args, "start", ("random", "quiet"))
    if start is not None and recipe not in ("two-stage", "continual", "peft"):
        raise ValueError(f"--start {start}: only --recipe two-stage, continual and peft grow streams")
    tokens = number(args, "tokens", parse_size, lambda D: 1 <= D < 1e18, "a number of tokens, e.g. 10M")
    return Axes(
        sizes=items(args.sizes),
        streams=whole(args.streams, "streams"),
        corpora=items(args.corpora),
        seeds=whole(args.seeds, "seeds"),
        tokens=None if tokens is None else int(tokens),
        recipe=recipe,
        base=base,
        stage2_share=share,
        start=start,
        precision=one_of(args, "precision", ("float32", "bf16")),
        tokenizer=getattr(args, "tokenizer", None),
        repeat=args.repeat or None,
    )


ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")


LOGGERS = {"csv": "", "tensorboard": "'parscale[tb]'", "wandb": "wandb"}  # name: what pip is to install


def check_logger(name: str) -> None:
    """Refuse a logger that is unknown, or whose package is not installed."""
    if name not in LOGGERS:
        raise ValueError(f"--logger {name}: choose among {', '.join(LOGGERS)}")
    if LOGGERS[name] and importlib.util.find_spec(name) is None:
        raise ValueError(f"--logger {name}: {name} is not installed: pip install {LOGGERS[name]}")


def execution_of(args: Any) -> Execution:
    """How the runs are carried out."""
    minutes = number(
        args, "checkpoint-minutes", float, lambda m: 0 < m < 1e6, "a number of minutes above 0, e.g. 5"
    )
    nodes = count(args, "num-nodes") or 1
    if nodes > 1 and getattr(args, "launcher", None) != "slurm":
        raise ValueError(f"--num-nodes {nodes}: only --launcher slurm starts a run on several nodes")
    accelerator = one_of(args, "accelerator", ACCELERATORS) or DEFAULT.accelerator
    here = getattr(args, "launcher", None) in (None, "local")
    if accelerator in ("gpu", "cuda") and here and sys.platform == "linux" and not gpus():
        raise ValueError(f"--accelerator {accelerator}: this machine has none")
    loggers = items(getattr(args, "logger", None)) or []
    for name in loggers:
        check_logger(name)
    return Execution(
        devices=count(args, "devices") or 1,
        num_nodes=nodes,
        gradient_checkpointing=getattr(args, "gradient_checkpointing", False),
        strategy=one_of(args, "strategy", ("ddp", "fsdp2")) or DEFAULT.strategy,
        loggers=",".join(loggers),
        accelerator=accelerator,
        threads=count(args, "threads"),
        checkpoint_minutes=DEFAULT.checkpoint_minutes if minutes is None else minutes,
    )


def rate_of(args: Any) -> float | None:
    """The FLOP/s that --rate says one run sustains."""
    return number(args, "rate", float, lambda rate: 0 < rate < 1e21, "FLOP/s of one run, e.g. 1.5e14")


SETTINGS: dict[str, tuple[str, ...]] = {
    "local": (),
    "slurm": ("cpus", "gpus", "partition", "time"),
    "ray": ("cpus", "gpus", "ray_address"),
}


def minutes(text: str) -> int:
    """90 from "90" or "1:30"; ValueError if it is neither."""
    hours, _, rest = text.rpartition(":")
    return 60 * int(hours or 0) + int(rest)


def place_of(args: Any) -> tuple[str, dict[str, Any]]:
    """The launcher's name and its settings; an option that it does not know is refused."""
    name = one_of(args, "launcher", tuple(SETTINGS)) or "local"
    every = dict.fromkeys(option for options in SETTINGS.values() for option in options)
    for option in every:
        if getattr(args, option, None) is not None and option not in SETTINGS[name]:
            where = " and ".join(key for key, options in SETTINGS.items() if option in options)
            raise ValueError(f"--{option.replace('_', '-')}: only --launcher {where} takes it")
    limit = number(args, "time", minutes, lambda m: m >= 1, "a number of minutes, or hours as H:MM")
    given = {
        "cpus": count(args, "cpus"),
        "gpus": count(args, "gpus"),
        "partition": getattr(args, "partition", None),
        "minutes": limit,
        "address": getattr(args, "ray_address", None),
    }
    return name, {key: value for key, value in given.items() if value is not None}
