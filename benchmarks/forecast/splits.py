"""Splits of public tables, what intervals say of them, simulations and another package: for `benchmarks.forecast`."""

from __future__ import annotations

import inspect
import itertools
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling
from benchmarks import ROOT
from scaling import forecast
from scaling.data.levels import levels_along
from scaling.forecasting.forecast import Tuned
from scaling.forecasting.registered import interval_score
from scaling.laws import OTHER_AXES
from scaling.optimise.multi_start import solve
from scaling.optimise.problem import Problem
from scaling.uncertainty.size_effects import OFF

# ---- tables and splits ----------------------------------------------------------------------
RUNS = ROOT / "results/published/runs"
TABLES = ROOT / "results/published/tables"
SIZE, COMPUTE, NARROW = "size", "compute", "narrow"
ND = {"N": "N", "D": "D", "loss": "loss"}


@dataclass(frozen=True)
class Table:
    """Runs of one source: columns N, P or D if they vary, loss."""

    family: str  # tables of one source or one group of authors: never tuned on and scored on
    name: str
    runs: pd.DataFrame


@dataclass(frozen=True)
class Split:
    """Runs that are fitted and runs that are forecast."""

    table: Table
    kind: str  # size, compute or narrow
    fitted: pd.DataFrame
    asked: pd.DataFrame

    @property
    def reach(self) -> float:
        """By what factor the runs asked for lie beyond the fitted ones, in size or in compute."""
        along = _compute if self.kind == COMPUTE else _size
        return float(along(self.asked).max() / along(self.fitted).max())


def _size(runs: pd.DataFrame) -> np.ndarray:
    return runs["N"].to_numpy()


def _compute(runs: pd.DataFrame) -> np.ndarray:
    return np.prod([runs[a].to_numpy() for a in ("N", "P", "D") if a in runs], axis=0)


def _table(family: str, name: str, raw: pd.DataFrame, columns: dict[str, str]) -> Table:
    runs = raw[list(columns)].rename(columns=columns).astype(float)
    runs = runs[(np.isfinite(runs) & (runs > 0)).all(axis=1)].reset_index(drop=True)
    constant = [axis for axis in ("P", "D") if axis in runs and runs[axis].min() == runs[axis].max()]
    return Table(family, name, runs.drop(columns=constant))


def tables() -> Iterator[Table]:
    """Every public table that the project holds, columns named by their READMEs."""
    for path in sorted(RUNS.glob("gemstones_*.csv")):
        yield _table("Gemstones", path.stem.removeprefix("gemstones_"), pd.read_csv(path), ND)
    yield _table("Chinchilla", "kyo", pd.read_csv(RUNS / "chinchilla_kyo.csv"), ND)
    yield _olmo(pd.read_csv(RUNS / "olmo_ladder_c4.csv"))
    data = pd.read_csv(TABLES / "data_constrained.csv")
    named = {"params": "N", "tokens": "D", "loss": "loss"}
    for epochs in (1, 4):  # up to four epochs are worth new data (Muennighoff et al. 2023)
        rows = data[data.tokens <= 1.01 * epochs * data.unique_tokens]
        yield _table("datablations", f"up to {epochs} epochs", rows, named)
    named = {"non_embedding_param_size": "N", "data_size": "D", "lm_loss": "loss"}
    yield _table("Step Law", "best runs", pd.read_csv(TABLES / "learning_rate_best.csv"), named)
    for tokens, rows in pd.read_csv(TABLES / "sparsity.csv").groupby("D2"):
        named = {"N_active": "N", "P": "expansion", "loss": "loss"}
        yield _table("sparsity", f"{tokens:.2f}B tokens", rows, named)
    levels = pd.read_csv(TABLES / "precision.csv")
    named = {"non_embedding_parameters": "N", "tokens": "D", "loss": "loss"}
    for level in ("2", "3", "4"):  # those with ten runs or more
        yield _table("QuEST", f"{level} bits", levels[levels.level.astype(str) == level], named)
    yield _routing(pd.read_csv(TABLES / "routing.csv"))
    for corpus, rows in pd.read_csv(ROOT / "results/published/losses.csv").groupby("corpus"):
        yield _table("ParScale", str(corpus), rows, {"N": "N", "P": "P", "loss": "loss"})
    for sweep in ("laptop", "laptop-text", "gpu"):
        rows = scaling.read_runs(ROOT / f"results/sweeps/{sweep}")
        yield _table("our sweeps", sweep, rows, {"N": "N", "P": "P", "loss": "loss"})


