"""Runs of P > 1 beside their runs of P = 1, and the law of N that the latter follow.

Changes are taken at one size, seed and number of tokens; a law of N is one corpus', and one budget's where
sizes were trained on more budgets than one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import scaling
from analysis.corpora import split_by_corpus
from analysis.equivalent import usable
from analysis.units import count_text
from scaling import DenseLaw, LeastSquares
from scaling.levels import axis_levels, size_levels


def paired(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a run of P > 1 that has a run of P = 1 of its size, corpus and seed.

    Without a column size, runs of one N are of one size, if every run of P > 1 has one of P = 1 there.
    Columns: corpus, size, D (0 where it is not known), seed, N_one (of P = 1), P, N, change (loss minus
    that of P = 1 at the same tokens, nats per token). Raises ValueError where runs of P = 1 of one size
    differ in N: they are of two models, and their mean is of none; and where D is known of some runs only.
    """
    keys = ["corpus", "size", "D", "seed"]
    runs = _sized(runs)
    if "size" not in runs or not (runs["P"] == 1).any():
        return pd.DataFrame(columns=[*keys, "N_one", "P", "N", "change"])
    known = usable(runs)
    _same_tokens(known)
    absent: dict[str, Any] = {"corpus": "", "seed": 0, "D": 0.0}
    known = known.assign(**{name: known.get(name, value) for name, value in absent.items()})
    known["D"] = known["D"].fillna(0.0)
    single = known[known["P"] == 1]
    _one_model(single)
    one = single.groupby(keys, as_index=False)[["N", "loss"]].mean()
    both = known[known["P"] > 1].merge(one, on=keys, suffixes=("", "_one"))
    both["change"] = both["loss"] - both["loss_one"]
    return both[[*keys, "N_one", "P", "N", "change"]].sort_values(["corpus", "N_one", "D", "P", "seed"])


def _sized(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with a column `size`: their N, where they name no size and streams are not counted in N."""
    several = set(runs.loc[runs["P"] > 1, "N"])
    if "size" in runs or not several or not several <= set(runs.loc[runs["P"] == 1, "N"]):
        return runs
    return runs.assign(size=[f"{N:.6g}" for N in runs["N"]])


def _same_tokens(runs: pd.DataFrame) -> None:
    """Refuse runs of which some tell their tokens and some do not."""
    missing = int(runs["D"].isna().sum()) if "D" in runs else 0
    if 0 < missing < len(runs):
        raise ValueError(
            f"D is missing in {missing} of {len(runs)} runs: changes are taken at equal tokens; fill it in, "
            "or leave the column out"
        )


def _one_model(single: pd.DataFrame) -> None:
    """Refuse a size whose runs of P = 1 have more than one N."""
    for (corpus, size), N in single.groupby(["corpus", "size"], sort=False)["N"]:
        if N.min() < N.max():
            where = f"{corpus}: " if corpus else ""
            raise ValueError(
                f"{where}runs of P = 1 of size {size} have N = {N.min():,.0f} and {N.max():,.0f}: "
                "name these models apart in column size"
            )


def beside(runs: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame:
    """The runs of P > 1 with those of P = 1 from another sweep, so that changes are from the latter."""
    return pd.concat([baseline[baseline["P"] == 1], runs[runs["P"] > 1]], ignore_index=True)


def of_one_law(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The usable runs that one law of N can describe, by name: a corpus, and its tokens where it has several.

    Budgets of tokens are told apart where some size was trained on more than one. Where each size has its
    own, as on a compute-optimal diagonal, the law follows the diagonal.
    """
    parts = {}
    for corpus, rows in split_by_corpus(usable(runs)).items():
        budget = _budgets(rows)
        for level in np.unique(budget):
            here = rows[budget == level]
            tokens = f"{count_text(here['D'].median())} tokens" if budget.any() else ""
            parts[", ".join(filter(None, (corpus, tokens)))] = here
    return parts


def _budgets(rows: pd.DataFrame) -> Any:
    """Level 0, 1, ... of each run's tokens, (n,); all 0 where no size has two."""
    if not len(rows) or "D" not in rows or rows["D"].isna().any():
        return np.zeros(len(rows), int)
    level = axis_levels(rows["D"].to_numpy(float))
    of_size = pd.Series(level).groupby(size_levels(rows)).nunique()
    return level if (of_size > 1).any() else np.zeros(len(rows), int)


def one_stream_fits(runs: pd.DataFrame) -> dict[str, scaling.Fit]:
    """By the names of `of_one_law`, L = E + (A / N)^alpha fitted to the runs of P = 1, given three sizes.

    By least squares.
    """
    single = {name: rows[rows["P"] == 1] for name, rows in of_one_law(runs).items()}
    return {
        name: scaling.fit(DenseLaw, rows, LeastSquares())
        for name, rows in single.items()
        if rows["N"].nunique() >= len(DenseLaw.names())
    }
