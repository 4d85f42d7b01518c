"""The learning rate of each arm of results/grids/worth.py, from the trials at one size: its RATES.

    python -m results.grids.worth_rates results/sweeps/worth-rates --save

The trials are gathered by `python -m results.grids.collect`. An arm takes the rate with the lowest mean, over the tasks, of
the log loss; a rate that one task lacks does not count. An arm whose best is the lowest or highest tried is named. P = 8 takes
the rate of P = 4. `--save` writes worth_rates.json, which the grid reads.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

import scaling
from results.grids.worth import CHOSEN, MEMORY, REASONING, TRIED

TIMES = {"worth": 1.0} | {f"worth-{name}": times for name, times in TRIED.items()}


def trials_of(folder: str) -> pd.DataFrame:
    """The gathered trials on the grid's two tasks; a search also holds those of tasks that were given up."""
    runs = scaling.read_runs(Path(folder) / "runs.parquet")
    return runs[runs["corpus"].isin([MEMORY, REASONING])]


def tried_rates(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean log loss over the tasks, a row an arm and a column a rate; nan where a task or all of the rate is missing."""
    arm = runs["size"].str.replace(r"^\d+x\d+", "", regex=True)
    arm = arm.where(arm != "", "P" + runs["P"].astype(int).astype(str))
    ok = runs.assign(arm=arm, times=runs["sweep"].map(TIMES), log_loss=np.log(runs["loss"]))
    ok = ok[ok["status"] == "ok"]
    table = ok.pivot_table(index="arm", columns=["times", "corpus"], values="log_loss", sort=True)
    return (
        table.T.groupby("times")
        .mean()
        .where(table.notna().T.groupby("times").sum() == runs["corpus"].nunique())
        .T
    )


def chosen_rates(table: pd.DataFrame) -> tuple[dict[str, float], list[str]]:
    """The best rate of each arm, and the arms whose best is an edge of what was tried."""
    best = {str(arm): float(str(row.idxmin())) for arm, row in table.iterrows() if row.notna().any()}
    edges = [
        arm
        for arm, times in best.items()
        if times in (table.loc[arm].dropna().index.min(), table.loc[arm].dropna().index.max())
    ]
    return best, edges


def to_save(best: dict[str, float]) -> dict[str, float]:
    """The rates as the grid reads them."""
    return dict(sorted((best | {"P8": best["P4"]} if "P4" in best else best).items()))


def main() -> None:
    """Print the table, the rates, and who needs another trial."""
    parser = argparse.ArgumentParser(
        "python -m results.grids.worth_rates", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", help="the gathered trials")
    parser.add_argument("--save", action="store_true", help=f"write {CHOSEN.name}")
    args = parser.parse_args()
    table = tried_rates(trials_of(args.folder))
    best, edges = chosen_rates(table)
    print(table.round(4).to_string(na_rep=""))
    print(f"rates: {to_save(best)}")
    print(f"at an edge, to be tried beyond it: {', '.join(edges) or 'none'}")
    if args.save:
        CHOSEN.write_text(json.dumps(to_save(best), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