def _olmo(runs: pd.DataFrame) -> Table:
    """The ladder's own runs. The table lacks N of the 3B runs, which is taken from D = 20 N at 1xC."""
    ladder = runs[~runs.run.str.contains("eval")].copy()
    ladder["N"] = ladder.N.fillna(ladder.tokens[ladder.run == "3B-1xC"].iloc[0] / 20)
    return _table("OLMo", "ladder, C4", ladder, {"N": "N", "tokens": "D", "c4_loss_ma5": "loss"})


def _routing(runs: pd.DataFrame) -> Table:
    """Dense and S-Base runs, experts as P."""
    plain = (runs.k == 1) & (runs.flop_increase == 1)
    rows = runs[plain & ((runs.router_type == "Dense") | (runs.routing_frequency == 0.5))]
    named = {"dense_parameter_count": "N", "num_experts": "P", "loss_validation": "loss"}
    return _table("routing", "S-Base", rows, named)


def folder(path: Path) -> Iterator[Table]:
    """Tables of a folder of CSV files with columns N, P or D and loss, each a family of its own."""
    for file in sorted(path.glob("*.csv")):
        raw = pd.read_csv(file)
        yield _table(file.stem, file.stem, raw, {c: c for c in ("N", "P", "D", "loss") if c in raw})


def splits(table: Table) -> Iterator[Split]:
    """The smaller two thirds of the sizes, all but the last decade of compute, the smaller four fifths."""
    size, C = _levels(table.runs), _compute(table.runs)
    count, runs = size.max() + 1, table.runs
    least = len(default_law(runs).names()) + 1
    for kind, keep in (
        (SIZE, size < int(np.ceil(count * 2 / 3))),
        (COMPUTE, C.max() / 10 * (1 + 1e-9) >= C),
        (NARROW, size < int(np.ceil(count * 4 / 5))),
    ):
        fitted, asked = (runs[rows].reset_index(drop=True) for rows in (keep, ~keep))
        if len(fitted) > least and len(asked) >= 2 and np.unique(size[keep]).size >= 2:
            yield Split(table, kind, fitted, asked)


def _levels(runs: pd.DataFrame) -> np.ndarray:
    """The rank of each run's size. Parameters of streams do not make another size."""
    if "P" in runs and (runs.P == 1).any() and runs.N.nunique() > 8:
        return np.asarray(levels_along("N", runs.N.to_numpy(), {"P": runs.P.to_numpy()}))
    return np.unique(runs.N, return_inverse=True)[1]


def default_law(runs: pd.DataFrame) -> type[scaling.Law]:
    """The law that today's prediction interval would be of."""
    known = {
        ("N", "P"): scaling.ParallelLaw,
        ("N", "D"): scaling.ChinchillaLaw,
        ("N",): scaling.DenseLaw,
        ("N", "expansion"): OTHER_AXES["sparsity"],
    }
    return known.get(tuple(a for a in AXES if a in runs), scaling.ParallelDataLaw)


# ---- what an interval says of a split -----------------------------------------------------------
LEVEL = 0.95
PLAIN, WIDENED = "prediction interval", "prediction interval, widened"  # of the default law
POOLED, PEER = "forecast", "simple-scaling-laws"
KEYS = ["family", "table", "kind"]
AXES = ("N", "P", "D", "expansion")


def axes(runs: pd.DataFrame) -> dict[str, Any]:
    """The axes of runs as keyword arguments."""
    return {axis: runs[axis].to_numpy() for axis in AXES if axis in runs}


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


def plain(split: Split) -> list[dict[str, Any]]:
    """The default law's prediction interval, for independent rows and assuming its form, and as given now.

    The table is not read as a user's: a P that counts experts instead of streams is meant here.
    """
    law, runs = default_law(split.fitted), split.fitted
    x = tuple(runs[axis].to_numpy() for axis in law.axes)
    fit = scaling.Fit.of(solve(Problem(law, x, runs.loss.to_numpy(), np.ones(len(runs)), scaling.LogHuber())))
    at = {a: split.asked[a].to_numpy() for a in law.axes}
    before = replace(fit, grouping=OFF)
    found = {PLAIN: before.predict(at, level=LEVEL, widened=False), WIDENED: fit.predict(at, level=LEVEL)}
    return [row(split, name, one.new_lower, one.new_upper) for name, one in found.items()]


