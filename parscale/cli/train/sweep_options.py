"""The options of `parscale sweep` and the axes, launcher and execution they define."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from parscale.cli.option_values import count, items, number, one_of, tokens, whole_numbers
from parscale.cli.options import argument, option, switch

if TYPE_CHECKING:
    from sweeps.config.execution import Execution
    from sweeps.grids.axes import Axes
    from sweeps.grids.search import Search

TOKENIZER = "bpe (default: learnt from the corpus, or the tokens' own), a tokenizer.json, or hf:NAME"
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")
LOGGERS = {"csv": "", "tensorboard": "'parscale[tb]'", "wandb": "wandb"}  # name: what pip is to install
LAUNCHERS: dict[str, tuple[str, ...]] = {  # name: the options that only some launchers take
    "local": (),
    "slurm": (
        *("cpus", "gpus", "partition", "time", "account", "qos", "mem", "constraint", "exclude", "gres"),
        *("sbatch", "setup", "detach"),
    ),
    "ray": ("cpus", "gpus", "ray_address"),
}
AS_GIVEN = ("partition", "account", "qos", "mem", "constraint", "exclude", "gres", "sbatch", "setup")


def corpus_names(text: str | None) -> list[str] | None:
    """["code", "task:copy#letters=2,4"] from "code,task:copy#letters=2,4": a bare number goes on with its list."""
    return items(text, r",(?!\s*\d+\s*(?:[,#+]|$))")


@dataclass(frozen=True, kw_only=True)
class GridOptions:
    """Options that decide which runs there are."""

    grid: str = argument("ci, demo, laptop, paper, or your own: FILE.py[:FUNCTION]", metavar="GRID")
    sizes: str | None = option(None, "only these, e.g. 64x2,96x3", metavar="A,B")
    streams: str | None = option(None, "only these, e.g. 1,2,4", metavar="A,B")
    loops: str | None = option(None, "times that layers are looped, e.g. 1,2,4 (default 1)", metavar="A,B")
    corpora: str | None = option(None, "only these, e.g. stdlib,code", metavar="A,B")
    seeds: str | None = option(None, "only these, e.g. 0,1,2", metavar="A,B")
    axis: tuple[str, ...] | None = option(
        None,
        "values of any field, e.g. lr=1e-3,3e-3 (may be repeated)",
        metavar="FIELD=A,B",
        action="append",
    )
    tokens: str | None = option(None, "training tokens per run, e.g. 10M", metavar="D")
    recipe: str | None = option(None, "scratch, two-stage, continual, peft")
    base: str | None = option(None, "checkpoint folder that continual and peft start from", metavar="DIR")
    stage2_share: str | None = option(
        None, "two-stage: stage 2's share of the tokens, e.g. 0.02", metavar="X"
    )
    start: str | None = option(
        None,
        "two-stage, continual, peft: new streams begin random (default), or quiet, at the loss of their base",
    )
    tokenizer: str | None = option(None, TOKENIZER, metavar="T")
    precision: str | None = option(None, "float32, bf16 (default the grid's own)")
    mup_base: str | None = option(
        None,
        "width transfer (muP): learning rates and initialisation of this width, scaled to the others",
        metavar="WIDTH",
    )
    repeat: bool = switch("repeat a corpus that holds too few tokens")

    def axes(self) -> Axes:
        """The grid's axes as the options narrow them."""
        from sweeps.grids.axes import Axes

        wanted = "a share between 0 and 1"
        share = number(self.stage2_share, "--stage2-share", float, lambda x: 0 < x < 1, wanted)
        if share is not None and self.recipe != "two-stage":
            raise ValueError(f"--stage2-share {share:g}: only --recipe two-stage has a stage 2")
        if self.base is not None and self.recipe not in ("continual", "peft"):
            raise ValueError(f"--base {self.base}: only --recipe continual and peft start from a checkpoint")
        start = one_of(self.start, "--start", ("random", "quiet"))
        if start is not None and self.recipe not in ("two-stage", "continual", "peft"):
            raise ValueError(f"--start {start}: only --recipe two-stage, continual and peft grow streams")
        return Axes(
            sizes=items(self.sizes),
            streams=whole_numbers(self.streams, "--streams"),
            loops=whole_numbers(self.loops, "--loops"),
            corpora=corpus_names(self.corpora),
            seeds=whole_numbers(self.seeds, "--seeds"),
            tokens=tokens(self.tokens),
            recipe=self.recipe,
            base=self.base,
            stage2_share=share,
            start=start,
            precision=one_of(self.precision, "--precision", ("float32", "bf16")),
            tokenizer=self.tokenizer,
            others=self._others(),
            repeat=self.repeat or None,
            mup_base=count(self.mup_base, "--mup-base"),
        )

    def _others(self) -> dict[str, list[Any]] | None:
        """Axes that are fields of a run, by their names."""
        from sweeps.config.searched_fields import read_axis

        found: dict[str, list[Any]] = {}
        for name, values in map(read_axis, self.axis or ()):
            if name in found:
                raise ValueError(f"--axis {name} is given twice. Write all its values after one")
            found[name] = values
        return found or None


