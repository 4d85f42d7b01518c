"""The five questions of the second experiment, answered by the rules that results/LOG.md gave before its grid was trained.

`python -m results.grids.worth_table` writes the tables that these make. The rules are those of the section "what a stream is
worth beside a loop, an expert, a layer". An answer is what a rule says of an interval, nothing else.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.sweep.arm_worth import BASE, contrast
from results.grids.worth import SIZES

MEMORY, REASONING = "memory", "reasoning"  # tasks, as the tables name them
TELLS_NOT = "cannot tell"
HELD = 0.9  # share of the registered intervals that hold, at least, where a law is kept
LEARNT = 0.5  # nats of an answer's token. A guess of a digit costs ln 10, sums without their carries about 1
LOGGED = 5  # training losses of the curve in a row, whose mean counts


def answers_table(worth: pd.DataFrame, runs: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Question, task, what is compared, its value with the 95% interval, and the answer by the rule."""
    rows = [
        *_doublings(worth),
        *(row for task, part in runs.groupby("task") for row in _prefix(str(task), part)),
        *_memory_or_computation(runs),
        *(row for task, part in runs.groupby("task") for row in _equal_flops(str(task), part)),
        *(row for task, part in scores.groupby("task") for row in _extrapolation(str(task), part, runs)),
    ]
    return pd.DataFrame(rows, columns=["question", "task", "what", "value", "lower", "upper", "answer"])


def _doublings(worth: pd.DataFrame) -> list[list[object]]:
    """Question 1: the worth of one doubling, in N."""
    asked = worth[worth["axis"].isin(["streams", "loops", "experts"])]
    return [
        ["1 worth of a doubling", one.task, one.axis, one.worth, one.lower, one.upper, one.answer]
        for one in asked.itertuples()
    ]


def _prefix(task: str, runs: pd.DataFrame) -> list[list[object]]:
    """Question 2: gains in log loss. The prefix, where the interval of its gain excludes 0, and that of the rest does not."""
    rest, alone = contrast(runs, "P2", "prefix"), contrast(runs, "prefix", BASE)
    word = "the prefix" if _sign(rest) == 0 < _sign(alone) else TELLS_NOT
    question = "2 streams or prefix"
    return [_told(question, task, rest, word), _told(question, task, alone, word)]


def _memory_or_computation(runs: pd.DataFrame) -> list[list[object]]:
    """Question 3: memory by parameters, reasoning by at least half of what equal FLOPs of a dense model gain."""
    facts, sums = (runs[runs["task"] == task] for task in (MEMORY, REASONING))
    both = [contrast(facts, wide, deep) for wide in ("params", "e4") for deep in ("P4", "r4")]
    least = "half of compute"
    more = [contrast(_with_half(sums, least), deep, least) for deep in ("P4", "r4")]
    signs = [_sign(one) for one in (*both, *more)]
    word = "no" if min(signs) < 0 else "yes" if min(signs) > 0 else TELLS_NOT
    question = "3 memory or computation"
    return [_told(question, MEMORY, one, word) for one in both] + [
        _told(question, REASONING, one, word) for one in more
    ]


def _with_half(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """The runs with an arm that gains half of what `compute` gains, in log loss."""
    cells = runs.pivot_table(index=["size", "seed"], columns="arm", values="loss")
    if not {BASE, "compute"} <= {*cells}:
        return runs
    half = np.sqrt(cells[BASE] * cells["compute"]).dropna().rename("loss").reset_index()
    return pd.concat([runs, half.assign(arm=name)], ignore_index=True)


def _equal_flops(task: str, runs: pd.DataFrame) -> list[list[object]]:
    """Question 4: the arm of lower loss at equal FLOPs."""
    found = [contrast(runs, one, other) for one, other in (("P2", "r4"), ("P4", "compute"))]
    words = {1: "one", -1: "other", 0: ""}
    return [
        _told("4 stream or loop", task, pair, str(pair.get(words[_sign(pair)], TELLS_NOT))) for pair in found
    ]


def _extrapolation(task: str, scores: pd.DataFrame, runs: pd.DataFrame) -> list[list[object]]:
    """Question 5: the share of the registered intervals that held, and the miss at the largest size, of a pair's noise there."""
    largest = scores[scores["size"] == SIZES[-1]]
    held = scores["inside"].sum() / scores["runs"].sum()
    miss = float(np.abs(np.log(largest["loss"] / largest["observed"])).mean())
    noise = pair_noise(runs[(runs["task"] == task) & (runs["size"] == SIZES[-1])])
    word = TELLS_NOT if np.isnan(miss) else "kept" if held >= HELD and miss < noise else "not kept"
    values = {"intervals held": held, f"missed at {SIZES[-1]}": miss, "a pair's noise there": noise}
    values["a pair's noise, all sizes"] = pair_noise(runs[runs["task"] == task])  # the rule did not say which
    return [["5 extrapolation", task, what, value, np.nan, np.nan, word] for what, value in values.items()]


def pair_noise(runs: pd.DataFrame) -> float:
    """Standard deviation over random seeds of an arm's log loss less that of BASE, pooled over arms and sizes."""
    logs = np.log(runs.pivot_table(index=["size", "seed"], columns="arm", values="loss"))
    apart = logs.drop(columns=BASE).sub(logs[BASE], axis=0)
    return float(np.sqrt(apart.groupby("size").var().to_numpy().mean()))


def _sign(pair: dict[str, object]) -> int:
    """1 where an interval lies above 0, -1 below, 0 where it includes it."""
    low, high = float(str(pair["lower"])), float(str(pair["upper"]))
    return 1 if low > 0 else -1 if high < 0 else 0


def _told(question: str, task: str, pair: dict[str, object], word: str) -> list[object]:
    """A row of a pair of arms: what the first gains over the second, in log loss."""
    what = f"{pair['one']} over {pair['other']}"
    return [question, task, what, pair["gain"], pair["lower"], pair["upper"], word]


def learnt_table(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """How many tokens each arm needs to learn sums, in units of the plain model's, by pairs of runs.

    A sum is learnt where the training loss of the answers falls below LEARNT, the mean of LOGGED points. A run that never
    gets there counts with all of its tokens. Columns: arm, cells, learnt (share of the runs), factor, lower, upper.
    """
    sums = runs[runs["task"] == REASONING]
    curve = {str(key): part for key, part in curves.groupby("run_id")}
    tokens = [_learnt_at(curve[run]) for run in sums["run_id"]]
    timed = sums.assign(there=np.isfinite(tokens), loss=np.minimum(tokens, sums["D"]))
    rows = []
    for arm, part in timed.groupby("arm", sort=False):
        faster = contrast(timed, str(arm), BASE)
        ends = {end: np.exp(-faster[far]) for end, far in (("lower", "upper"), ("upper", "lower"))}
        about = {"cells": faster["cells"], "learnt": part["there"].mean(), "factor": np.exp(-faster["gain"])}
        rows.append({"task": REASONING, "arm": arm, **about, **ends})
    return pd.DataFrame([row for row in rows if row["arm"] != BASE])


def _learnt_at(curve: pd.DataFrame) -> float:
    """Tokens after which a run's training loss is below LEARNT; infinite where it never is."""
    points = curve.dropna(subset=["train_loss"]).sort_values("tokens")
    below = points["train_loss"].rolling(LOGGED, min_periods=1).mean() < LEARNT
    return float(points["tokens"][below].min()) if below.any() else np.inf
