"""How often forecasts hold: `python -m benchmarks.forecast`, under 5 minutes on two cores.

Fits part of every public table, forecasts the rest and scores it, beside the fit's own prediction interval.
Each family of tables is scored with numbers (`scaling.forecasting.Tuned`) that the other families chose.
Writes results/benchmarks/forecast.csv and .md and the tables of docs/forecast.md.
--choose     compute every combination of the numbers again (10 minutes) before choosing
--peer EXE   also simple-scaling-laws' prediction, by a Python that has it (kept in forecast_peer.csv)
--simulate   also simulated runs whose truth is none of the laws (kept in forecast_simulated.csv)
--extra DIR  score the tables of a folder (CSV: N, P or D, loss) with the numbers as shipped, and print
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import warnings
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

import scaling
from benchmarks.forecast_tables import (
    COMPUTE,
    NARROW,
    SIZE,
    Split,
    Table,
    default_law,
    folder,
    splits,
    tables,
)
from scaling import drift
from scaling.files import write_between
from scaling.forecasting import Tuned, forecast
from scaling.pooling import refitted
from scaling.registered import interval_score

ROOT = Path(__file__).parents[1]
OUT = ROOT / "results/benchmarks"
LEVEL = 0.95
GRID = [Tuned(*values) for values in itertools.product((0.1, 0.25, 0.5), (1.0, 1.5, 2.5), (0.03, 0.05, 0.08))]
PLAIN, POOLED, PEER = "prediction interval", "forecast", "simple-scaling-laws"
KEYS = ["family", "table", "kind"]
FACTORS = (3.0, 10.0, 30.0)  # of the largest N, in simulations


# ---- one split ------------------------------------------------------------------------------
def axes(runs: pd.DataFrame) -> dict[str, Any]:
    """The axes of runs as keyword arguments."""
    return {axis: runs[axis].to_numpy() for axis in ("N", "P", "D") if axis in runs}


def row(split: Split, method: str, lower: Any, upper: Any) -> dict[str, Any]:
    """Coverage, width and interval score of the log loss, which tables of any unit share."""
    y = np.log(split.asked.loss.to_numpy())
    low, high = (np.log(np.maximum(np.asarray(end, dtype=np.float64), 1e-9)) for end in (lower, upper))
    return {
        "family": split.table.family, "table": split.table.name, "kind": split.kind, "reach": split.reach,
        "fitted": len(split.fitted), "asked": y.size, "method": method,
        "coverage": float(((low <= y) & (y <= high)).mean()), "width": float((high - low).mean()),
        "score": float(interval_score(low, high, y, LEVEL).mean()),
    }  # fmt: skip


def plain(split: Split) -> dict[str, Any]:
    """The prediction interval of the default law, fitted as `scaling.fit` does."""
    law = default_law(split.fitted)
    fit = scaling.fit(law, split.fitted)
    found = fit.predict(level=LEVEL, **{a: split.asked[a].to_numpy() for a in law.axes})
    return row(split, PLAIN, found.new_lower, found.new_upper)


def forecasts(split: Split, tuned: Tuned | None, alone: bool = True) -> list[dict[str, Any]]:
    """The pooled forecast and each law's own."""
    pooled = forecast(split.fitted, **axes(split.asked), level=LEVEL, tuned=tuned)
    rows = [row(split, POOLED, pooled.lower, pooled.upper)]
    for name, law in pooled.laws.items() if alone else ():
        one = forecast(split.fitted, **axes(split.asked), laws=[type(law)], level=LEVEL, tuned=tuned)
        rows.append(row(split, name, one.lower, one.upper))
    return rows


def _all(task: tuple[Split, Tuned | None]) -> list[dict[str, Any]]:
    split, tuned = task
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [plain(split), *forecasts(split, tuned)]


def _grid(split: Split) -> list[dict[str, Any]]:
    """The forecast with every combination of the numbers; the windows are fitted once for all of them."""
    fitted: dict[bytes, Any] = {}

    def remembered(members: Any, keep: Any) -> Any:
        key = keep.tobytes()
        if key not in fitted:
            fitted[key] = refitted(members, keep)
        return fitted[key]

    out = [plain(split)]
    with patch.object(drift, "refitted", remembered):
        for place, tuned in enumerate(GRID):
            out += [found | {"method": str(place)} for found in forecasts(split, tuned, alone=False)]
    return out


