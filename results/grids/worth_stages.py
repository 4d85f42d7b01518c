"""Train results/grids/worth.py in the order that results/LOG.md asks for, and register its forecasts in between.

    python -m results.grids.worth_stages --dry-run
    nice -n 5 python -m results.grids.worth_stages

Without worth_rates.json first the trials of rates, also beyond the edge of what was tried, and the choice. Then seed 0 of the
two small sizes and their other seeds, more of them on sums, whose runs scatter more; then each arm's loss at the two large sizes
is forecast from the small ones and registered in results/forecasts/worth; only then those are trained. Then come the
arms whose rate was chosen as twice the plain model's, at its rate, worked steps, two sizes between the others, and more seeds
of sums at the large sizes.
The tables are made after each stage. Stopped at any moment, the same command goes on: what a folder holds is not trained again,
and a registered forecast is left as it is.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd

from results.grids import worth, worth_rates

OUT, THINKING, SEARCH = "results/sweeps/worth", "results/sweeps/worth-thinking", "results/sweeps/worth-rates"
ONCE = "results/sweeps/worth-once"
FORECASTS = Path("results/forecasts/worth/forecast.json")
GRID = "results/grids/worth.py"
MORE_SEEDS = "3,4,5"  # on sums alone, by the rule of noise in results/LOG.md


def sized(sizes: tuple[str, ...], seeds: str, corpora: str = "") -> str:
    """A call of the sweep: every arm at these sizes and seeds, on these corpora (both where none is named)."""
    named = ",".join(f"{size}{arm}" for size in sizes for arm in worth.ARMS)
    corpora = f"--corpora {corpora} " if corpora else ""
    return f"sweep {GRID} --sizes {named} --seeds {seeds} {corpora}--workers 1 --threads 1 --out {OUT}"


def stages() -> list[str]:
    """The calls of `parscale`, in order."""
    small, large = worth.SIZES[:2], worth.SIZES[2:]
    one = "--workers 1 --threads 1 --out"
    again = f"--seeds 0,1,2 {one} {ONCE}"  # arms of twice the plain model's rate, at its rate
    worked = f"{worth.HOPS}#steps=3"
    at = ",".join(str(worth.model_of(size, "", 1, worth.RULE.vocab).N) for size in large)
    return [
        f"sweep {GRID} --sizes {small[1]} --streams 1 --workers 1 --threads 1 --out {OUT}",  # the noise
        sized(small, "0"),
        sized(small, "1,2"),
        sized(small, MORE_SEEDS, worth.REASONING),
        f"forecast {OUT}/arms.csv --columns N=backbone_N --by line --laws dense:E=0 --N {at} --save {FORECASTS}",
        sized(large[:1], "0,1,2"),
        sized(large[1:], "0,1,2"),
        f"sweep {GRID}:once --sizes {large[0]} --streams 2 {again}",
        f"sweep {GRID}:once --sizes {large[0]}r2,{large[0]}compute --streams 1 {again}",
        f"sweep {GRID}:thinking {one} {THINKING}",
        f"sweep {GRID}:thinking --sizes {small[1]},{small[1]}r4 --streams 1,4 --corpora {worked} --seeds 1,2 {one} {THINKING}",
        f"sweep {GRID}:once --sizes {small[1]} --streams 2 --corpora {worked} {again}",
        f"sweep {GRID}:once --sizes {small[1]}r2 --streams 1 --corpora {worked} {again}",
        sized(worth.BETWEEN, "0,1,2", worth.MEMORY),
        sized(worth.BETWEEN, "0,1,2", worth.REASONING),
        sized(large, MORE_SEEDS, worth.REASONING),
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


def run(program: str) -> None:
    """A program of Python's -m as a process of its own; CalledProcessError if it fails."""
    print(f"python -m {program}", flush=True)
    subprocess.run([sys.executable, "-m", *shlex.split(program)], check=True)


def trials(name: str, arms: list[str]) -> list[str]:
    """The calls that try a rate for some arms, P1, P2 and P4 among them, at the second size."""
    size, streams = worth.SIZES[1], [arm[1:] for arm in arms if arm.startswith("P")]
    others = [f"{size}{arm}" for arm in arms if not arm.startswith("P")]
    how = f"--seeds 0 --workers 1 --threads 1 --out {SEARCH}/{name}"
    calls = [f"sweep {GRID}:{name} --sizes {size} --streams {','.join(streams)} {how}"] if streams else []
    return calls + ([f"sweep {GRID}:{name} --sizes {','.join(others)} --streams 1 {how}"] if others else [])


def search() -> None:
    """Try rates, once more beyond the edge, and choose."""
    if not Path(f"{SEARCH}/runs.parquet").exists():
        everyone = ["P1", "P2", "P4", *filter(None, worth.ARMS)]
        for name in ("once", "half", "double"):
            for call in trials(name, everyone):
                run(f"parscale {call}")
        run(f"results.grids.collect {SEARCH}")
    table = worth_rates.tried_rates(worth_rates.trials_of(SEARCH))
    best, edges = worth_rates.chosen_rates(table)
    beyond = {
        "quarter": [arm for arm in edges if best[arm] == 0.5],
        "fourfold": [arm for arm in edges if best[arm] == 2.0],
    }
    for name, arms in beyond.items():
        for call in trials(name, arms):
            run(f"parscale {call}")
    run(f"results.grids.collect {SEARCH}")
    run(f"results.grids.worth_rates {SEARCH} --save")


def main() -> None:
    """Run what is left."""
    parser = argparse.ArgumentParser(
        "python -m results.grids.worth_stages", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--dry-run", action="store_true", help="print the calls of the grid, run nothing")
    if parser.parse_args().dry_run:
        print(*(f"parscale {call}" for call in stages()), sep="\n")
        return
    if not worth.CHOSEN.exists():
        search()
    for call in stages():
        if call.startswith("forecast"):
            if registered():
                continue
            FORECASTS.parent.mkdir(parents=True, exist_ok=True)
        run(f"parscale {call}")
        if GRID + " " in call:
            run(f"results.grids.worth_table {OUT}")


if __name__ == "__main__":
    main()
