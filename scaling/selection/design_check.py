"""What a table's design can tell, before anything is fitted: which laws suit, and which parameters they lose.

Each law is looked at where its terms share the mean loss and its exponents lie in the middle of where they are
searched for: `scaling.optimise.identifiability` then says what no fit of these runs can tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.units import count_text
from scaling.laws import REGISTRY
from scaling.laws.base import Array, Law, LawForm
from scaling.optimise.identifiability import TIED, undetermined
from scaling.optimise.objectives import LogHuber
from scaling.optimise.problem import Problem

FLOOR = 0.6  # of the mean loss: what the irreducible loss is taken to be
TOGETHER = 0.9  # correlation of two axes' logarithms that is worth a word
SAMPLE = 2_000  # rows that a design is judged by
FIRST = ("parallel-data", "parallel", "chinchilla", "dense")  # the law of its axes to begin with


def suited_laws(
    axes: Mapping[str, Array], loss: Array, others: Mapping[str, LawForm] | None = None
) -> pd.DataFrame:
    """Every registered law of these axes, best suited first: index law, columns axes, parameters, cannot, ignores, varied.

    axes: those of the runs, each (n,). others: laws beside the registered ones of N, P and D. cannot: parameters that
    these runs do not determine, all of them where there are too few points; ignores: axes that vary and that the law
    does not have; varied: whether all its axes do.
    A law suits the better the fewer axes that vary it ignores and the fewer parameters it loses.
    """
    varied = {axis for axis, x in axes.items() if np.ptp(x) > 0}
    rows = sampled(loss.size)
    x, y = {axis: values[rows] for axis, values in axes.items()}, loss[rows]
    points = len(pd.DataFrame(x).drop_duplicates())
    found = []
    for place, (name, law) in enumerate({**(others or {}), **REGISTRY}.items()):
        if set(law.axes) <= set(axes):
            lost = _lost(law, x, y, points)
            ignores = tuple(sorted(varied - set(law.axes)))
            first = FIRST.index(name) if name in FIRST else len(FIRST)
            order = (bool(lost), len(ignores), len(lost), first, place)
            found.append((order, name, law.axes, law.free(), lost, ignores, set(law.axes) <= varied))
    names = ["order", "law", "axes", "parameters", "cannot", "ignores", "varied"]
    table = pd.DataFrame(sorted(found), columns=names)
    return table.drop(columns="order").set_index("law")


def sampled(n: int, most: int = SAMPLE) -> Any:
    """Places of at most `most` of n rows, in order, the same ones each time."""
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(0).choice(n, most, replace=False))


def _lost(law: LawForm, axes: Mapping[str, Array], loss: Array, points: int) -> tuple[str, ...]:
    """Parameters of a law that the runs do not determine, in its order; all where points are no more than they."""
    if points <= len(law.free()) or loss.size == 0:
        return law.free()
    problem = Problem(law, tuple(axes[a] for a in law.axes), loss, np.ones(loss.size), LogHuber())
    with np.errstate(all="ignore"):
        return undetermined(problem, _typical(problem))


def _typical(problem: Problem) -> Law:
    """A law of plausible values: FLOOR of the mean loss irreducible, the rest shared by the other terms."""
    names, mean = problem.law.linear(), float(problem.y.mean())
    others = len(names) - ("E" in names)
    shares = [FLOOR if name == "E" else (1 - FLOOR * ("E" in names)) / others for name in names]
    middle = [
        np.sqrt(one.low * one.high) if one.low > 0 else (one.low + one.high) / 2
        for one in problem.law.nonlinear.values()
    ]
    theta = np.array([*(share * mean for share in shares), *middle])
    return problem.law.from_vector(problem.named(theta[None])[0])


def axes_together(axes: Mapping[str, Array]) -> dict[tuple[str, str], float]:
    """Correlation of the logarithms of each two axes that vary."""
    logs = {axis: np.log(x) for axis, x in axes.items() if np.ptp(x) > 0 and (x > 0).all()}
    return {(a, b): float(np.corrcoef(logs[a], logs[b])[0, 1]) for a, b in combinations(logs, 2)}


def together_notes(axes: Mapping[str, Array]) -> tuple[str, ...]:
    """Which axes move together and how, a sentence each: the ladder D = 20 N is named."""
    found = []
    for (a, b), r in axes_together(axes).items():
        if abs(r) > TIED:
            found.append(f"{b} {_tie(axes[a], axes[b], a)} in every run: their effects cannot be told apart")
        elif abs(r) > TOGETHER:
            found.append(f"{b} moves with {a} (correlation {r:.3f}): their effects are hardly told apart")
    return tuple(found)


def _tie(x: Array, y: Array, name: str) -> str:
    """How y follows x, in words: = 20 N, or rises as N^0.5."""
    slope = float(np.polyfit(np.log(x), np.log(y), 1)[0])
    ratio = float(np.exp(np.median(np.log(y / x))))
    return f"= {_ratio(ratio)} {name}" if abs(slope - 1) < 0.02 else f"goes as {name}^{slope:.2g}"


def _ratio(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else count_text(value)
