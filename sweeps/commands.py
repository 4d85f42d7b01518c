"""What `parscale sweep`, `status` and `corpus` do with their parsed arguments; each returns the exit code."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sweeps import grids, options
from sweeps.config import RunConfig
from sweeps.execution import slow_bfloat16
from sweeps.progress import clock
from sweeps.status import SWEEPS

VOCAB = 2048  # of `parscale corpus` where nothing else is said
MOST = 12  # domains of a corpus that it shows one by one
SLOW = "bf16: this CPU has no instructions for bfloat16, products take 5 to 100 times float32's time"


def console() -> Console:
    """The terminal; a file or pipe gets lines wide enough for any table."""
    return Console() if sys.stdout.isatty() else Console(width=160)


def folder_of(name: str, out: str | None) -> Path:
    """Where a grid's runs go."""
    path, _, function = name.partition(":")
    return Path(out) if out else SWEEPS / "-".join([Path(path).stem, *([function] if function else [])])


def sweep(args: Any) -> int:
    """Plan a grid, or train it."""
    grid = grids.find(args.grid)
    options.execution_of(args)  # what is wrong is said before anything is planned
    options.place_of(args)
    axes, folder = options.axes_of(args), folder_of(args.grid, args.out)
    configs = grid(axes)
    if axes.tokenizer:  # which the rule, as the grid states it, does not know of
        vocab = ", ".join(sorted({f"{run.model.vocab:,}" for run in configs}))
        grid = replace(grid, rule=f"{grid.rule}; but tokenizer {axes.tokenizer}, vocabulary {vocab}")
    if any(run.precision == "bf16" for run in configs) and slow_bfloat16(options.execution_of(args)):
        console().print(SLOW, highlight=False, soft_wrap=True)
    if args.dry_run:
        return dry_run(grid, configs, folder, args)
    return train(grid, configs, folder, args)


def dry_run(grid: grids.Grid, configs: list[RunConfig], folder: Path, args: Any) -> int:
    """Print what the grid would take."""
    from sweeps import plan

    execution = options.execution_of(args)
    place, _ = options.place_of(args)
    forecast = plan.forecast(configs, folder, execution, args.workers, place, options.rate_of(args))
    plan.show(console(), grid.rule, configs, execution, forecast)
    return 0


def train(grid: grids.Grid, configs: list[RunConfig], folder: Path, args: Any) -> int:
    """Train what the folder lacks; 1 unless every run has a row."""
    from sweeps.launch import find_launcher, run_sweep

    place, settings = options.place_of(args)
    result = run_sweep(
        configs,
        folder,
        name=grid.name,
        rule=grid.rule,
        workers=args.workers,
        launcher=find_launcher(place, **settings),
        execution=options.execution_of(args),
        retry_diverged=getattr(args, "retry_diverged", False),
        fork=getattr(args, "fork", False),
    )
    console().print(result.summary, highlight=False, soft_wrap=True)
    return 0 if result.ok else 1


def status(args: Any) -> int:
    """How a sweep stands."""
    from sweeps.status import sweep_folder, sweep_status

    folder = sweep_folder(args.sweep)
    frame = sweep_status(folder)
    if args.json:
        print(json.dumps(json.loads(frame.to_json(orient="records")), indent=1))
        return 0
    show(_standing(frame), str(folder))
    for run in frame[frame["error"] != ""].to_dict("records"):
        console().print(f"{run['size']} P={run['P']} seed {run['seed']}: {run['error']}", highlight=False)
    counts = frame["state"].value_counts()
    told = ", ".join(f"{count} {state}" for state, count in counts.items())
    console().print(f"{len(frame)} runs: {told}", highlight=False)
    return 0


def _standing(frame: pd.DataFrame) -> pd.DataFrame:
    """What of a sweep's state is worth a glance, within a terminal's width."""
    told = frame.assign(step=frame["step"].astype(str) + "/" + frame["steps"].astype(str))
    told["loss"] = [f"{loss:.4f}" if loss is not None and loss == loss else "" for loss in frame["loss"]]
    told["left"] = [clock(eta) if eta is not None and eta == eta else "" for eta in frame["eta_s"]]
    varied = [name for name in ("corpus", "recipe") if len(frame[name].unique()) > 1]
    going = ["tokens_per_s", "left"] if (frame["state"] == "running").any() else []
    return told[[*varied, "size", "P", "seed", "state", "step", "loss", *going]]


def show(frame: pd.DataFrame, title: str, caption: str = "") -> None:
    """Print a table, numbers to the right."""
    table = Table(box=SIMPLE_HEAD, title=title, caption=caption or None)
    for name in frame.columns:
        table.add_column(str(name), justify="left" if frame[name].dtype.kind not in "fiu" else "right")
    for row in frame.itertuples(index=False):
        table.add_row(*map(cell, row))
    console().print(table)


def cell(value: Any) -> str:
    """A value of a table; nothing for what is missing."""
    if value is None or value != value:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def corpus(args: Any) -> int:
    """Build or verify a corpus and describe it."""
    from sweeps import corpora, documents, hub, tokens

    say = partial(Console(stderr=True).print, highlight=False, soft_wrap=True)
    own = None if args.tokenizer == "bpe" else tokens.entries(hub.tokenizer_file(args.tokenizer))
    vocab = args.vocab or own or VOCAB
    built = corpora.load(args.name, vocab, report=say, tokenizer=args.tokenizer)
    if args.json:
        print(json.dumps(built.manifest, indent=1))
        return 0
    parts = {"training": built.manifest["train"], "held out": built.manifest["valid"]}
    _counted(f"corpus {args.name}: tokenizer {args.tokenizer}, vocabulary {vocab:,}", parts)
    domains = documents.domains_of(built.manifest)
    if len(domains) > 1:
        _counted(f"{len(domains)} domains", domains)
    for line in [*documents.described(built.manifest), f"hash {built.hash[:12]}, in {built.folder}"]:
        console().print(line, highlight=False, soft_wrap=True, markup=False)
    return 0


def _counted(title: str, parts: dict[str, dict[str, int]]) -> None:
    """Print documents, bytes, tokens and bytes a token of the largest parts, and of the others together."""
    order = sorted(parts, key=lambda name: -parts[name]["bytes"])
    rows = {name: parts[name] for name in order[:MOST]}
    if others := order[MOST:]:
        rest = {key: sum(parts[name][key] for name in others) for key in ("documents", "bytes", "tokens")}
        rows[f"{len(others)} more"] = rest
    table = Table(box=SIMPLE_HEAD, title=title)
    table.add_column("", overflow="ellipsis", no_wrap=True)
    for name in ("documents", "bytes", "tokens", "bytes a token"):
        table.add_column(name, justify="right")
    for name, of in rows.items():
        each = f"{of['bytes'] / of['tokens']:.2f}"
        table.add_row(name, f"{of['documents']:,}", f"{of['bytes']:,}", f"{of['tokens']:,}", each)
    console().print(table)
