"""Train what a grid's folder does not hold yet; stopped at any moment, the same command goes on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from parscale.cli.options import argument, option, switch

if TYPE_CHECKING:
    from sweeps.config.run import RunConfig
    from sweeps.grids.grids import Grid

EXAMPLES = ("sweep paper --dry-run", "sweep demo --streams 1,2 --out results/sweeps/two")
TOKENIZER = "bpe (default: learnt from the corpus), a tokenizer.json, or hf:NAME; it sets the vocabulary"
SLOW = "bf16: this CPU has no instructions for bfloat16, products take 5 to 100 times float32's time"


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options that decide which runs there are."""

    grid: str = argument("ci, demo, laptop, paper, or your own: FILE.py[:FUNCTION]", metavar="GRID")
    sizes: str | None = option(None, "only these, e.g. 64x2,96x3", metavar="A,B")
    streams: str | None = option(None, "only these, e.g. 1,2,4", metavar="A,B")
    corpora: str | None = option(None, "only these, e.g. stdlib,code", metavar="A,B")
    seeds: str | None = option(None, "only these, e.g. 0,1,2", metavar="A,B")
    tokens: str | None = option(None, "training tokens a run, e.g. 10M", metavar="D")
    recipe: str | None = option(None, "scratch, two-stage, continual, peft")
    base: str | None = option(None, "checkpoint folder that continual and peft start from", metavar="DIR")
    stage2_share: str | None = option(
        None, "two-stage: stage 2's share of the tokens, e.g. 0.02", metavar="X"
    )
    start: str | None = option(
        None, "two-stage, continual, peft: streams begin random (default), or quiet: at their base's loss"
    )
    tokenizer: str | None = option(None, TOKENIZER, metavar="T")
    precision: str | None = option(None, "float32, bf16 (default the grid's own)")
    repeat: bool = switch("read a corpus again when it holds too few tokens")
    retry_diverged: bool = switch("train diverged runs again")
    fork: bool = switch("go on though code or configurations have changed")
    dry_run: bool = switch("print every run's shape, N, D, FLOPs, memory and hours, train nothing")
    rate: str | None = option(None, "--dry-run: FLOP/s one run sustains (default: timed here)", metavar="F")


@dataclass(frozen=True, kw_only=True)
class HardwareOptions:
    """Options that decide how a run is carried out: the same run whatever they say."""

    accelerator: str | None = option(None, "auto (default), cpu, gpu, ...: Lightning's names")
    threads: str | None = option(None, "CPU threads a run (default: the cores shared out)", metavar="N")
    checkpoint_minutes: str | None = option(None, "minutes between checkpoints (default 5)", metavar="M")
    devices: str | None = option(
        None, "devices of a run on a node, each with a share of the batch", metavar="N"
    )
    num_nodes: str | None = option(None, "slurm: nodes of one run, each with as many devices", metavar="N")
    strategy: str | None = option(None, "ddp (default): a whole model a device; fsdp2: a share of it")
    gradient_checkpointing: bool = switch("less memory, a forward pass more a step")
    logger: str | None = option(None, "also log to csv, tensorboard, wandb", metavar="A,B")


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """Options that decide where runs are trained."""

    workers: str = option("auto", "runs at a time (default auto: one a core)")
    launcher: str = option("local", "where runs are trained: local (default), slurm, ray")
    cpus: str | None = option(None, "slurm, ray: CPU cores a run (default 1)", metavar="N")
    gpus: str | None = option(None, "slurm, ray: GPUs a run (default none)", metavar="N")
    partition: str | None = option(None, "slurm: where to submit (default the cluster's own)")
    time: str | None = option(None, "slurm: limit, minutes or H:MM (default 24:00; requeued)", metavar="T")
    ray_address: str | None = option(
        None, "ray: the cluster's head (default this machine's)", metavar="HOST:PORT"
    )


@dataclass(frozen=True, kw_only=True)
class Options(LaunchOptions, HardwareOptions, RunOptions):
    """Options of `parscale sweep`."""

    out: str | None = option(None, "the sweep's folder (default results/sweeps/GRID)", metavar="PATH")


def run(options: Options) -> int:
    """Plan a grid, or train it."""
    from parscale.cli.train.sweep_settings import axes_of, execution_of, launcher_of
    from sweeps.config.execution import slow_bfloat16
    from sweeps.grids import grids

    grid = grids.find(options.grid)
    execution = execution_of(options)  # what is wrong is said before anything is planned
    place, _ = launcher_of(options)
    axes, folder = axes_of(options), folder_of(options.grid, options.out)
    configs = grid(axes)
    if axes.tokenizer:  # which the rule, as the grid states it, does not know of
        vocab = ", ".join(sorted({f"{run.model.vocab:,}" for run in configs}))
        grid = replace(grid, rule=f"{grid.rule}; but tokenizer {axes.tokenizer}, vocabulary {vocab}")
    low = place == "local" and any(run.precision == "bf16" for run in configs)
    if low and slow_bfloat16(execution):
        print(SLOW)
    return (plan if options.dry_run else train)(grid, configs, folder, options)


def folder_of(name: str, out: str | None) -> Path:
    """Where a grid's runs go."""
    from sweeps.store.status import SWEEPS

    path, _, function = name.partition(":")
    return Path(out) if out else SWEEPS / "-".join([Path(path).stem, *([function] if function else [])])


def plan(grid: Grid, configs: list[RunConfig], folder: Path, options: Options) -> int:
    """Print what the grid would take."""
    from parscale.cli.output import show
    from parscale.cli.train.sweep_settings import execution_of, launcher_of, rate_of
    from sweeps.driver import dry_run

    remarks = _out_of_reach(dict.fromkeys(run.corpus for run in configs))
    execution = execution_of(options)
    place, _ = launcher_of(options)
    forecast = dry_run.forecast(configs, folder, execution, options.workers, place, rate_of(options))
    show(dry_run.table(configs, execution, forecast), f"{len(configs)} runs", grid.rule, keys=3)
    print("\n".join(dry_run.sums(configs, execution, forecast)))
    for words in remarks:
        print(f"cannot be trained here: {words}")
    return 0


def _out_of_reach(corpora: Iterable[str]) -> list[str]:
    """Why the paper's corpora, which can be planned, cannot be had here; an unknown one is refused."""
    from sweeps.corpora.sources.registry import PAPERS, source_of

    remarks = []
    for name in corpora:
        try:
            source_of(name)
        except ValueError as error:
            if name not in PAPERS:
                raise
            remarks.append(str(error))
    return remarks


def train(grid: Grid, configs: list[RunConfig], folder: Path, options: Options) -> int:
    """Train what the folder lacks; 1 unless every run has a row."""
    from parscale.cli.train.sweep_settings import execution_of, launcher_of
    from sweeps.driver.run_sweep import find_launcher, run_sweep

    place, settings = launcher_of(options)
    result = run_sweep(
        configs,
        folder,
        name=grid.name,
        rule=grid.rule,
        workers=options.workers,
        launcher=find_launcher(place, **settings),
        execution=execution_of(options),
        retry_diverged=options.retry_diverged,
        fork=options.fork,
    )
    print(result.summary, flush=True)
    return 0 if result.ok else 1
