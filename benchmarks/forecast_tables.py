"""The public tables that forecasts are tested on, and how they are split: used by `benchmarks.forecast`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import scaling
from scaling.data.levels import levels_along

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "results/published/runs"
TABLES = ROOT / "results/published/tables"
SIZE, COMPUTE, NARROW = "size", "compute", "narrow"
ND = {"N": "N", "D": "D", "loss": "loss"}


@dataclass(frozen=True)
class Table:
    """Runs of one source: columns N, P or D where they vary, loss."""

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
        named = {"N_active": "N", "P": "P", "loss": "loss"}
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
    """The ladder's own runs; N of the 3B runs, which the table lacks, from D = 20 N at 1xC."""
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
    """The rank of each run's size; what streams add to one is no size of its own."""
    if "P" in runs and (runs.P == 1).any() and runs.N.nunique() > 8:
        return np.asarray(levels_along("N", runs.N.to_numpy(), {"P": runs.P.to_numpy()}))
    return np.unique(runs.N, return_inverse=True)[1]


def default_law(runs: pd.DataFrame) -> type[scaling.Law]:
    """The law that today's prediction interval would be of."""
    known = {("N", "P"): scaling.ParallelLaw, ("N", "D"): scaling.ChinchillaLaw, ("N",): scaling.DenseLaw}
    return known.get(tuple(a for a in ("N", "P", "D") if a in runs), scaling.ParallelDataLaw)
