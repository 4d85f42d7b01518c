"""The options of `parscale sweep` and what they come to; nothing here loads torch, ray or submitit."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any, TypeVar

from scaling.data import parse_size
from sweeps.axes import Axes
from sweeps.execution import DEFAULT, Execution

T = TypeVar("T", int, float)


def add(p: ArgumentParser) -> None:
    """Every option but GRID and --out."""
    what(p)
    how(p)
    where(p)


def what(p: ArgumentParser) -> None:
    """Options that decide which runs there are."""
    for axis, example in (
        ("sizes", "64x2,96x3"),
        ("streams", "1,2,4"),
        ("corpora", "stdlib,code"),
        ("seeds", "0,1,2"),
    ):
        p.add_argument(f"--{axis}", metavar="A,B", help=f"only these, e.g. {example}")
    p.add_argument("--tokens", metavar="D", help="training tokens a run, e.g. 10M")
    p.add_argument("--recipe", help="scratch, two-stage, continual, peft")
    p.add_argument("--base", metavar="DIR", help="checkpoint folder that continual and peft start from")
    p.add_argument("--stage2-share", metavar="X", help="two-stage: stage 2's share of the tokens, e.g. 0.02")
    p.add_argument("--repeat", action="store_true", help="read a corpus again when it holds too few tokens")
    p.add_argument("--retry-diverged", action="store_true", help="train diverged runs again")
    p.add_argument(
        "--dry-run",
        action="store_true",
        help="print every run's shape, N, D, FLOPs and memory, train nothing",
    )


def how(p: ArgumentParser) -> None:
    """Options that decide how a run is carried out: the same run whatever they say."""
    p.add_argument("--accelerator", help="auto (default), cpu, gpu, ...: Lightning's names")
    p.add_argument("--threads", metavar="N", help="CPU threads a run (default: the cores shared out)")
    p.add_argument("--checkpoint-minutes", metavar="M", help="minutes between checkpoints (default 5)")


def where(p: ArgumentParser) -> None:
    """Options that decide where runs are trained."""
    p.add_argument("--workers", default="auto", help="runs at a time (default auto: one a core)")
    p.add_argument("--launcher", default="local", help="where runs are trained (default local)")


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
    return Axes(
        sizes=items(args.sizes),
        streams=whole(args.streams, "streams"),
        corpora=items(args.corpora),
        seeds=whole(args.seeds, "seeds"),
        tokens=int(parse_size(args.tokens)) if args.tokens else None,
        recipe=recipe,
        base=base,
        stage2_share=share,
        repeat=args.repeat or None,
    )


ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")


def execution_of(args: Any) -> Execution:
    """How the runs are carried out."""
    minutes = number(
        args, "checkpoint-minutes", float, lambda m: 0 < m < 1e6, "a number of minutes above 0, e.g. 5"
    )
    return Execution(
        accelerator=one_of(args, "accelerator", ACCELERATORS) or DEFAULT.accelerator,
        threads=count(args, "threads"),
        checkpoint_minutes=DEFAULT.checkpoint_minutes if minutes is None else minutes,
    )
