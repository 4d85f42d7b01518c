"""Runs of P > 1 paired with runs of P = 1: paired changes of the loss, and the gains they average to.

Changes are taken at one size, seed and number of tokens. A law of N is one corpus', and one budget's where
sizes were trained on more budgets than one. In a small model prefixes and aggregation add a good part of N:
a fall of the loss from P = 1 to P is no gain of the streams until it passes what so many parameters would
have given anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from scaling.data.any_table import runs_frame
from scaling.data.groups import split_by_corpus
from scaling.data.levels import axis_levels, size_levels
from scaling.data.runs import finished_runs
from scaling.data.units import count_text
from scaling.fitting.fit import fit
from scaling.fitting.result import Fit
from scaling.laws import DenseLaw
from scaling.laws.base import Array
from scaling.optimise.objectives import LeastSquares
from scaling.result_table import FrameResult
from scaling.uncertainty.interval_methods import at_points, check_level
from scaling.uncertainty.prediction import default_method

KEYS = ("corpus", "size", "D", "N_one", "P")  # what names a row
WORTH = ("by_parameters", "by_low", "by_high")
COLUMNS = (*KEYS, "N", "seeds", "change", "low", "high", "spread", *WORTH, "k")


def paired(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a run of P > 1 that has a run of P = 1 of its size, corpus and seed.

    Without a column size, runs of one N are of one size, if every run of P > 1 has one of P = 1 there.
    Columns: corpus, size, D (0 where it is not known), seed, N_one (of P = 1), P, N, change (loss minus
    that of P = 1 at the same tokens, nats per token). Raises ValueError where runs of P = 1 of one size
    differ in N: they are of two models, and their mean is of none; and where D is known of some runs only.
    """
    keys = ["corpus", "size", "D", "seed"]
    runs = sized(runs)
    if "size" not in runs or not (runs["P"] == 1).any():
        return pd.DataFrame(columns=[*keys, "N_one", "P", "N", "change"])
    known = finished_runs(runs)
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


