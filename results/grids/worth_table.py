"""What one doubling of streams, loops and experts is worth, on memory and on reasoning: tables of a grid's rows.

    python -m results.grids.worth_table results/sweeps/worth

Reads the runs.parquet of results/grids/worth.py, however many of its runs are there, and writes these tables (CSV, Markdown,
LaTeX) into --out, results/tables: worth (of a doubling, by pairs and by one law), worth_contrasts (pairs of arms), worth_budgets
(which arm pays under which budget, with its figure), worth_scores (of the registered forecasts, results/forecasts/worth),
worth_accuracy (exact match from the loss), worth_harness (accuracies of the evaluation harness, where it was run),
worth_levels (exact match, bits of facts stored), worth_learnt (tokens until sums are learnt) and worth_answers (the questions of
results/LOG.md by its rules). The runs as arms go to arms.csv beside runs.parquet, a line each task and arm, which
`parscale forecast --by line` and `parscale advise --arms arm` read.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import scaling
from analysis.figures import arm_budgets
from analysis.output.figure_style import save_figure
from analysis.output.formatted_tables import write_tables
from analysis.sweep.arm_worth import BASE, contrast, pays, with_costs, worth_by_law, worth_by_pairs
from analysis.sweep.benchmark_runs import BENCHMARKS
from results.grids.worth import ARMS, BETWEEN, MEMORY, RATES, REASONING, SEEDS, SIZES, STREAMS
from results.grids.worth_answers import answers_table, learnt_table
from results.grids.worth_harness import harness_table
from scaling.accuracy import AccuracyFit
from scaling.forecasting.forecast_result import Forecast
from sweeps.corpora.tasks.facts import Facts

FORECASTS = Path("results/forecasts/worth")  # `python -m results.grids.worth_stages` registers them
TASKS = {MEMORY: "memory", REASONING: "reasoning"}
SERVED = [
    "memory_bytes",
    "latency_s",
    "latency_s_8",
]  # of `results.grids.worth_latency`, where they were measured
ARMS_COLUMNS = [
    "line", "task", "arm", "axis", "doublings", "size", "seed", "backbone_N", "N", "N_recurrent", "P",
    "r", "experts", "loss", "exact_match", "parameters", "flops_a_token", "training_flops", *SERVED,
]  # fmt: skip
AXES = {  # arm: the quantity that it doubles, and how often
    "P2": ("streams", 1.0), "P4": ("streams", 2.0), "P8": ("streams", 3.0), "r2": ("loops", 1.0), "r4": ("loops", 2.0),
    "e4": ("experts", 2.0), "prefix": ("prefix", 1.0), "params": ("N of P=4", 1.0), "compute": ("FLOPs of P=4", 1.0),
}  # fmt: skip
ONCE = (
    ", rate 1"  # behind the name of an arm of twice the plain model's rate, where it was trained at that rate
)
QUESTIONS = {  # of results/LOG.md: which arm's loss is lower than which other's
    "2 streams or prefix": [("P2", "prefix"), ("prefix", BASE), ("P2", BASE)],
    "3 memory or computation": [
        *((wide, deep) for wide in ("params", "e4") for deep in ("P4", "r4")),
        *((arm, BASE) for arm in ("P4", "r4", "compute")),
    ],
    "4 stream or loop": [("P2", "r4"), ("P4", "compute")],
    "the rate": [(f"{arm}{ONCE}", other) for arm in ("P2", "r2", "compute") for other in (arm, BASE)],
}  # fmt: skip


def named_arms(runs: pd.DataFrame) -> pd.DataFrame:
    """The grid's runs as `analysis.sweep.arm_worth` takes them: backbone, arm, axis, doublings, N of the backbone."""
    kept = runs[(runs["status"] == "ok") & runs["corpus"].isin([*TASKS])].copy()
    parts = kept["size"].str.extract(r"^(?P<backbone>\d+x\d+)(?P<arm>.*)$")
    plain = np.where(kept["P"] == 1, BASE, "P" + kept["P"].astype(int).astype(str))
    kept["arm"] = np.where(parts["arm"] == "", plain, parts["arm"]) + kept.get("rate", "")
    kept["axis"] = [AXES.get(arm, ("", 0.0))[0] for arm in kept["arm"]]
    kept["doublings"] = [AXES.get(arm, ("", 0.0))[1] for arm in kept["arm"]]
    kept = kept.assign(size=parts["backbone"], task=kept["corpus"].map(TASKS))
    base = kept[kept["arm"] == BASE].groupby("size")[["N", "N_recurrent"]].first()
    kept = with_costs(kept)  # of the arm itself: N is the backbone's below
    kept["backbone_N"] = kept["size"].map(base["N"]).astype(float)
    wider = kept["arm"].isin(["params", "compute"])  # their own N is what they are there for
    for name in ("N", "N_recurrent"):
        kept[name] = kept[name].where(wider, kept["size"].map(base[name])).astype(float)
    kept["line"] = kept["task"] + "-" + kept["arm"]
    return kept.dropna(subset=["backbone_N"]).sort_values(["line", "N", "seed"], ignore_index=True)


