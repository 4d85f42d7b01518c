"""Validation loss of a sweep's runs by what could be copied: repeated pairs, seen and new tokens."""

from __future__ import annotations

from dataclasses import dataclass

from parscale.cli.option_values import tokens
from parscale.cli.options import argument, option

EXAMPLES = ("context results/sweeps/demo --tokens 200k",)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `parscale context`."""

    sweep: str = argument("a sweep folder whose checkpoints/ are kept", metavar="SWEEP")
    tokens: str = option("200k", "validation tokens read with each run (default 200k)")


def run(options: Options) -> int:
    """Read validation text with every finished run, write the table and print it."""
    from parscale.cli.output import show
    from sweeps.inspect.loss_by_context import PARTS, TABLE, measure_context
    from sweeps.store.status import sweep_folder

    folder, read = sweep_folder(options.sweep), tokens(options.tokens, example="50k")
    found = measure_context(folder, read or 0)
    shares = ", ".join(f"{part} {found[f'share_{part}'].mean():.0%}" for part in PARTS)
    names = ["size", "P", "seed", *(f"loss_{part}" for part in PARTS)]
    show(found[names], "validation loss by what came before", f"of the text: {shares}", keys=3)
    print(f"written {folder / TABLE}")
    return 0
