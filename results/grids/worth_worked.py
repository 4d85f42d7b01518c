"""Answers whose work is written: exact match by arm, random seed and difficulty, and what votes and samples add.

    python -m results.grids.worth_worked

Reads results/sweeps/worth-thinking, with the models at the plain model's rate from results/sweeps/worth-once, and its
inference.parquet (`parscale inference results/sweeps/worth-thinking`). Writes worth_worked and worth_votes (CSV, Markdown, LaTeX)
into results/tables.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from analysis.costs.cheapest_answers import task_and_work
from analysis.output.formatted_tables import write_tables

THINKING, ONCE = Path("results/sweeps/worth-thinking"), Path("results/sweeps/worth-once")
SAMPLES = 32


def worked_table(folders: tuple[Path, ...] = (THINKING, ONCE)) -> pd.DataFrame:
    """Exact match: task, steps written, arm, its learning rate in units of the plain model's, seed, a column per difficulty."""
    parts = []
    for folder in folders:
        runs = pd.read_parquet(folder / "runs.parquet")
        runs = runs[runs["corpus"].str.contains("#steps=")]
        rows = pd.read_parquet(folder / "domains.parquet").merge(runs, on="run_id", suffixes=("", "_of_run"))
        rate = rows["lr"] / runs.loc[(runs["P"] == 1) & (runs["size"] == "64x2"), "lr"].mean()
        parts.append(rows.assign(rate=rate if folder == THINKING else 1.0))
    rows = pd.concat(parts, ignore_index=True)
    named = rows["domain"].str.extract(r"^(?P<task>\w+) (?P<difficulty>\d+)$")
    rows = rows.assign(**named, steps=_steps(rows), arm=arms_of(rows["size"], rows["P"]))
    keys = ["task", "steps", "arm", "rate", "seed"]
    return rows.pivot_table(index=keys, columns="difficulty", values="exact_match").reset_index()


def votes_table(inference: Path = THINKING / "inference.parquet") -> pd.DataFrame:
    """Accuracy of ways to answer, means over difficulties: task, steps, arm, seed, a column per way.

    Ways are greedy, one sample, the vote and the likeliest of 32 samples, and pass@32 (Chen et al. 2021, arXiv 2107.03374).
    """
    rows = pd.read_parquet(inference)
    rows = rows[rows["r"] == rows["trained_r"]]
    rows = rows[(rows["way"].isin(["greedy", "one"])) | (rows["m"] == SAMPLES)]
    loops = "r" + rows["trained_r"].astype(int).astype(str)
    rows = rows.assign(
        task=rows["corpus"].str.extract(r"^task:(\w+)", expand=False),
        steps=_steps(rows),
        arm=arms_of(loops.where(rows["trained_r"] > 1, ""), rows["P"]),
    )
    keys = ["task", "steps", "arm", "seed"]
    table = rows.pivot_table(index=keys, columns="way", values="accuracy")
    table = table[["greedy", "one", "vote", "likeliest", "pass"]]
    return table.reset_index().astype({"seed": int})


def _steps(rows: pd.DataFrame) -> list[int]:
    """How many steps of the work each run was trained to write."""
    return [task_and_work(corpus)[1] for corpus in rows["corpus"]]


def arms_of(size: pd.Series[str], P: pd.Series[float]) -> list[str]:
    """The arm of each run: of loops by the end of its size's name, of streams by P."""
    loops = size.str.extract(r"(r\d+)$", expand=False)
    return [f"P{int(p)}" if pd.isna(loop) else str(loop) for loop, p in zip(loops, P, strict=True)]


def main() -> None:
    """Write the tables and print them."""
    parser = argparse.ArgumentParser(
        "python -m results.grids.worth_worked", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "--out", default="results/tables", help="folder of the tables (default results/tables)"
    )
    out = parser.parse_args().out
    tables = {
        "worth_worked": (worked_table(), "Exact match with part or all of the work written, by difficulty"),
        "worth_votes": (votes_table(), f"Accuracy of ways to answer, of {SAMPLES} samples"),
    }
    for name, (table, caption) in tables.items():
        made = {"command": "python -m results.grids.worth_worked", "data": f"{THINKING}"}
        write_tables(table, Path(out) / name, caption=caption, **made)
        print(f"{out}/{name}.csv")
        print(table.to_string(index=False, float_format="{:.3f}".format), end="\n\n")


if __name__ == "__main__":
    main()