def whole_sizes(runs: pd.DataFrame) -> pd.DataFrame:
    """The arms without the sizes that were added later, as long as these lack runs on a task."""
    asked = (len(ARMS) - 1 + len(STREAMS)) * len(SEEDS)
    there = runs[runs["seed"].isin(SEEDS)].groupby(["task", "size"])["loss"].transform("size")
    return runs[~runs["size"].isin(BETWEEN) | (there.reindex(runs.index) == asked)].reset_index(drop=True)


def served(runs: pd.DataFrame, measured: Path) -> pd.DataFrame:
    """The arms with memory and latency of an answer, where they were measured (`results.grids.worth_latency`)."""
    if not measured.exists():
        return runs
    keys = ["task", "size", "arm"]
    return runs.merge(pd.read_csv(measured)[[*keys, *SERVED]], on=keys, how="left", validate="many_to_one")


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
        parts.append(pairs_at_one_rate(rows).assign(task=task))
    if not parts:
        return pd.DataFrame(columns=["task", "axis"])
    table = pd.concat(parts, ignore_index=True)
    return table[["task", *[name for name in table if name != "task"]]]


def pairs_at_one_rate(rows: pd.DataFrame) -> pd.DataFrame:
    """The worth of streams and loops by pairs, without the arms that took another learning rate than the plain model."""
    same = rows[[RATES.get(arm, 1.0) == RATES.get("P1", 1.0) for arm in rows["arm"]]]
    pairs = worth_by_pairs(same)
    pairs = pairs[pairs["axis"].isin(["streams", "loops"])]
    return pairs.assign(axis=pairs["axis"] + ONCE)


def budget_table(runs: pd.DataFrame) -> pd.DataFrame:
    """On each task, how many times an arm's budget the plain model would need: `analysis.sweep.arm_worth.pays`."""
    found = [pays(part).assign(task=task) for task, part in runs.groupby("task")]
    table = pd.concat(found, ignore_index=True)
    return table[["task", *[name for name in table if name != "task"]]]


def contrast_table(runs: pd.DataFrame) -> pd.DataFrame:
    """The pairs of arms that the questions compare, on each task."""
    rows = [
        {"question": question, "task": task, **contrast(part, one, other)}
        for task, part in runs.groupby("task")
        for question, pairs in QUESTIONS.items()
        for one, other in pairs
    ]
    return pd.DataFrame(rows)


def score_table(runs: pd.DataFrame, forecasts: Path = FORECASTS) -> pd.DataFrame:
    """How the registered forecast of each line did, at each size whose runs are there: loss, ends, mean of the runs."""
    rows = []
    for (task, arm, line), part in runs.assign(N=runs["backbone_N"]).groupby(["task", "arm", "line"]):
        file = forecasts / f"forecast-{line}.json"
        if not file.exists():
            continue
        made = Forecast.load(file)
        if part["N"].max() < made.points["N"].min():
            continue
        for n, at in scaling.score(made, part).table.groupby("N"):
            size = part.loc[(part["N"] - n).abs().idxmin(), "size"]
            told = {name: at[name].iloc[0] for name in ("loss", "lower", "upper")}
            rows.append(
                {"task": task, "arm": arm, "size": size, **told, "observed": at["observed"].mean()}
                | {"runs": len(at), "inside": int(at["inside"].sum()), "needed": at["needed"].max()}
            )
    return pd.DataFrame(rows)


def accuracy_table(runs: pd.DataFrame, forecasts: Path = FORECASTS) -> pd.DataFrame:
    """Exact match of each arm at the two large sizes, and what a sigmoid of the loss, fitted to the two small ones, says of it.

    Both steps: at the runs' own losses (by_loss, runs inside the 95% interval of one new model) and at the registered forecast of
    the loss (by_forecast, and at the ends of its interval).
    """
    rows = []
    for task, part in runs[runs["size"].isin(SIZES)].groupby("task"):
        small = part["size"].isin(SIZES[:2])
        if small.all():
            continue
        sigmoid = scaling.accuracy_by_loss(part[small], accuracy="exact_match", groups="arm")
        for (arm, line, size), some in part[~small].groupby(["arm", "line", "size"]):
            expected = sigmoid.predict(some["loss"])
            inside = some["exact_match"].between(expected["lower"].array, expected["upper"].array)
            seen = {"exact_match": some["exact_match"].mean(), "by_loss": expected["accuracy"].mean()}
            ahead = _through(sigmoid, forecasts / f"forecast-{line}.json", float(some["backbone_N"].iloc[0]))
            rows.append(
                {"task": task, "arm": arm, "size": size, "models": len(some), **seen}
                | {"inside": int(inside.sum()), **ahead, "status": sigmoid.status.value}
            )
    return pd.DataFrame(rows)


