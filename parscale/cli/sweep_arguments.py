"""The options of `parscale sweep`. Loads nothing: every call of the command line builds them."""

from __future__ import annotations

from argparse import ArgumentParser

TOKENIZER = "bpe (default: learnt from the corpus), a tokenizer.json, or hf:NAME; it sets the vocabulary"


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
    p.add_argument(
        "--start",
        help="two-stage, continual, peft: streams begin random (default), or quiet: at their base's loss",
    )
    p.add_argument("--tokenizer", metavar="T", help=TOKENIZER)
    p.add_argument("--precision", help="float32, bf16 (default the grid's own)")
    p.add_argument("--repeat", action="store_true", help="read a corpus again when it holds too few tokens")
    p.add_argument("--retry-diverged", action="store_true", help="train diverged runs again")
    p.add_argument("--fork", action="store_true", help="go on though code or configurations have changed")
    p.add_argument(
        "--dry-run",
        action="store_true",
        help="print every run's shape, N, D, FLOPs, memory and hours, train nothing",
    )
    p.add_argument("--rate", metavar="F", help="--dry-run: FLOP/s one run sustains (default: timed here)")


def how(p: ArgumentParser) -> None:
    """Options that decide how a run is carried out: the same run whatever they say."""
    p.add_argument("--accelerator", help="auto (default), cpu, gpu, ...: Lightning's names")
    p.add_argument("--threads", metavar="N", help="CPU threads a run (default: the cores shared out)")
    p.add_argument("--checkpoint-minutes", metavar="M", help="minutes between checkpoints (default 5)")
    p.add_argument(
        "--devices", metavar="N", help="devices of a run on a node, each with a share of the batch"
    )
    p.add_argument("--num-nodes", metavar="N", help="slurm: nodes of one run, each with as many devices")
    p.add_argument("--strategy", help="ddp (default): a whole model a device; fsdp2: a share of it")
    p.add_argument(
        "--gradient-checkpointing", action="store_true", help="less memory, a forward pass more a step"
    )
    p.add_argument("--logger", metavar="A,B", help="also log to csv, tensorboard, wandb")


def where(p: ArgumentParser) -> None:
    """Options that decide where runs are trained."""
    p.add_argument("--workers", default="auto", help="runs at a time (default auto: one a core)")
    p.add_argument("--launcher", default="local", help="where runs are trained: local (default), slurm, ray")
    p.add_argument("--cpus", metavar="N", help="slurm, ray: CPU cores a run (default 1)")
    p.add_argument("--gpus", metavar="N", help="slurm, ray: GPUs a run (default none)")
    p.add_argument("--partition", help="slurm: where to submit (default the cluster's own)")
    p.add_argument("--time", metavar="T", help="slurm: limit, minutes or H:MM (default 24:00; requeued)")
    p.add_argument(
        "--ray-address", metavar="HOST:PORT", help="ray: the cluster's head (default this machine's)"
    )