def run(work: Any, tasks: list[Any]) -> pd.DataFrame:
    """Rows of every task, by two processes."""
    with ProcessPoolExecutor(2) as pool:
        return pd.DataFrame([found for rows in pool.map(work, tasks) for found in rows])


def relative(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with width and score relative to the prediction interval of the same split."""
    base = rows[rows.method == PLAIN].set_index(KEYS)
    there = base.loc[pd.MultiIndex.from_frame(rows[KEYS])]
    return rows.assign(
        width_ratio=rows.width.to_numpy() / there.width.to_numpy(),
        score_ratio=rows.score.to_numpy() / there.score.to_numpy(),
    )


# ---- the numbers ----------------------------------------------------------------------------
def choice(grid: pd.DataFrame, without: str | None) -> int:
    """The place in GRID that the families other than `without` choose.

    Of those that over their wide splits cover 95%, 95% by compute too, hold 80% in 94% of splits and never
    less than half: the lowest mean log score ratio. Where none does, the highest coverage.
    """
    rest = relative(grid)
    rest = rest[(rest.family != without) & (rest.method != PLAIN)]
    cost = np.log(rest.score_ratio).groupby(rest.method).mean()
    wide = rest[rest.kind != NARROW]
    found = pd.DataFrame({name: summary(some) for name, some in wide.groupby("method")}).T
    compute = wide[wide.kind == COMPUTE].groupby("method").coverage.mean()
    held = np.minimum(found.coverage, compute)
    good = (held >= LEVEL) & (found["at 0.8 or more"] >= 0.94) & (found["below 0.5"] == 0)
    return int(cost[good].idxmin() if good.any() else held.idxmax())


def chosen(grid: pd.DataFrame) -> dict[str | None, Tuned]:
    """By family the numbers that the others chose; under None those that all chose."""
    return {family: GRID[choice(grid, family)] for family in [None, *grid.family.unique()]}


# ---- summaries ------------------------------------------------------------------------------
def summary(rows: pd.DataFrame) -> dict[str, float]:
    """Of the splits of one method: coverage, splits at .8 or more, below .5, width and score ratios."""
    return {
        "splits": len(rows),
        "coverage": rows.coverage.mean(),
        "at 0.8 or more": (rows.coverage >= 0.8 - 1e-9).mean(),
        "below 0.5": int((rows.coverage < 0.5).sum()),
        "width": np.exp(np.log(rows.width_ratio).mean()),
        "score": np.exp(np.log(rows.score_ratio).mean()),
        "total score": rows.score.sum() / (rows.score / rows.score_ratio).sum(),
    }


def summaries(rows: pd.DataFrame, methods: Iterable[str]) -> pd.DataFrame:
    """One row a method and kind of split."""
    kinds = {"size and compute": [SIZE, COMPUTE], SIZE: [SIZE], COMPUTE: [COMPUTE], NARROW: [NARROW]}
    out = []
    for name, some in kinds.items():
        for method in methods:
            part = rows[rows.kind.isin(some) & (rows.method == method)]
            if len(part):
                out.append({"split": name, "method": method, **summary(part)})
    return pd.DataFrame(out)


def by_reach(rows: pd.DataFrame) -> pd.DataFrame:
    """Coverage and ratios of the forecast by how far the runs asked for lie out."""
    part = rows[(rows.method == POOLED)].copy()
    part["factor"] = pd.cut(
        part.reach, [0, 2, 4, 10.5, np.inf], labels=["to 2", "2 to 4", "4 to 10", "above 10"]
    )
    return pd.DataFrame(
        [{"reach": name, **summary(some)} for name, some in part.groupby("factor", observed=True)]
    )


def by_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The forecast of every split beside the prediction interval."""
    keyed = {m: rows[rows.method == m].set_index(KEYS) for m in (PLAIN, POOLED)}
    new, old = keyed[POOLED], keyed[PLAIN].loc[keyed[POOLED].index]
    table = new.reset_index()[[*KEYS, "reach", "fitted", "asked"]]
    for name, values in (
        ("coverage before", old.coverage), ("coverage", new.coverage),
        ("width", new.width_ratio), ("score", new.score_ratio),
    ):  # fmt: skip
        table[name] = values.to_numpy()
    return table


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown: shares and ratios with two or three digits."""
    lines = [f"| {' | '.join(table.columns)} |", "|---" * table.shape[1] + "|"]
    for values in table.itertuples(index=False):
        cells = [
            f"{v:.3g}"
            if isinstance(v, float) and abs(v) >= 10
            else f"{v:.3f}"
            if isinstance(v, float)
            else str(v)
            for v in values
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


# ---- beside the public tables ---------------------------------------------------------------
def paper() -> pd.DataFrame:
    """The paper's own hold-outs: N < 2e9 fitted, the 2.8B and 4.4B models forecast, on both corpora."""
    runs, out = scaling.read_runs(ROOT / "results/published/losses.csv"), []
    for corpus, rows in runs.groupby("corpus"):
        small, large = rows[rows.N < 2e9], rows[rows.N > 2e9]
        made = forecast(small, N=large.N, P=large.P)
        before = scaling.fit(scaling.ParallelLaw, small).predict(N=large.N, P=large.P)
        for i, (_, run_) in enumerate(large.iterrows()):
            old, new = before.iloc[i], made.table.iloc[i]
            out.append(
                {"corpus": corpus, "size": run_["size"], "P": int(run_.P), "observed": run_.loss,
                 "prediction interval": f"{old.new_lower:.4f} to {old.new_upper:.4f}",
                 "held": "yes" if old.new_lower <= run_.loss <= old.new_upper else "no",
                 "forecast": f"{new.lower:.4f} to {new.upper:.4f}",
                 "held by forecast": "yes" if new.lower <= run_.loss <= new.upper else "no"}
            )  # fmt: skip
    return pd.DataFrame(out)


def truths() -> dict[str, Any]:
    """Losses of n = N / 1e7 and d = D / 1e9 that are none of the laws."""
    return {
        "exponent falls with N": lambda n, d: 1.6 + 1.5 * n ** (-0.35 + 0.02 * np.log(n)) + 0.6 * d**-0.3,
        "two power laws in N": lambda n, d: 1.2 + 1.2 * n**-0.6 + 0.7 * n**-0.08 + 0.5 * d**-0.3,
        "break at N = 3e8": lambda n, d: 1.7 + 1.4 * n**-0.25 * (1 + (n / 30) ** 2) ** -0.04 + 0.5 * d**-0.35,
        "logarithms": lambda n, d: 1.5 + 6.0 / np.log(100 * n) + 2.0 / np.log(1000 * d),
    }


def _simulated(task: tuple[str, int]) -> list[dict[str, Any]]:
    """One trial: 6 sizes x 4 budgets with noise of 0.3%, forecast at 3, 10 and 30 times the largest N."""
    name, seed = task
    truth, rng = truths()[name], np.random.default_rng(seed)
    grid = itertools.product(np.geomspace(1e7, 4e8, 6), np.geomspace(1e9, 1e10, 4))
    N, D = (np.array(v) for v in zip(*grid, strict=True))
    noise = np.exp(0.003 * rng.standard_normal(N.size + 3))
    runs = pd.DataFrame({"N": N, "D": D, "loss": truth(N / 1e7, D / 1e9) * noise[:-3]})
    large = pd.DataFrame({"N": 4e8 * np.array(FACTORS), "D": 2e10})
    large["loss"] = truth(large.N / 1e7, large.D / 1e9) * noise[-3:]
    fit = scaling.fit(scaling.ChinchillaLaw, runs)
    before, made = fit.predict(N=large.N, D=large.D), forecast(runs, N=large.N, D=large.D)
    ends = {PLAIN: (before.new_lower, before.new_upper), POOLED: (made.lower, made.upper)}
    out = []
    for place, factor in enumerate(FACTORS):
        split = Split(Table("simulated", name, runs), f"N x {factor:g}", runs, large.iloc[[place]])
        out += [row(split, m, low.iloc[[place]], high.iloc[[place]]) for m, (low, high) in ends.items()]
    return out


def simulated(trials: int = 40) -> pd.DataFrame:
    """Coverage, width and score, of the log loss, where the truth is none of the laws."""
    rows = run(_simulated, [(name, seed) for name in truths() for seed in range(trials)])
    found = rows.groupby(["table", "kind", "method"], sort=False)[["coverage", "width", "score"]].mean()
    return found.reset_index().assign(trials=trials)


def peer(python: str, every: list[Split]) -> pd.DataFrame:
    """simple-scaling-laws' interval of each split of N and D."""
    both = [s for s in every if {"N", "D"} <= set(s.fitted)]
    columns = {"fitted": ["N", "D", "loss"], "asked": ["N", "D"]}
    tasks = [
        {part: [getattr(s, part)[c].tolist() for c in some] for part, some in columns.items()} for s in both
    ]
    script = str(Path(__file__).with_name("forecast_peer.py"))
    done = subprocess.run(
        [python, "-W", "ignore", script], input=json.dumps(tasks), capture_output=True, text=True, check=True
    )
    found = zip(both, json.loads(done.stdout), strict=True)
    return pd.DataFrame([row(s, PEER, *ends) for s, ends in found if not isinstance(ends, str)])


# ---- all of it ------------------------------------------------------------------------------
def kept(name: str, again: bool, compute: Any) -> pd.DataFrame | None:
    """A table that takes long: from its file, unless it is to be computed again; None where there is none."""
    path = OUT / name
    if again:
        compute().to_csv(path, index=False, float_format="%.6g")
    return pd.read_csv(path) if path.exists() else None


def report(rows: pd.DataFrame, numbers: dict[str | None, Tuned], simulations: pd.DataFrame | None) -> str:
    """The page of results."""
    laws = [m for m in rows.method.unique() if m not in (PLAIN, POOLED, PEER)]
    used = pd.DataFrame([{"scored": f or "shipped, chosen by all", **vars(t)} for f, t in numbers.items()])
    parts = {
        "Over all splits": summaries(rows, [PLAIN, POOLED, PEER]),
        "By reach": by_reach(rows),
        "Each law alone, widened like the forecast": summaries(rows[rows.kind != NARROW], laws).query(
            "split == 'size and compute'"
        ),
        "The paper's own hold-outs": paper(),
        "Simulated runs whose truth is none of the laws": simulations,
        "Every split": by_table(rows),
        "The numbers, each chosen by the other families": used,
    }
    return "\n\n".join(
        f"### {title}\n\n{markdown(table)}" for title, table in parts.items() if table is not None
    )


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--peer", metavar="EXE")
    parser.add_argument("--extra", metavar="DIR", type=Path)
    args = parser.parse_args()
    if args.extra:
        fresh = [split for table in folder(args.extra) for split in splits(table)]
        rows = relative(run(_all, [(split, None) for split in fresh]))
        print(markdown(by_table(rows)), markdown(summaries(rows, [PLAIN, POOLED])), sep="\n\n")
        return
    every = [split for table in tables() for split in splits(table)]
    grid = kept("forecast_choice.csv", args.choose, lambda: run(_grid, every))
    numbers = {None: Tuned()} if grid is None else chosen(grid.astype({"method": str}))
    rows = run(_all, [(split, numbers.get(split.table.family)) for split in every])
    other = kept("forecast_peer.csv", bool(args.peer), lambda: peer(args.peer, every))
    rows = relative(pd.concat([rows, other], ignore_index=True) if other is not None else rows)
    rows.to_csv(OUT / "forecast.csv", index=False, float_format="%.5g")
    text = report(rows, numbers, kept("forecast_simulated.csv", args.simulate, simulated))
    (OUT / "forecast.md").write_text(f"# How often forecasts hold\n\n{text}\n")
    page = ROOT / "docs/forecast.md"
    if page.exists():
        write_between(page, ("<!-- measured -->", "<!-- end of measured -->"), text)
    print(text)


if __name__ == "__main__":
    main()