def level_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Means over random seeds of each arm at each size, in order of N: exact match, and the bits of facts stored a parameter."""
    order = runs.groupby("size")["backbone_N"].first().sort_values().index
    facts = runs[runs["task"] == TASKS[MEMORY]]
    stored = [Facts((2000,)).bits(loss) for loss in facts["loss"]]
    parts = {
        "exact match": (runs, runs["exact_match"]),
        "bits a parameter": (facts, stored / facts["parameters"]),
    }
    tables = [
        rows.assign(value=value, what=what).pivot_table(
            index=["task", "what", "arm"], columns="size", values="value"
        )
        for what, (rows, value) in parts.items()
    ]
    return pd.concat(tables)[[*order]].reset_index().rename_axis(columns=None)


def _through(sigmoid: AccuracyFit, file: Path, n: float) -> dict[str, float]:
    """Accuracy at a registered forecast of the loss at N = `n`, and at the ends of its interval."""
    if not file.exists():
        return {}
    table = Forecast.load(file).table
    at = table.loc[(table["N"] - n).abs().idxmin()]
    shares = sigmoid.predict([at["loss"], at["upper"], at["lower"]])["accuracy"]
    return dict(zip(("by_forecast", "forecast_lower", "forecast_upper"), shares, strict=True))


def runs_at_once(sweep: Path) -> pd.DataFrame:
    """The runs of a sweep, and of the folder next to it, if it exists, whose arms have the plain model's rate."""
    runs = scaling.read_runs(sweep / "runs.parquet").assign(rate="")
    other = sweep.with_name(f"{sweep.name}-once") / "runs.parquet"
    return pd.concat([runs, scaling.read_runs(other).assign(rate=ONCE)]) if other.exists() else runs


def write_worth(sweep: str, out: str) -> dict[str, pd.DataFrame]:
    """Write arms.csv and the figure into the sweep's folder and the tables into `out`. Returns the tables by name."""
    runs = whole_sizes(named_arms(scaling.read_runs(Path(sweep) / "runs.parquet")))
    runs = served(runs, Path(sweep) / "latency.csv")
    runs.reindex(columns=ARMS_COLUMNS).to_csv(Path(sweep) / "arms.csv", index=False, lineterminator="\n")
    made = {"command": f"python -m results.grids.worth_table {sweep}", "data": f"{sweep}/runs.parquet"}
    worth, scores = worth_table(runs), score_table(runs)
    tables = {
        "worth": worth,
        "worth_contrasts": contrast_table(whole_sizes(named_arms(runs_at_once(Path(sweep))))),
        "worth_budgets": budget_table(runs),
        "worth_scores": scores,
        "worth_accuracy": accuracy_table(runs),
        "worth_levels": level_table(runs),
        "worth_learnt": learnt_table(runs, pd.read_parquet(Path(sweep) / "curves.parquet")),
        "worth_answers": answers_table(worth, runs, scores),
    }
    if (Path(sweep) / BENCHMARKS).exists():
        tables["worth_harness"] = harness_table(runs, Path(sweep))
    captions = (
        "Worth of one doubling, in parameters at P = r = 1",
        "Log loss of an arm below another's, pair by pair",
        "Times its budget that the plain model would need for an arm's loss",
        "Registered forecasts and the runs made since: runs inside, and the half-widths that the farthest needs",
        "Exact match, from the loss: a sigmoid of the two small sizes at the runs' losses and at the registered forecasts",
        "Mean exact match, and bits of facts stored a parameter, of each arm at each size",
        "Tokens until sums are learnt, in units of the plain model's",
        "The questions, by the rules written before",
        "Accuracies of the evaluation harness, by the runs' losses and by N in two steps",
    )
    for (name, table), caption in zip(tables.items(), captions[: len(tables)], strict=True):
        write_tables(table, Path(out) / name, caption=caption, **made)
    save_figure(arm_budgets(tables["worth_budgets"]), Path(sweep) / "figures" / "budgets", **made)
    return tables


def main() -> None:
    """Write the tables and print them."""
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
