"""Regenerate the paper: every fit, table and figure, and an audit of its claims."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from parscale.cli.options import option

EXAMPLES = ("reproduce --out build/paper",)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `parscale reproduce`."""

    out: str | None = option(None, "folder for fits/, tables/ and figures/ (default results)", metavar="PATH")


def run(options: Options) -> int:
    """Regenerate the paper, print published against ours."""
    from rich.console import Console

    from analysis.paper import reproduce
    from parscale.cli.output import show

    with Console(file=sys.stdout).status("reproducing") as state:
        made = reproduce.run(Path(options.out or "results"), progress=lambda step: state.update(step))
    show(made.constants, "published and ours", keys=2)
    show(made.claims, "claims")
    print(f"{len(made.files)} files in {made.out}, {made.seconds:.0f} s")
    return 0
