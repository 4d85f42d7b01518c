"""What the paper says of accuracy, compared with what its losses say: sigmoids of the P = 1 models, applied to P > 1.

Two steps: Eq 5 or a run's own loss gives nats per token, a sigmoid fitted to the six models of P = 1 gives accuracy.
Where the printed accuracy of P > 1 lies outside, it does not follow from the loss alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from analysis.paper.claims import FALSE, HOLDS, UNKNOWN, Claim
from analysis.paper.published_numbers import PILE, STACK, Published
from scaling.accuracy import AccuracyFit, accuracy_by_loss

# Chance of the averages: generated code has none; general is MMLU, HellaSwag, OBQA and ARC of four choices, WinoGrande
# and PiQA of two.
CHANCE = {"code": 0.0, "general": (4 * 0.25 + 2 * 0.5) / 6}
OF = {"code": STACK, "general": PILE}
WORTH = {"code": "4.4B", "general": "2.8B"}  # what the paper says that 1.6B at P = 8 equals


def accuracy_by_run(published: Published) -> pd.DataFrame:
    """The 48 runs: tasks, corpus, size, P, loss, printed accuracy, and what a sigmoid of the P = 1 models gives at their loss.

    Columns expected, lower, upper (95%, of one new model) and excess are points of per cent.
    """
    parts = []
    for tasks, table in (("code", published.code), ("general", published.general)):
        long = table.melt("P", var_name="size", value_name="printed")
        runs = published.corpus(OF[tasks]).merge(long, on=["size", "P"], validate="one_to_one")
        made = 100 * sigmoid_of(runs, tasks).predict(runs["loss"])[["accuracy", "lower", "upper"]]
        told = runs[["corpus", "size", "P", "loss", "printed"]].assign(tasks=tasks, expected=made["accuracy"])
        parts.append(told.assign(lower=made["lower"], upper=made["upper"]))
    found = pd.concat(parts, ignore_index=True)
    order = ["tasks", "corpus", "size", "P", "loss", "printed", "expected", "lower", "upper", "excess"]
    return found.assign(excess=found["printed"] - found["expected"])[order]


def sigmoid_of(runs: pd.DataFrame, tasks: str) -> AccuracyFit:
    """The sigmoid of the models with one stream. runs: P, loss, printed (per cent)."""
    one = runs[runs["P"] == 1].assign(printed=lambda t: t["printed"] / 100)
    return accuracy_by_loss(one, accuracy="printed", chance=CHANCE[tasks])


def excess_by_streams(found: pd.DataFrame) -> pd.DataFrame:
    """The mean excess over the sizes at each P > 1, points: tasks, P, excess, lower, upper (95%), inside of models.

    The interval is Student's over the sizes, with the sigmoid's own error at these losses, the same for all, added.
    """
    rows = []
    for (tasks, P), some in found[found["P"] > 1].groupby(["tasks", "P"], sort=False):
        n = len(some)
        spread = special.stdtrit(n - 1, 0.975) * float(some["excess"].std(ddof=1)) / np.sqrt(n)
        half = float(np.hypot(spread, ((some["upper"] - some["lower"]) / 2).mean()))
        mean = float(some["excess"].mean())
        inside = int(((some["printed"] >= some["lower"]) & (some["printed"] <= some["upper"])).sum())
        rows.append({"tasks": tasks, "P": P, "excess": mean, "lower": mean - half, "upper": mean + half,
                     "inside": inside, "of": n})  # fmt: skip
    return pd.DataFrame(rows)


def accuracy_claims(published: Published) -> list[Claim]:
    """Which statements about accuracy follow from the losses."""
    found = accuracy_by_run(published)
    shifts = excess_by_streams(found)
    rows = [
        claim
        for tasks in OF
        for claim in (_gain(found, tasks), _worth(found, tasks), _streams(shifts, tasks))
    ]
    why = "no loss of these models is printed"
    return [
        *rows,
        Claim("gains of GSM8K, MMLU and the averages at 1T tokens follow from the loss", "table 4", "", why, UNKNOWN),
        Claim("gains of the instruction-tuned and the frozen models follow from the loss",
              "table 5, figure 6(c)", "", why, UNKNOWN),
    ]  # fmt: skip


METHOD = "sigmoid of the six P = 1 models with a floor at chance, at the run's loss; 95% of one new model"


def _at(found: pd.DataFrame, tasks: str, size: str, P: int) -> dict[Any, Any]:
    rows = found[(found["tasks"] == tasks) & (found["size"] == size) & (found["P"] == P)]
    return dict(rows.iloc[0])


def _gain(found: pd.DataFrame, tasks: str) -> Claim:
    """The gain of 1.6B from P = 1 to 8."""
    one, eight = (_at(found, tasks, "1.6B", P) for P in (1, 8))
    follows = eight["lower"] <= eight["printed"] <= eight["upper"]
    return Claim(
        f"gain on {tasks} tasks, 1.6B, P = 1 to 8, follows from the loss",
        f"{one['printed']:g} to {eight['printed']:g}: {eight['printed'] - one['printed']:+.1f} points",
        f"to {eight['expected']:.1f} ({eight['lower']:.1f} to {eight['upper']:.1f}): "
        f"{eight['expected'] - one['printed']:+.1f} points",
        METHOD,
        HOLDS if follows else FALSE,
        ""
        if follows
        else "the loss explains part of it: accuracy rose by more than models of one stream with that loss have",
    )


def _worth(found: pd.DataFrame, tasks: str) -> Claim:
    """1.6B at P = 8 and the model it is said to equal: printed, and by loss."""
    eight, other = _at(found, tasks, "1.6B", 8), _at(found, tasks, WORTH[tasks], 1)
    printed, expected = (eight[c] - other[c] for c in ("printed", "expected"))
    half = float(np.hypot(eight["upper"] - eight["lower"], other["upper"] - other["lower"]) / 2)
    follows = abs(expected) <= half and abs(printed - expected) <= half
    return Claim(
        f"1.6B at P = 8 scores as {WORTH[tasks]} does on {tasks} tasks, by its loss",
        f"{eight['printed']:g} against {other['printed']:g}: {printed:+.1f} points",
        f"by loss {expected:+.1f} ({expected - half:+.1f} to {expected + half:+.1f}) points",
        METHOD,
        HOLDS if follows else FALSE,
    )


def _streams(shifts: pd.DataFrame, tasks: str) -> Claim:
    """Whether accuracy at equal loss is the same with streams and without."""
    some = shifts[shifts["tasks"] == tasks]
    told = ", ".join(
        f"P = {r.P}: {r.excess:+.1f} ({r.lower:+.1f} to {r.upper:+.1f})" for r in some.itertuples()
    )
    same = bool(((some["lower"] <= 0) & (some["upper"] >= 0)).all())
    inside, of = int(some["inside"].sum()), int(some["of"].sum())
    return Claim(
        f"at equal loss P > 1 and P = 1 have equal scores on {tasks} tasks",
        "implied where a gain in loss is read as one in accuracy",
        f"{inside} of {of} models inside; mean excess in points, {told}",
        METHOD + "; Student's interval over the sizes and the sigmoid's own error",
        HOLDS if same else FALSE,
        ""
        if same
        else "one model each, and P = 2 lies above P = 4: averages scatter by more than the six P = 1 models show",
    )
