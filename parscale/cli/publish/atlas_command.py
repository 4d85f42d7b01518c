"""Refit published laws to their own runs: reproduced constants, better rivals, forecasts of the largest runs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from parscale.cli.options import option

EXAMPLES = ("atlas", "atlas --out build/atlas")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `parscale atlas`."""

    out: str | None = option(None, "folder to write to (default results/atlas)", metavar="PATH")


def run(options: Options) -> int:
    """Write the atlas, print its table and where it is."""
    from rich.console import Console

    from analysis.atlas.write import SHOWN, write_atlas
    from parscale.cli.output import show

    with Console(file=sys.stdout).status("refitting") as state:
        made = write_atlas(Path(options.out or "results/atlas"), progress=lambda step: state.update(step))
    show(made.table[[*SHOWN]].fillna("").rename(columns=SHOWN), "published laws on their own runs", keys=1)
    print(f"{made.files[1]}, {made.files[0]} and {len(made.files) - 2} figures")
    return 0
