"""What streams gained at each size, seed by seed, beside what the parameters they bring are worth.

In a small model prefixes and aggregation add a good part of N: a fall of the loss from P = 1 to P is no
gain of the streams until it passes what so many parameters would have given anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

import scaling
from analysis.changes import of_one_law, one_stream_fits, paired
from analysis.corpora import split_by_corpus
from analysis.equivalent import usable
from scaling import terminal
from scaling.method import at_points, check_level
from scaling.summary import number

FORMATS = {
    "N_one": ",.0f",
    "P": "g",
    "N": ",.0f",
    "D": ",.0f",
    **dict.fromkeys(("change", "low", "high", "by_parameters", "by_low", "by_high"), "+.4f"),
    "spread": ".4f",
    "k": ".2f",
}
KEYS = ("corpus", "size", "D", "N_one", "P")  # what names a row
WORTH = ("by_parameters", "by_low", "by_high")
COLUMNS = (*KEYS, "N", "seeds", "change", "low", "high", "spread", *WORTH, "k")


def gains(runs: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """`paired` averaged over seeds: COLUMNS, a row each corpus, size and P.

    low, high: Student's interval of the mean change over seeds; spread: standard deviation of a change
    over seeds (all three missing with one seed); by_parameters, by_low, by_high: the change that N / N_one
    alone predicts, by the law of N fitted to the runs of P = 1, and its profile interval (missing where
    they are too few; it covers 94 to 95% of the time at six runs of five sizes). k: that of Eq 5 for which,
    by the same law of N, the mean change would come out; where Eq 5 holds, it is the same in every row.
    """
    by_one = one_stream_fits(runs)
    rows = [
        mean_change(group, level)
        | dict(zip(WORTH, worth(by_one.get(name), group, level), strict=True))
        | {"k": needed_k(by_one.get(name), group)}
        for name, group in _groups(runs)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def mean_changes(runs: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """`gains` without what rests on a law of N."""
    rows = [mean_change(group, level) for _, group in _groups(runs)]
    return pd.DataFrame(rows, columns=[name for name in COLUMNS if name not in (*WORTH, "k")])


def pairs(runs: pd.DataFrame) -> pd.DataFrame:
    """`paired`, each budget of tokens by itself: the changes that `gains` averages."""
    return pd.concat([group for _, group in _groups(runs)] or [paired(runs)], ignore_index=True)


def _groups(runs: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The changes of each size, budget and P, with the name of the law of N that is theirs."""
    paired(runs)  # what cannot be paired is refused as a whole
    for name, part in of_one_law(runs).items():
        for _, group in paired(part).groupby(["N_one", "size", "D", "P"]):
            yield name, group


def mean_change(group: pd.DataFrame, level: float) -> dict[str, Any]:
    """One size and P over its seeds."""
    check_level(level)
    change, n = group["change"], len(group)
    spread = float(change.std(ddof=1)) if n > 1 else float("nan")
    half = stdtrit(n - 1, 0.5 + level / 2) * spread / np.sqrt(n) if n > 1 else float("nan")
    first = {name: group[name].iloc[0] for name in ("corpus", "size", "D", "N_one", "P", "N")}
    mean = float(change.mean())
    return first | {"seeds": n, "change": mean, "low": mean - half, "high": mean + half, "spread": spread}


def worth(one: scaling.Fit | None, group: pd.DataFrame, level: float) -> tuple[float, float, float]:
    """Mean change of the loss, nats per token, from N_one to N at P = 1, and its interval at `level`.

    one: the law of N fitted to P = 1; group: rows of `paired` of one size and P. nan without a fit.
    """
    if one is None:
        return (float("nan"),) * 3
    at, before = (at_points({"N": group[name].to_numpy(float)}, ("N",)) for name in ("N", "N_one"))

    def change(law: Any) -> Any:
        return (at(law) - before(law)).mean(axis=-1, keepdims=True)

    if not one.determined:
        return float(change(one.law)[0]), float("nan"), float("nan")
    estimate, low, high = (float(part[0]) for part in scaling.Profile().interval(one, change, level))
    return estimate, low, high


def needed_k(one: scaling.Fit | None, group: pd.DataFrame) -> float:
    """The k whose N (k ln P + 1) parameters have, at P = 1, the loss that the mean change leads to.

    Infinite where that loss is below the law's E; nan without a fit.
    """
    if one is None:
        return float("nan")
    row = group.iloc[0]
    loss = float(one.law.predict(N=row["N_one"])) + float(group["change"].mean())
    return (float(one.law.inverse(loss)) / float(row["N"]) - 1) / float(np.log(row["P"]))


