"""What `parscale sweep`, `status` and `corpus` do with their parsed arguments; each returns the exit code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sweeps import grids, options
from sweeps.config import RunConfig
from sweeps.execution import DEFAULT, Execution

SWEEPS = Path("results/sweeps")
PLAN = (
    "corpus",
    "size",
    "P",
    "seed",
    "layers x width",
    "heads",
    "ffn",
    "N",
    "D",
    "lr",
    "FLOPs",
    "state GiB",
    "GiB/sequence",
)


def console() -> Console:
    """The terminal; a file or pipe gets lines wide enough for any table."""
    return Console() if sys.stdout.isatty() else Console(width=160)


def folder_of(name: str, out: str | None) -> Path:
    """Where a grid's runs go."""
    return Path(out) if out else SWEEPS / Path(name.partition(":")[0]).stem


def sweep(args: Any) -> int:
    """Plan a grid, or train it."""
    grid = grids.find(args.grid)
    options.execution_of(args)  # what is wrong is said before anything is planned
    options.place_of(args)
    configs = grid(options.axes_of(args))
    if args.dry_run:
        show_plan(grid.rule, configs, options.execution_of(args))
        return 0
    return train(grid, configs, folder_of(args.grid, args.out), args)


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
    )
    console().print(result.summary, highlight=False)
    return 0 if result.ok else 1


def show_plan(rule: str, configs: list[RunConfig], execution: Execution = DEFAULT) -> None:
    """Every run's derived shape, N, D, FLOPs and memory, largest first."""
    table = Table(box=SIMPLE_HEAD, title=f"{len(configs)} runs", caption=rule, caption_justify="left")
    for name in PLAN:
        table.add_column(name, justify="left" if name in ("corpus", "size") else "right", no_wrap=True)
    for run in sorted(configs, key=lambda run: -run.C):
        table.add_row(*plan_cells(run, execution))
    console().print(table)
    memory = "state: weights, gradients, Adam moments; a sequence: what it keeps for the backward pass"
    console().print(f"{memory}, bf16 activations", highlight=False)
    if execution.devices > 1:
        shares = "shared out among them" if execution.strategy == "fsdp2" else "a whole copy on each"
        console().print(f"both on each of {execution.devices} devices: {execution.strategy}, {shares}")
    flops, tokens = sum(run.C for run in configs), sum(run.D for run in configs)
    console().print(f"in all {flops:.3g} FLOPs and {tokens:,} tokens", highlight=False)


def plan_cells(run: RunConfig, execution: Execution = DEFAULT) -> list[str]:
    """A run's row of the plan."""
    from scaling.accounting import training_memory_bytes

    m = run.model
    shards = execution.devices if execution.strategy == "fsdp2" else 1
    state = training_memory_bytes(m.shape, 0, run.seq_len, shards=shards) / 2**30
    one = training_memory_bytes(m.shape, 1, run.seq_len, shards=shards) / 2**30 - state
    shape = (f"{m.layers} x {m.width}", f"{m.heads}/{m.kv_heads}", m.ffn)
    counts = (f"{m.N:,}", f"{run.D:,}", f"{run.lr:.3g}", f"{run.C:.2e}", f"{state:.3g}", f"{one:.3g}")
    return [str(cell) for cell in (run.corpus, run.size, m.P, run.seed, *shape, *counts)]


def status(args: Any) -> int:
    """How a sweep stands."""
    from sweeps.status import sweep_status

    folder = Path(args.sweep) if Path(args.sweep).is_dir() else SWEEPS / args.sweep
    if not folder.is_dir():
        raise ValueError(f"{args.sweep}: no sweep folder of that name, nor under {SWEEPS}")
    frame = sweep_status(folder)
    if args.json:
        print(json.dumps(json.loads(frame.to_json(orient="records")), indent=1))
        return 0
    table = Table(box=SIMPLE_HEAD, title=str(folder))
    for name in frame.columns:
        table.add_column(str(name), justify="left" if frame[name].dtype.kind not in "fiu" else "right")
    for row in frame.itertuples(index=False):
        table.add_row(*map(cell, row))
    console().print(table)
    return 0


def cell(value: Any) -> str:
    """A value of a table; nothing for what is missing."""
    if value is None or value != value:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def corpus(args: Any) -> int:
    """Build or verify a corpus and describe it."""
    from sweeps import corpora

    say = Console(stderr=True)
    built = corpora.load(args.name, args.vocab, report=lambda line: say.print(line, highlight=False))
    facts = built.manifest
    if args.json:
        print(json.dumps(facts, indent=1))
        return 0
    table = Table(box=SIMPLE_HEAD, title=f"corpus {args.name}, vocabulary {args.vocab}", show_header=False)
    for part in ("train", "valid"):
        tokens, size = facts[part]["tokens"], facts[part]["bytes"]
        table.add_row(part, f"{tokens:,} tokens, {size:,} bytes, {size / tokens:.2f} bytes a token")
    for key, value in facts.items():
        if key not in ("train", "valid"):
            table.add_row(str(key), json.dumps(value) if isinstance(value, dict | list) else str(value))
    table.add_row("folder", str(built.folder))
    console().print(table)
    return 0
