"""What `parscale sweep`, `status` and `corpus` do with their parsed arguments; each returns the exit code."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from parscale.cli import sweep_options
from sweeps.config.execution import slow_bfloat16
from sweeps.config.run import RunConfig
from sweeps.driver.progress import clock
from sweeps.grids import grids
from sweeps.store.status import SWEEPS

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
    sweep_options.execution_of(args)  # what is wrong is said before anything is planned
    place, _ = sweep_options.place_of(args)
    axes, folder = sweep_options.axes_of(args), folder_of(args.grid, args.out)
    configs = grid(axes)
    if axes.tokenizer:  # which the rule, as the grid states it, does not know of
        vocab = ", ".join(sorted({f"{run.model.vocab:,}" for run in configs}))
        grid = replace(grid, rule=f"{grid.rule}; but tokenizer {axes.tokenizer}, vocabulary {vocab}")
    low = place == "local" and any(run.precision == "bf16" for run in configs)
    if low and slow_bfloat16(sweep_options.execution_of(args)):
        console().print(SLOW, highlight=False, soft_wrap=True)
    if args.dry_run:
        return dry_run(grid, configs, folder, args)
    return train(grid, configs, folder, args)


def dry_run(grid: grids.Grid, configs: list[RunConfig], folder: Path, args: Any) -> int:
    """Print what the grid would take."""
    from sweeps.driver import dry_run

    remarks = _out_of_reach(dict.fromkeys(run.corpus for run in configs))
    execution = sweep_options.execution_of(args)
    place, _ = sweep_options.place_of(args)
    forecast = dry_run.forecast(configs, folder, execution, args.workers, place, sweep_options.rate_of(args))
    dry_run.show(console(), grid.rule, configs, execution, forecast)
    for words in remarks:
        console().print(f"cannot be trained here: {words}", highlight=False, soft_wrap=True)
    return 0


def _out_of_reach(corpora: Iterable[str]) -> list[str]:
    """Why the paper's corpora, which can be planned, are not to be had; an unknown one is refused."""
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


def train(grid: grids.Grid, configs: list[RunConfig], folder: Path, args: Any) -> int:
    """Train what the folder lacks; 1 unless every run has a row."""
    from sweeps.driver.run_sweep import find_launcher, run_sweep

    place, settings = sweep_options.place_of(args)
    result = run_sweep(
        configs,
        folder,
        name=grid.name,
        rule=grid.rule,
        workers=args.workers,
        launcher=find_launcher(place, **settings),
        execution=sweep_options.execution_of(args),
        retry_diverged=getattr(args, "retry_diverged", False),
        fork=getattr(args, "fork", False),
    )
    console().print(result.summary, highlight=False, soft_wrap=True)
    return 0 if result.ok else 1


def status(args: Any) -> int:
    """How a sweep stands."""
    from sweeps.store.status import sweep_folder, sweep_status

    folder = sweep_folder(args.sweep)
    by_domain = getattr(args, "domains", False)
    frame = _domains(folder) if by_domain else _in_bits(sweep_status(folder), folder)
    if args.json:
        print(json.dumps(_records(frame), indent=1, allow_nan=False))
        return 0
    if by_domain:
        show(_told(frame, ["domain"], ["tokens"]), f"{folder}: held-out loss by domain")
        return 0
    show(_standing(frame), str(folder))
    for run in frame[frame["error"] != ""].to_dict("records"):
        console().print(f"{run['size']} P={run['P']} seed {run['seed']}: {run['error']}", highlight=False)
    counts = frame["state"].value_counts()
    told = ", ".join(f"{count} {state}" for state, count in counts.items())
    console().print(f"{len(frame)} runs: {told}", highlight=False)
    return 0


def _records(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    """Rows as JSON values at full precision; null for a number that is missing or infinite."""

    def known(value: Any) -> Any:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return [{name: known(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _in_bits(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The state of a sweep's runs, with the tokens they count in and the finished ones' bits per byte."""
    from sweeps.store.store import Store

    store = Store(folder)
    table = store.table()
    known = "bits_per_byte" in table  # not in tables of old
    bits: dict[str, float] = dict(zip(table["run_id"], table["bits_per_byte"], strict=True)) if known else {}
    configs, run_ids = store.configs(), list(frame.get("run_id", ()))
    return frame.assign(
        tokenizer=[configs[run_id].tokenizer for run_id in run_ids],
        vocab=[configs[run_id].model.vocab for run_id in run_ids],
        bits_per_byte=[bits.get(run_id, math.nan) for run_id in run_ids],
    )


def _domains(folder: Path) -> pd.DataFrame:
    """Held-out loss of each finished run, domain by domain, small models first."""
    from sweeps.store.checksums import read_parquet
    from sweeps.store.store import Store

    path = folder / "domains.parquet"
    if not path.exists():
        raise ValueError(f"{folder} has no losses by domain yet: they are gathered when the sweep ends")
    facts = [
        {"run_id": run_id, "N": run.model.N, "P": run.model.P, "vocab": run.model.vocab}
        | {name: getattr(run, name) for name in ("corpus", "tokenizer", "recipe", "size", "seed")}
        for run_id, run in Store(folder).configs().items()
    ]
    found = read_parquet(path).merge(pd.DataFrame(facts), on="run_id")
    return found.sort_values(["corpus", "domain", "N", "P", "seed"], ignore_index=True)


def _standing(frame: pd.DataFrame) -> pd.DataFrame:
    """What of a sweep's state is worth a glance, within a terminal's width."""
    told = frame.assign(step=frame["step"].astype(str) + "/" + frame["steps"].astype(str))
    told["left"] = [clock(eta) if eta is not None and eta == eta else "" for eta in frame["eta_s"]]
    if len(frame[["corpus", "tokenizer", "vocab"]].drop_duplicates()) == 1:  # nats per token compare
        del told["bits_per_byte"]
    going = ["tokens_per_s", "left"] if (frame["state"] == "running").any() else []
    return _told(told, [], ["state", "step"], going or ["run_id"])  # the folder under checkpoints/


def _told(frame: pd.DataFrame, first: list[str], then: list[str], last: Sequence[str] = ()) -> pd.DataFrame:
    """Columns of a table of runs: what names a run, `then`, its losses to four decimals, `last`."""
    losses = [name for name in ("loss", "bits_per_byte") if name in frame]
    written = {name: [f"{x:.4f}" if x is not None and x == x else "" for x in frame[name]] for name in losses}
    names = ("corpus", "tokenizer", "vocab", "recipe")
    varied = [name for name in names if len(frame[name].unique()) > 1]
    return frame.assign(**written)[[*varied, *first, "size", "P", "seed", *then, *losses, *last]].rename(
        columns={"bits_per_byte": "bits/byte"}
    )


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
    from sweeps.corpora import build as corpora
    from sweeps.corpora import documents, tokens
    from sweeps.corpora.sources import huggingface

    say = partial(Console(stderr=True).print, highlight=False, soft_wrap=True)
    own = None if args.tokenizer == "bpe" else tokens.entries(huggingface.tokenizer_file(args.tokenizer))
    vocab = own or VOCAB if args.vocab is None else args.vocab
    built = corpora.load(args.name, vocab, report=say, tokenizer=args.tokenizer)
    if args.json:
        print(json.dumps(built.manifest, indent=1))
        return 0
    parts = {"training": built.manifest["train"], "held out": built.manifest["valid"]}
    console().print(f"corpus {args.name}", highlight=False, soft_wrap=True, markup=False)  # may be long
    _counted(f"tokenizer {args.tokenizer}, vocabulary {vocab:,}", parts)
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