def grounds(runs: pd.DataFrame, level: float = 0.95) -> str:
    """What the columns of `gains` rest on: the interval's kind, the status of each fit at P = 1."""
    fits = [
        f"{name or 'all'}: {one.status}, {one.loss.size} runs of P = 1, "
        f"{one.degrees_of_freedom:g} degrees of freedom"
        for name, one in one_stream_fits(runs).items()
    ]
    lines = [
        "change: loss minus that of P = 1 at the same seed, nats per token; "
        f"low, high: its {100 * level:g}% interval over seeds (Student)",
        "by_parameters: what N / N_one alone would change, by L = E + (A / N)^alpha fitted to P = 1; "
        f"by_low, by_high: its {100 * level:g}% profile interval",
        "k: of Eq 5 for this change alone, by the same law of N; one number in every row where Eq 5 holds",
    ]
    return "\n".join([*lines, *(fits or ["too few sizes at P = 1 to fit"])])


def noise_over_seeds(runs: pd.DataFrame) -> pd.DataFrame:
    """How far seeds scatter, pooled over sizes: of one run and of a paired change, by corpus.

    Columns: corpus, seeds (most at one configuration), of_a_run, of_a_change (standard deviations, nats
    per token; missing with one seed), pairs (degrees of freedom of the latter).
    """
    known = usable(runs)
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


def scatter(row: Mapping[Any, Any]) -> str:
    """A row of `noise_over_seeds` in words."""
    where = f"{row['corpus']}: " if row["corpus"] else ""
    if np.isnan(row["of_a_run"]):
        return f"{where}one seed only; what another would have given is not known."
    words = f"{where}seeds scatter by {row['of_a_run']:.4f} (standard deviation of one run)"
    if np.isnan(row["of_a_change"]):
        return f"{words}."
    paired = f"{row['of_a_change']:.4f} for a change at equal seed"
    return f"{words}, {paired} ({row['pairs']} degrees of freedom)."


def telling(table: pd.DataFrame) -> pd.DataFrame:
    """`gains` without columns that are empty, and without the corpus or the budget where there is but one."""
    told = table.dropna(axis="columns", how="all")
    if (told["corpus"] == "").all():
        told = told.drop(columns="corpus")
    if "D" in told and len(told["D"].unique()) == 1:
        told = told.drop(columns="D")
    return told


def text(table: pd.DataFrame, room: int | None = None) -> str:
    """`gains` for the terminal; columns in blocks where its room in characters is too small."""
    shown = telling(table)
    how: Any = {name: f"{{:{form}}}".format for name, form in FORMATS.items() if name in shown}
    keys = sum(name in KEYS for name in shown)
    return terminal.table(shown, room, keys, index=False, formatters=how, na_rep="")


AVERAGED = """\
one: loss of one stream alone; gain: of the average of all P below it; spread: its standard deviation
over runs; line: the gain by Proposition 1; slope: its (L1 - E)(1 - rho), equal for every P where rho is"""


def averaged(streams: pd.DataFrame, room: int | None = None) -> str:
    """What averaging all P streams gained over one of them, a size's runs in the mean, for the terminal."""
    one = streams[streams["m"] == 1].set_index("run_id")["loss"]
    whole = streams[streams["m"] == streams["P"]].assign(one=lambda t: t["run_id"].map(one))
    whole["slope"] = whole["line"] / (1 - 1 / whole["P"])
    apart = [c for c in ("corpus", "recipe") if c in whole and len(set(whole[c])) > 1]
    groups = whole.groupby([*apart, "size", "P"], sort=False)
    table = groups[["one", "gain", "line", "slope", "similarity", "entropy"]].mean()
    table.insert(0, "runs", groups.size())
    table.insert(3, "spread", groups["gain"].std())
    told = table.reset_index().dropna(axis="columns", how="all")
    form: dict[str, Any] = {"one": "{:.4f}".format, "similarity": "{:.4f}".format, "entropy": "{:.3f}".format}
    form |= dict.fromkeys(("gain", "spread", "line", "slope"), number)
    how: Any = {name: one for name, one in form.items() if name in told}
    return f"{AVERAGED}\n{terminal.table(told, room, len(apart) + 2, index=False, formatters=how, na_rep='')}"