@dataclass(frozen=True, kw_only=True)
class RunOptions(GridOptions):
    """Options that decide which of the grid's runs are trained, and how far."""

    search: str | None = option(
        None,
        "the best value at every point, losers stopped early: lr=1e-3..1e-1 (a factor of 2 apart) or lr=1e-3..1e-1:5 (5 values)",
        metavar="FIELD=LOW..HIGH",
    )
    rungs: str | None = option(
        None, "--search: shares of the steps at which the worse half stops (default 0.25,0.5)", metavar="A,B"
    )
    keep: str | None = option(
        None,
        "--search: at least so many values continue after a rung (default 3)",
        metavar="N",
    )
    stop_losers: bool = switch(
        "--search: at every rung, end values whose forecast final loss has a chance below 2%% to be the lowest"
    )
    retry_diverged: bool = switch("train diverged runs again")
    fork: bool = switch("resume although the training version, torch or the configurations have changed")
    dry_run: bool = switch("print every run's shape, N, D, FLOPs, memory and hours, train nothing")
    rate: str | None = option(None, "--dry-run: FLOP/s one run sustains (default: timed here)", metavar="F")

    def searched(self) -> Search | None:
        """The search that is asked for."""
        from sweeps.grids.forecast_losers import forecast_losers
        from sweeps.grids.search import read_rungs, read_search

        if self.search is None:
            for name in ("rungs", "keep"):
                if getattr(self, name) is not None:
                    raise ValueError(f"--{name} {getattr(self, name)}: only --search takes it")
            if self.stop_losers:
                raise ValueError(
                    "--stop-losers: only a search has losers. Add one, such as --search lr=1e-3..1e-1"
                )
            return None
        found = read_search(self.search)
        if found.field in (self._others() or {}):
            raise ValueError(f"--search {found.field}: --axis gives its values already")
        found = replace(found, rungs=read_rungs(self.rungs)) if self.rungs else found
        hopeless = forecast_losers if self.stop_losers else None
        return replace(found, keep=count(self.keep, "--keep") or found.keep, hopeless=hopeless)

    def flops_per_s(self) -> float | None:
        """The FLOP/s that --rate says one run sustains."""
        wanted = "FLOP/s of one run, e.g. 1.5e14"
        return number(self.rate, "--rate", float, lambda rate: 0 < rate < 1e21, wanted)


def _minutes(text: str) -> int:
    """90 from "90", "1:30", or as Slurm writes it "1:30:00", "0-1:30" and "0-01:30:00". Seconds count as a minute."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text.strip())
    if not found:
        raise ValueError(f"{text!r} is no time")
    days, *parts = (int(part or 0) for part in found.groups())
    if found[1] is None and found[3] is None:
        return parts[0]
    hours, minutes, seconds = parts
    if minutes > 59 or seconds > 59:
        raise ValueError(f"{text!r} has more than 59 minutes or seconds")
    return 60 * (24 * days + hours) + minutes + (seconds > 0)


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """Options that decide where runs are trained."""

    workers: str = option("auto", "runs at a time (default auto: one per core)")
    launcher: str = option("local", "where runs are trained: local (default), slurm, ray")
    cpus: str | None = option(None, "slurm, ray: CPU cores per run (default 1)", metavar="N")
    gpus: str | None = option(None, "slurm, ray: GPUs per run (default none)", metavar="N")
    partition: str | None = option(None, "slurm: partition to submit to (default: the cluster's)")
    time: str | None = option(
        None, "slurm: limit, minutes, H:MM or D-HH:MM:SS (default 24:00, then requeued)", metavar="T"
    )
    account: str | None = option(None, "slurm: the account to charge")
    qos: str | None = option(None, "slurm: quality of service")
    mem: str | None = option(None, "slurm: memory of a run on a node, e.g. 64G", metavar="SIZE")
    constraint: str | None = option(None, "slurm: features that a node must have, e.g. a100")
    exclude: str | None = option(None, "slurm: nodes not to use, e.g. n[3-5]", metavar="NODES")
    gres: str | None = option(None, "slurm: other resources of a run, e.g. gpu:a100:2")
    sbatch: str | None = option(
        None, "slurm: further options, e.g. '--reservation=lab --nice=100'", metavar="'...'"
    )
    setup: str | None = option(
        None, "slurm: shell commands before a run, e.g. 'module load cuda'", metavar="'...'"
    )
    detach: bool = switch("slurm: submit and exit. The same command without it monitors the sweep")
    ray_address: str | None = option(
        None, "ray: the cluster's head (default this machine's)", metavar="HOST:PORT"
    )

    def place(self) -> tuple[str, dict[str, Any]]:
        """The launcher's name and its settings. Raises ValueError for an option that it does not take."""
        name = one_of(self.launcher, "--launcher", tuple(LAUNCHERS)) or "local"
        every = {field for taken in LAUNCHERS.values() for field in taken}
        for field in sorted(every - set(LAUNCHERS[name])):
            if getattr(self, field) not in (None, False):
                where = " and ".join(key for key, taken in LAUNCHERS.items() if field in taken)
                raise ValueError(f"--{field.replace('_', '-')}: only --launcher {where} takes it")
        wanted = "minutes, hours as H:MM, or Slurm's H:MM:SS, D-HH, D-HH:MM:SS"
        given = {
            "cpus": count(self.cpus, "--cpus"),
            "gpus": count(self.gpus, "--gpus"),
            **{field: getattr(self, field) for field in AS_GIVEN},
            "minutes": number(self.time, "--time", _minutes, lambda m: m >= 1, wanted),
            "address": self.ray_address,
        }
        return name, {key: value for key, value in given.items() if value is not None}


