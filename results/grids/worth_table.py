"""What one doubling of streams, loops and experts is worth, on memory and on reasoning: tables of a grid's rows.

    python -m results.grids.worth_table results/sweeps/worth

Reads the runs.parquet of results/grids/worth.py, however many of its runs are there, and writes worth and
worth_contrasts (CSV, Markdown, LaTeX) into --out, results/tables: for each task the worth of a doubling by pairs and by one
law, then the pairs that results/LOG.md's questions ask for. The runs as arms go to arms.csv beside runs.parquet, a line each
task and arm, which `parscale forecast --by line` reads.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import scaling
from analysis.output.formatted_tables import write_tables
from analysis.sweep.arm_worth import BASE, contrast, worth_by_law, worth_by_pairs
from results.grids.worth import MEMORY, REASONING

TASKS = {MEMORY: "memory", REASONING: "reasoning"}
ARMS_COLUMNS = [
    "line", "task", "arm", "axis", "doublings", "size", "seed", "backbone_N", "N", "N_recurrent", "P",
    "r", "experts", "loss", "exact_match",
]  # fmt: skip
AXES = {  # arm: the quantity that it doubles, and how often
    "P2": ("streams", 1.0), "P4": ("streams", 2.0), "P8": ("streams", 3.0), "r2": ("loops", 1.0), "r4": ("loops", 2.0),
    "e4": ("experts", 2.0), "prefix": ("prefix", 1.0), "params": ("N of P=4", 1.0), "compute": ("FLOPs of P=4", 1.0),
}  # fmt: skip
QUESTIONS = {  # of results/LOG.md: which arm's loss is lower than which other's
    "2 streams or prefix": [("P2", "prefix"), ("prefix", BASE), ("P2", BASE)],
    "3 memory or computation": [
        *((wide, deep) for wide in ("params", "e4") for deep in ("P4", "r4")),
        *((arm, BASE) for arm in ("P4", "r4", "compute")),
    ],
    "4 stream or loop": [("P2", "r4"), ("P4", "compute")],
}  # fmt: skip


def named_arms(runs: pd.DataFrame) -> pd.DataFrame:
    """The grid's runs as `analysis.sweep.arm_worth` takes them: backbone, arm, axis, doublings, N of the backbone."""
    kept = runs[(runs["status"] == "ok") & runs["corpus"].isin([*TASKS])].copy()
    parts = kept["size"].str.extract(r"^(?P<backbone>\d+x\d+)(?P<arm>.*)$")
    plain = np.where(kept["P"] == 1, BASE, "P" + kept["P"].astype(int).astype(str))
    kept["arm"] = np.where(parts["arm"] == "", plain, parts["arm"])
    kept["axis"] = [AXES.get(arm, ("", 0.0))[0] for arm in kept["arm"]]
    kept["doublings"] = [AXES.get(arm, ("", 0.0))[1] for arm in kept["arm"]]
    kept = kept.assign(size=parts["backbone"], task=kept["corpus"].map(TASKS))
    base = kept[kept["arm"] == BASE].groupby("size")[["N", "N_recurrent"]].first()
    kept["own_N"] = kept["N"].astype(float)
    kept["backbone_N"] = kept["size"].map(base["N"]).astype(float)
    wider = kept["arm"].isin(["params", "compute"])  # their own N is what they are there for
    for name in ("N", "N_recurrent"):
        kept[name] = kept[name].where(wider, kept["size"].map(base[name])).astype(float)
    kept["line"] = kept["task"] + "-" + kept["arm"]
    return kept.dropna(subset=["backbone_N"]).sort_values(["line", "N", "seed"], ignore_index=True)


def worth_table(runs: pd.DataFrame) -> pd.DataFrame:
    """The worth of one doubling of each axis on each task, by pairs and by one law."""
    parts = []
    for task, rows in runs.groupby("task"):
        if (rows["arm"] == BASE).all():
            continue
        pairs, law = worth_by_pairs(rows), pd.DataFrame({"axis": pd.Series(dtype=str)})
        if len(rows["size"].unique()) > 1:  # one size leaves alpha untold
            law = worth_by_law(
                rows[(rows["arm"] == BASE) | rows["axis"].isin(["streams", "loops", "experts"])]
            )
        parts.append(pairs.merge(law, on="axis", how="left").assign(task=task))
    if not parts:
        return pd.DataFrame(columns=["task", "axis"])
    table = pd.concat(parts, ignore_index=True)
    return table[["task", *[name for name in table if name != "task"]]]


def budget_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Which arm and size pay under a budget of parameters in memory, of FLOPs a token, of training FLOPs.

    Of the mean losses over seeds, those that nothing as cheap undercuts, cheapest first. FLOPs a token are those of a
    forward pass, which latency follows where computation binds it.
    """
    means = runs.assign(flops_a_token=runs["C"] / (3 * runs["D"])).groupby(
        ["task", "arm", "size"], as_index=False
    )
    points = means.agg(
        parameters=("own_N", "mean"),
        flops_a_token=("flops_a_token", "mean"),
        training_flops=("C", "mean"),
        loss=("loss", "mean"),
        seeds=("seed", "nunique"),
    )
    rows = []
    for task, part in points.groupby("task"):
        for budget in ("parameters", "flops_a_token", "training_flops"):
            cheapest = part.sort_values([budget, "loss"])
            best = cheapest[cheapest["loss"] < cheapest["loss"].cummin().shift(fill_value=np.inf)]
            rows.append(
                best.assign(task=task, budget=budget, cost=best[budget])[
                    ["task", "budget", "cost", "arm", "size", "loss", "seeds"]
                ]
            )
    return pd.concat(rows, ignore_index=True)


def contrast_table(runs: pd.DataFrame) -> pd.DataFrame:
    """The pairs of arms that the questions compare, on each task."""
    rows = [
        {"question": question, "task": task, **contrast(part, one, other)}
        for task, part in runs.groupby("task")
        for question, pairs in QUESTIONS.items()
        for one, other in pairs
    ]
    return pd.DataFrame(rows)


def write_worth(sweep: str, out: str) -> dict[str, pd.DataFrame]:
    """Write arms.csv into the sweep's folder and both tables into `out`; return the tables by name."""
    runs = named_arms(scaling.read_runs(Path(sweep) / "runs.parquet"))
    runs[ARMS_COLUMNS].to_csv(Path(sweep) / "arms.csv", index=False, lineterminator="\n")
    made = {"command": f"python -m results.grids.worth_table {sweep}", "data": f"{sweep}/runs.parquet"}
    tables = {
        "worth": worth_table(runs),
        "worth_contrasts": contrast_table(runs),
        "worth_budgets": budget_table(runs),
    }
    captions = (
        "Worth of one doubling, in parameters at P = r = 1",
        "Log loss of an arm below another's, pair by pair",
        "The arms that pay under a budget, cheapest first",
    )
    for (name, table), caption in zip(tables.items(), captions, strict=True):
        write_tables(table, Path(out) / name, caption=caption, **made)
    return tables


def main() -> None:
    """Write both tables and print them."""
    parser = argparse.ArgumentParser(
        "python -m results.grids.worth_table", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("sweep", nargs="?", default="results/sweeps/worth", help="the grid's folder")
    parser.add_argument(
        "--out", default="results/tables", help="folder of the tables (default results/tables)"
    )
    args = parser.parse_args()
    for name, table in write_worth(args.sweep, args.out).items():
        print(f"{args.out}/{name}.csv")
        print(table.to_string(index=False, float_format="{:.3g}".format), end="\n\n")


if __name__ == "__main__":
    main()
