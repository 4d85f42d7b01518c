"""The cheapest measured way of answering that reaches an accuracy: by parameters, streams, loops, work or samples.

A way of answering is a trained model (size, P, trained_r, work: the steps that it was trained to write), the r at which
it runs, and how it is asked (way, m samples). `parscale inference` measures its accuracy and costs for each random
seed. Mean accuracies and median costs are compared, and nothing beyond what was measured. pass@m needs a judge and is
left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from scaling.data import table_files
from scaling.data.units import count_text
from scaling.uncertainty.interval_methods import check_level

ANSWERS = "inference.parquet"  # what `parscale inference` writes
COSTS = {  # of a question, or of 1 and 8 at once: their names
    "flops": "FLOPs",
    "latency_s_1": "latency",
    "memory_bytes_1": "memory",
    "latency_s_8": "latency, batch 8",
    "memory_bytes_8": "memory, batch 8",
}
QUESTION, MODEL, ASKED = ("task", "difficulty"), ("size", "P", "trained_r", "work", "r"), ("way", "m")
PLAIN = {"P": 1, "trained_r": 1, "work": 0, "r": 1, "way": "greedy"}
REACHES, DOES_NOT, UNCLEAR, OVER = "reaches", "does not", "cannot tell", "over the limits"


def read_answers(source: Path) -> pd.DataFrame:
    """The table of answers of a sweep's folder, or in a file. ValueError where it is missing, or is another table."""
    file = source / ANSWERS if source.is_dir() else source
    if not file.is_file():
        raise ValueError(
            f"{file}: no such file. `parscale inference {source}` measures the answers of a sweep"
        )
    table = table_files.load_table(file)
    lacks = {"corpus", "difficulty", "seed", "items", "accuracy", *MODEL, *ASKED, *COSTS} - {*table, "work"}
    if lacks:
        raise ValueError(
            f"{file}: no column {', '.join(sorted(lacks))}. Give what `parscale inference` writes"
        )
    return table