def forecasts(split: Split, tuned: Tuned | None, alone: bool = True) -> list[dict[str, Any]]:
    """The pooled forecast and each law's own."""
    pooled = forecast(split.fitted, **axes(split.asked), level=LEVEL, tuned=tuned)
    rows = [row(split, POOLED, pooled.lower, pooled.upper)]
    known = {law.__name__: law for law in scaling.REGISTRY.values()}
    for name in pooled.laws if alone else ():
        if name in known:
            at = {axis: x for axis, x in axes(split.asked).items() if axis in known[name].axes}
            one = forecast(split.fitted, **at, laws=[known[name]], level=LEVEL, tuned=tuned)
            rows.append(row(split, name, one.lower, one.upper))
    return rows


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


# ---- other than public tables -------------------------------------------------------------------
FACTORS = (3.0, 10.0, 30.0)  # of the largest N, in simulations


def paper() -> pd.DataFrame:
    """The paper's own hold-outs: N < 2e9 fitted, the 2.8B and 4.4B models forecast, on both corpora."""
    runs, out = scaling.read_runs(ROOT / "results/published/losses.csv"), []
    for corpus, rows in runs.groupby("corpus"):
        small, large = rows[rows.N < 2e9], rows[rows.N > 2e9]
        made = forecast(small, N=large.N, P=large.P)
        before = scaling.fit(scaling.ParallelLaw, small, groups=False).predict(
            N=large.N, P=large.P, widened=False
        )
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
    fit = scaling.fit(scaling.ChinchillaLaw, runs, groups=False)
    before, made = fit.predict(N=large.N, D=large.D, widened=False), forecast(runs, N=large.N, D=large.D)
    ends = {PLAIN: (before.new_lower, before.new_upper), POOLED: (made.lower, made.upper)}
    out = []
    for place, factor in enumerate(FACTORS):
        split = Split(Table("simulated", name, runs), f"N x {factor:g}", runs, large.iloc[[place]])
        out += [row(split, m, low.iloc[[place]], high.iloc[[place]]) for m, (low, high) in ends.items()]
    return out


def simulated(trials: int = 40) -> pd.DataFrame:
    """Coverage, width and score, of the log loss, if the truth is none of the laws."""
    rows = run(_simulated, [(name, seed) for name in truths() for seed in range(trials)])
    found = rows.groupby(["table", "kind", "method"], sort=False)[["coverage", "width", "score"]].mean()
    return found.reset_index().assign(trials=trials)


def peer_interval(task: dict[str, list[list[float]]]) -> list[list[float]] | str:
    """simple-scaling-laws' lower and upper ends of one split, or why there are none. Run by a Python that has it.

    Its additive law of N and D, separable-power, each run a training run of its own, with the package's defaults.
    """
    import polars as pl
    from simple_scaling_laws import fit as fit_theirs

    N, D, loss = task["fitted"]
    frame = pl.DataFrame(
        {
            "training_run_id": [f"run-{i}" for i in range(len(N))],
            "train_set_id": ["train"] * len(N),
            "test_set_id": ["test"] * len(N),
            "optimizer_seed": list(range(len(N))),
            "model_size__n_params": N,
            "dataset_size__n_tokens": D,
            "test_loss__nats": loss,
        }
    )
    points = pl.DataFrame(
        {
            "point_id": [str(i) for i in range(len(task["asked"][0]))],
            "model_size__n_params": task["asked"][0],
            "dataset_size__n_tokens": task["asked"][1],
        }
    )
    try:
        model = fit_theirs(frame, law="separable-power", seed=0)
        rows = model.predict(points, quantiles=[0.025, 0.5, 0.975]).sort(pl.col("point_id").cast(pl.Int64))
    except Exception as error:  # whatever the package refuses is reported, not hidden
        return f"{type(error).__name__}: {error}"
    return [rows["test_loss__nats__q025"].to_list(), rows["test_loss__nats__q975"].to_list()]


def peer(python: str, every: list[Split]) -> pd.DataFrame:
    """simple-scaling-laws' interval of each split of N and D, by `python`, which has the package."""
    both = [s for s in every if {"N", "D"} <= set(s.fitted)]
    columns = {"fitted": ["N", "D", "loss"], "asked": ["N", "D"]}
    tasks = [
        {part: [getattr(s, part)[c].tolist() for c in some] for part, some in columns.items()} for s in both
    ]
    script = (
        f"from __future__ import annotations\nimport json, sys\n{inspect.getsource(peer_interval)}\n"
        "json.dump([peer_interval(task) for task in json.load(sys.stdin)], sys.stdout)"
    )
    done = subprocess.run(
        [python, "-W", "ignore", "-c", script],
        input=json.dumps(tasks),
        capture_output=True,
        text=True,
        check=True,
    )
    found = zip(both, json.loads(done.stdout), strict=True)
    return pd.DataFrame([row(s, PEER, *ends) for s, ends in found if not isinstance(ends, str)])