def sized(runs: pd.DataFrame) -> pd.DataFrame:
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

    Budgets of tokens are separated where some size was trained on more than one. Where each size has its
    own, as on a compute-optimal diagonal, the law follows the diagonal.
    """
    parts = {}
    for corpus, rows in split_by_corpus(finished_runs(runs)).items():
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


def one_stream_fits(
    runs: pd.DataFrame, weights: str | None = None, se: str | None = None, groups: str | bool | None = None
) -> dict[str, Fit]:
    """By the names of `of_one_law`, L = E + (A / N)^alpha fitted to the runs of P = 1, given three sizes.

    By least squares; weights, se, groups: columns, as of `scaling.fit`.
    """
    single = {name: rows[rows["P"] == 1] for name, rows in of_one_law(runs).items()}
    return {
        name: fit(DenseLaw, rows, LeastSquares(), weights=weights, se=se, groups=groups)
        for name, rows in single.items()
        if rows["N"].nunique() >= len(DenseLaw.names())
    }


@dataclass(frozen=True, repr=False)
class Gains(FrameResult):
    """What P > 1 changed: `table` one row a corpus, size and P, `verdict` in words."""

    table: pd.DataFrame
    verdict: str


def gains(
    runs: Any,
    level: float = 0.95,
    *,
    weights: str | None = None,
    se: str | None = None,
    groups: str | bool | None = None,
) -> Gains:
    """Changes of the loss from P = 1 to P > 1 at equal size, seed and tokens, averaged over seeds.

    Args:
        runs: any table that `scaling.fit` takes, with N, P and loss, and size, seed, corpus and D if it has them.
        level: of the intervals, between 0 and 1.
        weights: column of how often each row counts, for the law of N at P = 1.
        se: column of the losses' standard errors in nats per token, for the same law.
        groups: column of the run of each row, as of `scaling.fit`, for the same law.

    Returns:
        `Gains`. Its `table` has one row per corpus, size and P, with losses in nats per token: change, low and high
        (Student's interval of the mean over seeds), spread (standard deviation over seeds), by_parameters, by_low
        and by_high (the change that N / N_one alone predicts by the law of N at P = 1, and its profile interval) and
        k (that of Eq 5 by the same law, which Eq 5 says is the same in every row). Values that one seed or too few
        runs cannot give are missing.

    Raises:
        ValueError: for a table without N, P or loss.

    Source: Eq 5 of arXiv 2505.10475 for k.

    Examples:
        >>> pile = scaling.published("losses").query("corpus == 'pile'")
        >>> scaling.gains(pile).table.groupby("P").change.mean().round(4).to_dict()
        {2.0: -0.03, 4.0: -0.0521, 8.0: -0.0703}
    """
    runs = runs_frame(runs)
    by_one = one_stream_fits(runs, weights, se, groups)
    rows = [
        mean_change(group, level)
        | dict(zip(WORTH, ends, strict=True))
        | {"k": needed_k(by_one.get(name), group)}
        for name, of_law in _groups(runs).items()
        for group, ends in zip(of_law, worth(by_one.get(name), of_law, level), strict=True)
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return Gains(table, _verdict(table))


def _verdict(table: pd.DataFrame) -> str:
    """The changes in words: how many are falls, and how many go beyond what added parameters would give."""
    if table.empty:
        return "No run of P > 1 has a run of P = 1 of its size, seed and tokens: there is nothing to compare."
    fell = int((table["change"] < 0).sum())
    words = f"The loss fell from P = 1 in {fell} of {len(table)} comparisons."
    known = table[table["by_parameters"].notna()]
    if known.empty:
        return f"{words} Too few sizes of P = 1 for a parameter-matched baseline."
    beyond = int((known["change"] < known["by_parameters"]).sum())
    return (
        f"{words} In {beyond} of {len(known)} it fell further than the parameters that streams bring would lower it; "
        f"the median k of Eq 5 is {known['k'].median():.3g}."
    )


def mean_changes(runs: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """`gains` without what rests on a law of N."""
    rows = [mean_change(group, level) for of_law in _groups(runs).values() for group in of_law]
    return pd.DataFrame(rows, columns=[name for name in COLUMNS if name not in (*WORTH, "k")])


def pairs(runs: pd.DataFrame) -> pd.DataFrame:
    """`paired`, each budget of tokens by itself: the changes that `gains` averages."""
    every = [group for of_law in _groups(runs).values() for group in of_law]
    return pd.concat(every or [paired(runs)], ignore_index=True)


def _groups(runs: pd.DataFrame) -> dict[str, list[pd.DataFrame]]:
    """The changes of each size, budget and P, by the name of the law of N that is theirs."""
    whole, parts = paired(runs), of_one_law(runs)  # what cannot be paired is refused as a whole
    changes = {name: paired(part) if len(parts) > 1 else whole for name, part in parts.items()}
    keys = ["N_one", "size", "D", "P"]
    return {name: [group for _, group in own.groupby(keys)] for name, own in changes.items()}


def mean_change(group: pd.DataFrame, level: float) -> dict[str, Any]:
    """One size and P over its seeds."""
    check_level(level)
    change, n = group["change"], len(group)
    spread = float(change.std(ddof=1)) if n > 1 else float("nan")
    half = stdtrit(n - 1, 0.5 + level / 2) * spread / np.sqrt(n) if n > 1 else float("nan")
    first = {name: group[name].iloc[0] for name in ("corpus", "size", "D", "N_one", "P", "N")}
    mean = float(change.mean())
    return first | {"seeds": n, "change": mean, "low": mean - half, "high": mean + half, "spread": spread}


def worth(one: Fit | None, groups: Sequence[pd.DataFrame], level: float) -> Array:
    """Mean change of the loss, nats per token, from N_one to N at P = 1, and its interval at `level`, (G, 3).

    one: the law of N fitted to P = 1; groups: rows of `paired`, each of one size and P. nan without a fit.
    """
    if one is None or not groups:
        return np.full((len(groups), 3), np.nan)
    every, count = pd.concat(groups), np.array([len(group) for group in groups])
    first = np.cumsum(count) - count
    at, before = (at_points({"N": every[name].to_numpy(float)}, ("N",)) for name in ("N", "N_one"))

    def change(law: Any) -> Any:
        return np.add.reduceat(at(law) - before(law), first, axis=-1) / count

    if not one.determined:
        known = np.reshape(change(one.law), (-1, 1))
        return np.concatenate([known, np.full((len(groups), 2), np.nan)], axis=1)
    return np.stack(default_method(one).interval(one, change, level), axis=1)


def needed_k(one: Fit | None, group: pd.DataFrame) -> float:
    """The k whose N (k ln P + 1) parameters have, at P = 1, the loss that the mean change leads to.

    Infinite where that loss is below the law's E; nan without a fit.
    """
    if one is None:
        return float("nan")
    row = group.iloc[0]
    loss = float(one.law.predict(N=row["N_one"])) + float(group["change"].mean())
    return (float(one.law.inverse(loss)) / float(row["N"]) - 1) / float(np.log(row["P"]))


def k_of_pairs(runs: Any, level: float = 0.95) -> pd.DataFrame:
    """The table of `gains` with the interval of each pair's k: columns k_low and k_high.

    Two parts are added in squares: what the law of N fitted to the runs of P = 1 leaves open, by its profile
    interval, and the noise of the change. The latter is Student's over seeds; with one seed a change has twice
    the residual variance of that law. Missing where there is no such law, or it is not determined.
    """
    runs = runs_frame(runs)
    table, by_one = gains(runs, level).table, one_stream_fits(runs)
    ends = [_k_ends(by_one.get(name), of_law, level) for name, of_law in _groups(runs).items() if of_law]
    low, high = np.concatenate(ends).T if ends else np.empty((2, 0))
    return table.assign(k_low=low, k_high=high)


def _k_ends(one: Fit | None, groups: Sequence[pd.DataFrame], level: float) -> Array:
    """The interval of k of each size and P, (G, 2)."""
    if one is None or not one.determined:
        return np.full((len(groups), 2), np.nan)
    found = pd.DataFrame([mean_change(group, level) for group in groups])
    N_one, N, P, change = (found[name].to_numpy(float) for name in ("N_one", "N", "P", "change"))

    def k_after(law: Any, change: Array) -> Any:
        E, A, alpha = (np.asarray(getattr(law, name), float)[..., None] for name in ("E", "A", "alpha"))
        above = (A / N_one) ** alpha + change
        with np.errstate(invalid="ignore", divide="ignore"):
            size = np.where(above > 0, A * np.abs(above) ** (-1 / alpha), np.inf)
        return (size / N - 1) / np.log(P) + 0 * E

    freedom = max(one.degrees_of_freedom, 1.0)
    once = float(stdtrit(freedom, 0.5 + level / 2)) * np.sqrt(2) * one.noise  # half the interval of one pair
    half = np.where(found["seeds"] < 2, once, (found["high"] - found["low"]) / 2)
    k, low, high = default_method(one).interval(one, lambda law: k_after(law, change), level)
    below, above = (np.reshape(k_after(one.law, change + sign * half), -1) for sign in (1, -1))
    return np.stack([k - np.hypot(k - low, k - below), k + np.hypot(high - k, above - k)], axis=1)


def noise_over_seeds(runs: pd.DataFrame) -> pd.DataFrame:
    """How far seeds scatter, pooled over sizes: of one run and of a paired change, by corpus.

    Columns: corpus, seeds (most at one configuration), of_a_run, of_a_change (standard deviations, nats
    per token; missing with one seed), pairs (degrees of freedom of the latter).
    """
    known = finished_runs(runs)
    rows = []
    for corpus, part in split_by_corpus(known).items():
        known_by = [c for c in ("size" if "size" in part else "N", "D", "P") if c in part]
        single = part.groupby(known_by, dropna=False)["loss"]
        change = paired(part).groupby(["size", "D", "P"])["change"]
        of_a_run, _ = _pooled(single)
        of_a_change, dof = _pooled(change)
        rows.append((corpus, int(single.size().max()), of_a_run, of_a_change, dof))
    return pd.DataFrame(rows, columns=["corpus", "seeds", "of_a_run", "of_a_change", "pairs"])


def _pooled(groups: Any) -> tuple[float, int]:
    """Standard deviation within groups, pooled, and its degrees of freedom."""
    dof = int((groups.size() - 1).sum())
    squares = float((groups.var(ddof=1).fillna(0) * (groups.size() - 1)).sum())
    return (np.sqrt(squares / dof) if dof else float("nan")), dof