def cheapest_answers(
    table: pd.DataFrame,
    accuracy: float,
    *,
    limits: Mapping[str, float] | None = None,
    task: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """The cheapest way of answering that reaches an accuracy, for each task, difficulty and cost.

    A way reaches the accuracy if the lower end of its interval does, and every random seed. If only the mean does, the
    answer is "cannot tell", and the cheapest way that reaches it has a row too. All seeds are asked the same questions,
    so that the interval is of the questions alone. Of costs that are equal to two digits the surest way is taken.

    Args:
        table: as `read_answers` gives it.
        accuracy: to reach, between 0 and 1.
        limits: the most that a way may cost, by column of COSTS: FLOPs, seconds, bytes.
        task: such as "hops" or "hops 4" with its difficulty. All of the table by default.
        level: of the intervals, between 0 and 1.

    Returns:
        For each task and difficulty a row `least` = "plain" (P = r = 1, greedy, no work), then a row for each cost: its
        column in `least`, and `times` the plain way's. Without such a way there is a row `least` = "none" of the most
        accurate way within the limits, or of the nearest to them. Further columns: size, N, P, trained_r, work, r, way, m,
        steps (tokens of work), accuracy, lower, upper, items, seeds, reaching (seeds that reach it), the costs, and
        answer: "reaches", "does not", "cannot tell", or "over the limits".

    Raises:
        ValueError: for an accuracy or level out of range, a limit that is no cost, or an unknown task.
    """
    check_level(level)
    if not 0 < accuracy <= 1:
        raise ValueError(
            f"accuracy={accuracy!r}: give a share of right answers above 0 and at most 1, such as 0.9"
        )
    bounds = dict(limits or {})
    if unknown := {*bounds} - {*COSTS}:
        raise ValueError(
            f"limit of {', '.join(sorted(unknown))}: the costs of an answer are {', '.join(COSTS)}"
        )
    ways = _of_task(_ways(table, accuracy, level), task)
    parts = [_rows(part, accuracy, bounds) for _, part in ways.groupby([*QUESTION], sort=True)]
    return pd.concat(parts, ignore_index=True)


def task_and_work(corpus: str) -> tuple[str, int]:
    """The task that a corpus trains, without its work, and how many steps of work it writes: runs of both share questions."""
    parts = corpus.removeprefix("task:").split("#")
    work = [int(part.removeprefix("steps=")) for part in parts if part.startswith("steps=")]
    return "#".join(part for part in parts if not part.startswith(("steps=", "loss="))), sum(work)


def agresti_coull(
    share: npt.ArrayLike, items: npt.ArrayLike, level: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Ends of the interval of a share (n,) of so many items (n,) that are right, by Agresti and Coull (1998)."""
    z = float(stats.norm.ppf(0.5 + level / 2))
    n = np.asarray(items, np.float64) + z**2
    middle = (np.asarray(share, np.float64) * np.asarray(items) + z**2 / 2) / n
    half = z * np.sqrt(middle * (1 - middle) / n)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


def _ways(table: pd.DataFrame, accuracy: float, level: float) -> pd.DataFrame:
    """Every way of answering, its random seeds together."""
    parts = [task_and_work(corpus) for corpus in table["corpus"]]
    named = table.assign(task=[task for task, _ in parts], work=[work for _, work in parts])
    named["reaching"] = named["accuracy"] >= accuracy
    whole = dict.fromkeys(("difficulty", "P", "trained_r", "r", "m", "steps", "items"), "int64")
    rows = named[named["way"] != "pass"].astype(whole)
    kept: dict[str, Any] = {
        "N": ("N", "first"),
        "steps": ("steps", "first"),
        "accuracy": ("accuracy", "mean"),
    }
    kept |= {"items": ("items", "min"), "seeds": ("seed", "size"), "reaching": ("reaching", "sum")}
    kept |= {cost: (cost, "median") for cost in COSTS}
    ways: pd.DataFrame = rows.groupby([*QUESTION, *MODEL, *ASKED], sort=False).agg(**kept).reset_index()
    ways["lower"], ways["upper"] = agresti_coull(ways["accuracy"], ways["items"], level)
    surely = (ways["lower"] >= accuracy) & (ways["reaching"] == ways["seeds"])
    ways["answer"] = np.select(
        [surely, (ways["upper"] < accuracy) & (ways["reaching"] == 0)], [REACHES, DOES_NOT], UNCLEAR
    )
    return ways


def _of_task(ways: pd.DataFrame, task: str | None) -> pd.DataFrame:
    """The ways of a task, named with or without its settings and its difficulty."""
    if task is None:
        return ways
    known = [*zip(ways["task"], ways["difficulty"], strict=True)]

    def called(name: str, difficulty: int) -> bool:
        short = name.partition("#")[0]
        return task.removeprefix("task:") in {short, name, f"{short} {difficulty}", f"{name} {difficulty}"}

    chosen = [called(*one) for one in known]
    if not any(chosen):
        have = dict.fromkeys(f"{name.partition('#')[0]} {level}" for name, level in sorted({*known}))
        raise ValueError(f"task {task!r} was not measured. There are {', '.join(have)}")
    return ways.loc[chosen]


def _rows(ways: pd.DataFrame, accuracy: float, limits: Mapping[str, float]) -> pd.DataFrame:
    """The plain way, and the cheapest ones that reach the accuracy, of one difficulty."""
    plain = _plain(ways, accuracy)
    over = (ways[[*limits]] / pd.Series(dict(limits), dtype=float)).max(axis=1).fillna(0.0)
    within = ways[over <= 1]
    good = within[within["accuracy"] >= accuracy]
    if len(good):
        best = pd.concat(_least(good, plain))
    elif len(within):
        best = within.loc[[within["accuracy"].idxmax()]].assign(least="none")
    else:
        best = ways.loc[[over.idxmin()]].assign(least="none", answer=OVER)
    return pd.concat([plain.assign(least="plain", times=np.nan), best], ignore_index=True)


def _plain(ways: pd.DataFrame, accuracy: float) -> pd.DataFrame:
    """The plain way, one row or none: of several sizes the cheapest that reaches the accuracy, or the most accurate."""
    plain = ways[(ways[[*PLAIN]] == pd.Series(PLAIN)).all(axis=1)]
    good = plain[plain["accuracy"] >= accuracy]
    return good.nsmallest(1, "flops") if len(good) else plain.nlargest(1, "accuracy")


def _least(good: pd.DataFrame, plain: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Of each cost the cheapest way and, where that one is in doubt, the cheapest that is not."""
    for cost in COSTS:
        near = good[cost].map(lambda value: float(f"{value:.1e}"))
        ranked = good.assign(near=near).sort_values(
            ["near", "answer", "accuracy", cost], ascending=[True, False, False, True]
        )
        first = ranked.drop_duplicates("answer")
        shown = first[: 1 + int(first["answer"].iloc[0] != REACHES)]
        times = shown[cost] / plain[cost].iloc[0] if len(plain) else np.nan
        yield shown.drop(columns="near").assign(least=cost, times=times)


def answers_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of one task and difficulty as text, a column of the r of training where one runs with another r."""
    known = rows.to_dict("records")
    shown = {
        "least": [COSTS.get(str(row["least"]), f"({row['least']})") for row in known],
        "cost": [_cost(str(row["least"]), row) for row in known],
        "times plain": [f"{row['times']:.3g}" if row["times"] == row["times"] else "" for row in known],
        **{name: rows[name].astype(str).tolist() for name in MODEL},
        "asked": [row["way"] if row["m"] == 1 else f"{row['way']} of {row['m']}" for row in known],
        "accuracy": [_share(row) for row in known],
        "seeds": [f"{row['reaching']} of {row['seeds']}" for row in known],
        "answer": rows["answer"].tolist(),
    }
    table = pd.DataFrame(shown)
    return table.drop(columns="trained_r") if (rows["trained_r"] == rows["r"]).all() else table


def _cost(name: str, row: Mapping[Any, Any]) -> str:
    """A cost in its unit. Empty for the plain way and for none."""
    if name not in COSTS:
        return ""
    if name == "flops":
        return f"{count_text(row[name])} FLOPs"
    return f"{row[name] * 1e3:,.2f} ms" if name.startswith("latency") else f"{row[name] / 1e6:,.2f} MB"


def _share(row: Mapping[Any, Any]) -> str:
    return f"{row['accuracy']:.3f} ({row['lower']:.3f} to {row['upper']:.3f})"


def answers_words(rows: pd.DataFrame, accuracy: float, limited: bool) -> list[str]:
    """What the rows of one task and difficulty come to, in sentences. limited: whether a limit was given."""
    found = rows[rows["least"] != "plain"]
    best = found.iloc[0].to_dict()
    if best["answer"] == OVER:
        return ["no measured way is within the limits. The nearest is shown"]
    if best["least"] == "none":
        within = " within the limits" * limited
        return [f"no measured way{within} reaches {accuracy:g}: the most accurate has {_share(best)}"]
    said = []
    if (found["answer"] == UNCLEAR).any():
        said.append(f"cannot tell: the interval includes {accuracy:g}, or a random seed does not reach it")
    if (found["seeds"] == 1).any():
        said.append("1 of 1 seeds: the interval is of the questions. Another random seed may differ")
    return said