def _check_logger(name: str) -> None:
    """Refuse a logger that is unknown, or whose package is not installed."""
    if name not in LOGGERS:
        raise ValueError(f"--logger {name}: choose among {', '.join(LOGGERS)}")
    if LOGGERS[name] and importlib.util.find_spec(name) is None:
        raise ValueError(f"--logger {name}: {name} is not installed: pip install {LOGGERS[name]}")


@dataclass(frozen=True, kw_only=True)
class SweepOptions(LaunchOptions, RunOptions):
    """Options that decide how a run is carried out. They do not change the run."""

    accelerator: str | None = option(None, "auto (default), cpu, gpu, ...: Lightning's names")
    threads: str | None = option(
        None, "CPU threads per run (default: an equal share of the cores)", metavar="N"
    )
    checkpoint_minutes: str | None = option(None, "minutes between checkpoints (default 5)", metavar="M")
    devices: str | None = option(
        None, "devices of a run on a node, each with a share of the batch", metavar="N"
    )
    num_nodes: str | None = option(None, "slurm: nodes of one run, each with as many devices", metavar="N")
    strategy: str | None = option(None, "ddp (default): a whole model per device, fsdp2: a share of it")
    gradient_checkpointing: bool = switch("less memory for one more forward pass per step")
    recompute_every: str | None = option(None, "gradient checkpointing of every Nth block alone", metavar="N")
    memory: str | None = option(
        None, "memory of a device, e.g. 80GB: use the fewest micro-batches per step that fit", metavar="SIZE"
    )
    logger: str | None = option(None, "also log to csv, tensorboard, wandb", metavar="A,B")

    samples: str | None = option(
        None,
        "texts that each run writes at its evaluations, in samples.jsonl next to its weights",
        metavar="N",
    )
    profile: bool = switch("trace a few steps of each run, in profile/ next to its weights")

    def execution(self) -> Execution:
        """How the runs are carried out."""
        from sweeps.config.execution import DEFAULT, Execution

        wanted = "a number of minutes above 0, e.g. 5"
        minutes = number(
            self.checkpoint_minutes, "--checkpoint-minutes", float, lambda m: 0 < m < 1e6, wanted
        )
        nodes = count(self.num_nodes, "--num-nodes") or 1
        if nodes > 1 and self.launcher != "slurm":
            raise ValueError(f"--num-nodes {nodes}: only --launcher slurm starts a run on several nodes")
        accelerator, loggers = self._accelerator(), items(self.logger) or []
        for name in loggers:
            _check_logger(name)
        samples = count(self.samples, "--samples") or 0
        if samples and self.strategy == "fsdp2":
            raise ValueError(
                "--samples: a model that is shared out (fsdp2) writes no text while it is trained"
            )
        return Execution(
            samples=samples,
            profile=self.profile,
            devices=count(self.devices, "--devices") or 1,
            num_nodes=nodes,
            gradient_checkpointing=count(self.recompute_every, "--recompute-every")
            or int(self.gradient_checkpointing),
            strategy=one_of(self.strategy, "--strategy", ("ddp", "fsdp2")) or DEFAULT.strategy,
            loggers=",".join(loggers),
            accelerator=accelerator,
            threads=count(self.threads, "--threads"),
            checkpoint_minutes=DEFAULT.checkpoint_minutes if minutes is None else minutes,
        )

    def device_memory(self) -> float | None:
        """Bytes of a device, if they were given."""
        from sweeps.driver.memory_plan import memory_bytes

        return number(self.memory, "--memory", memory_bytes, lambda b: b > 0, "a size such as 80GB or 40GiB")

    def _accelerator(self) -> str:
        """The accelerator. Raises ValueError if this machine is to train and lacks it."""
        from sweeps.config.execution import DEFAULT, gpus

        name = one_of(self.accelerator, "--accelerator", ACCELERATORS) or DEFAULT.accelerator
        wants = name in ("gpu", "cuda") and self.launcher == "local" and sys.platform == "linux"
        if wants and not gpus():
            raise ValueError(f"--accelerator {name}: this machine has none")
        return name
