"""Train the runs that a grid's folder does not hold yet. After any stop, the same command resumes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parscale.cli.options import option
from parscale.cli.train.sweep_options import SweepOptions

if TYPE_CHECKING:
    from sweeps.config.execution import Execution
    from sweeps.config.run import RunConfig
    from sweeps.driver.search_sweep import SearchResult
    from sweeps.driver.sweep_result import SweepResult
    from sweeps.grids.grids import Grid
    from sweeps.grids.search import Search

EXAMPLES = (
    "sweep paper --dry-run",
    "sweep demo --streams 1,2 --out results/sweeps/two",
    "sweep demo --sizes 64x2 --search lr=1e-3..1e-1 --out results/sweeps/my-rates",
    "sweep demo --sizes 64x2 --search lr=1e-3..1e-1 --stop-losers",
)
SLOW = "bf16: this CPU has no instructions for bfloat16, products take 5 to 100 times float32's time"
EAGER = "compile: there is no C++ compiler here, so runs train without it. Install g++ or set CXX"


@dataclass(frozen=True, kw_only=True)
class Options(SweepOptions):
    """Options of `parscale sweep`."""

    out: str | None = option(None, "the sweep's folder (default results/sweeps/GRID)", metavar="PATH")


def run(options: Options) -> int:
    """Plan a grid, or train it."""
    from sweeps.driver.memory_plan import all_fitted
    from sweeps.grids import grids

    grid = grids.find(options.grid)
    execution = options.execution()  # errors are reported before anything is planned
    place, _ = options.place()
    memory = options.device_memory()
    axes, folder = options.axes(), folder_of(options.grid, options.out)
    configs, search = grid(axes), options.searched()
    if search and options.detach:
        raise ValueError("--detach: a search decides between its rounds, so its driver must stay")
    if axes.tokenizer:  # which the grid's own rule does not state
        vocab = ", ".join(sorted({f"{run.model.vocab:,}" for run in configs}))
        grid = replace(grid, rule=f"{grid.rule}, but tokenizer {axes.tokenizer}, vocabulary {vocab}")
    if axes.mup_base:
        grid = replace(
            grid, rule=f"{grid.rule}, but rates and initialisation of width {axes.mup_base}, by muP"
        )
    for words in slow_here(configs, execution) if place == "local" else ():
        print(words)
    for run in configs:
        run.check_shared(execution.ranks)
    if memory and not options.dry_run:
        configs = all_fitted(configs, execution, memory)
    return (plan if options.dry_run else train_grid)(grid, configs, folder, options, search)


def slow_here(configs: list[RunConfig], execution: Execution) -> list[str]:
    """What makes the runs slow on the CPU of this machine, in words as wide as the terminal."""
    from scaling.terminal_text import fold, width
    from sweeps.config.execution import cxx_compiler, on_cpu, slow_bfloat16

    said = []
    if any(run.precision == "bf16" for run in configs) and slow_bfloat16(execution):
        said.append(SLOW)
    if any(run.compile for run in configs) and on_cpu(execution) and cxx_compiler() is None:
        said.append(EAGER)
    return [fold(words, width()) for words in said]


def folder_of(name: str, out: str | None) -> Path:
    """Where a grid's runs go."""
    from sweeps.store.status import SWEEPS

    path, _, function = name.partition(":")
    return Path(out) if out else SWEEPS / "-".join([Path(path).stem, *([function] if function else [])])


def plan(
    grid: Grid, configs: list[RunConfig], folder: Path, options: Options, search: Search | None = None
) -> int:
    """Print what the grid would take, of a search every value to its end."""
    from parscale.cli.output import show
    from sweeps.driver import dry_run

    configs = search.candidates(configs) if search else configs
    remarks = _out_of_reach(dict.fromkeys(run.corpus for run in configs))
    execution = options.execution()
    place, _ = options.place()
    time = dry_run.plan_time(configs, folder, execution, options.workers, place, options.flops_per_s())
    show(
        dry_run.plan_table(configs, execution, time, options.device_memory()),
        f"{len(configs)} runs",
        grid.rule,
        keys=3,
    )
    print("\n".join(dry_run.sums(configs, execution, time)))
    if search:
        about = "at most about" if search.hopeless else "about"
        print(f"of which the search takes {about} {search.share:.0%}: losers stop at {search.told_rungs}")
    for words in remarks:
        print(f"cannot be trained here: {words}")
    return 0


def _out_of_reach(corpora: Iterable[str]) -> list[str]:
    """Why the paper's corpora can be planned but not trained on here. An unknown corpus is refused."""
    from sweeps.corpora.sources.registry import PAPERS, check_name

    remarks = []
    for name in corpora:
        try:
            check_name(name)
        except ValueError as error:
            if name not in PAPERS:
                raise
            remarks.append(str(error))
    return remarks


def train_grid(
    grid: Grid, configs: list[RunConfig], folder: Path, options: Options, search: Search | None = None
) -> int:
    """Train what the folder lacks. Returns 1 unless every run has a row, and every point of a search its best value."""
    from sweeps.driver.run_sweep import find_launcher, run_sweep
    from sweeps.driver.search_sweep import search_sweep

    place, settings = options.place()
    how: dict[str, Any] = {
        "name": grid.name,
        "rule": grid.rule,
        "workers": options.workers,
        "launcher": find_launcher(place, **settings),
        "execution": options.execution(),
        "retry_diverged": options.retry_diverged,
        "fork": options.fork,
    }
    result: SweepResult | SearchResult = (
        search_sweep(configs, search, folder, **how)
        if search
        else run_sweep(configs, folder, detach=options.detach, **how)
    )
    print(result.summary, flush=True)
    return 0 if result.ok else 1
