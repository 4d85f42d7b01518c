"""Train results/grids/worth.py in the order that results/LOG.md asks for, and register its forecasts in between.

    python -m results.grids.worth_stages --dry-run
    nice -n 5 python -m results.grids.worth_stages

Seed 0 of the two small sizes, then their other seeds; then each arm's loss at the two large sizes is forecast from the small
ones and registered in results/forecasts/worth; only then those are trained, and the tables made. Stopped at any moment, the
same command goes on: what the folder holds is not trained again, and a registered forecast is left as it is.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import pandas as pd

from parscale.cli.main import main as parscale
from results.grids import worth, worth_table

OUT, THINKING = "results/sweeps/worth", "results/sweeps/worth-thinking"
FORECASTS = Path("results/forecasts/worth/forecast.json")
GRID = "results/grids/worth.py"


def sized(sizes: tuple[str, ...], seeds: str) -> str:
    """A call of the sweep: every arm at these sizes and seeds."""
    named = ",".join(f"{size}{arm}" for size in sizes for arm in worth.ARMS)
    return f"sweep {GRID} --sizes {named} --seeds {seeds} --workers 1 --threads 1 --out {OUT}"


def stages() -> list[str]:
    """The calls of `parscale`, in order."""
    small, large = worth.SIZES[:2], worth.SIZES[2:]
    at = ",".join(str(worth.model_of(size, "", 1, worth.RULE.vocab).N) for size in large)
    return [
        f"sweep {GRID} --sizes {small[1]} --streams 1 --workers 1 --threads 1 --out {OUT}",  # the noise
        sized(small, "0"),
        f"sweep {GRID}:thinking --workers 1 --threads 1 --out {THINKING}",
        sized(small, "1,2"),
        f"forecast {OUT}/arms.csv --columns N=backbone_N --by line --laws dense:E=0 --N {at} --save {FORECASTS}",
        sized(large[:1], "0,1,2"),
        sized(large[1:], "0,1,2"),
    ]


def registered() -> bool:
    """Whether the forecasts are there, and so never made anew; ValueError where their runs are there without them."""
    if any(FORECASTS.parent.glob("*.json")):
        return True
    late = {*pd.read_csv(f"{OUT}/arms.csv")["size"]} - {*worth.SIZES[:2]}
    if late:
        raise ValueError(
            f"{OUT} has runs of {', '.join(sorted(late))}: too late to register forecasts of them"
        )
    return False


def main() -> int:
    """Run what is left."""
    parser = argparse.ArgumentParser(
        "python -m results.grids.worth_stages", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--dry-run", action="store_true", help="print the calls, run nothing")
    if parser.parse_args().dry_run:
        print(*(f"parscale {call}" for call in stages()), sep="\n")
        return 0
    for call in stages():
        print(f"parscale {call}", flush=True)
        if call.startswith("forecast"):
            if registered():
                continue
            FORECASTS.parent.mkdir(parents=True, exist_ok=True)
        if code := parscale(shlex.split(call)):
            return code
        if GRID + " " in call:
            worth_table.write_worth(OUT, "results/tables")
    return 0


if __name__ == "__main__":
    sys.exit(main())
