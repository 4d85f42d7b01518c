"""What a table's design can tell, before anything is fitted: its axes, which laws suit, which parameters they lose.

Each law is looked at where its terms share the mean loss and its exponents lie in the middle of where they are
searched for: `scaling.optimise.identifiability` then says what no fit of these runs can separate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.columns.recognise import missing_column
from scaling.data.runs import usable
from scaling.data.units import count_text
from scaling.laws import OTHER_AXES, REGISTRY, axes_of_laws, law_of
from scaling.laws.axis import KNOWN, Axis
from scaling.laws.base import Array, Law, LawForm
from scaling.optimise.identifiability import TIED, undetermined
from scaling.optimise.objectives import LogHuber
from scaling.optimise.problem import Problem
from scaling.selection.compare import USUAL

FLOOR = 0.6  # of the mean loss: what the irreducible loss is taken to be
TOGETHER = 0.9  # correlation of two axes' logarithms that is worth a word
SAMPLE = 2_000  # rows that a design is judged by
FIRST = ("parallel-data", "parallel", "chinchilla", "dense")  # the law of its axes to begin with


@dataclass(frozen=True)
class AskedAxes:
    """The axes of a description with their rules, the laws of them by name, and whether P = 1 may be assumed."""

    rules: Mapping[str, Axis]
    laws: Mapping[str, LawForm]
    streams: bool


def asked_axes(runs: pd.DataFrame, law: Any = None, categories: bool = False) -> AskedAxes:
    """The axes of a law, or, where none is given, N, P and D and the axes of registered laws that every run has.

    categories: laws of these among them.
    Raises ValueError where the table lacks one of a law's axes, N or the loss.
    """
    if law is not None:
        return _of_law(runs, law)
    able = {name: one for name, one in OTHER_AXES.items() if categories or not one.categories}
    own = {name: law_of(one, runs[usable(runs)]) for name, one in able.items() if _has(runs, one)}
    _check(runs, ("loss",) if own and "N" not in runs else ("N", "loss"))
    keep = usable(runs)
    laws = {n: one for n, one in own.items() if runs.loc[keep, list(one.axes)].notna().all(axis=None)}
    rules = {axis: one.axis_rule(axis) for one in laws.values() for axis in one.axes}
    usual = [axis for axis in USUAL if axis in runs and (axis == "N" or runs[axis][keep].notna().all())]
    return AskedAxes({**{axis: KNOWN[axis] for axis in usual}, **rules}, laws, "N" in runs)


def _has(runs: pd.DataFrame, law: LawForm) -> bool:
    """Whether a table has a law's axes, one of its own among them, and no N that the law would leave out."""
    axes = {*law.axes, *law.categories}
    own = axes - set(USUAL) and all(len(runs[name].unique()) > 1 for name in law.categories if name in runs)
    return bool(own) and axes <= set(runs) and ("N" in axes or "N" not in runs)


def _of_law(runs: pd.DataFrame, law: Any) -> AskedAxes:
    rules = axes_of_laws([law])
    _check(runs, (*(axis for axis in rules if axis != "P"), "loss"))
    name = law if isinstance(law, str) else getattr(law, "__name__", str(law))
    form = law_of(law, runs[usable(runs)])
    return AskedAxes({a: form.axis_rule(a) for a in form.axes if a in runs}, {name: form}, "P" in rules)


def _check(runs: pd.DataFrame, needs: tuple[str, ...]) -> None:
    lacking = next((name for name in needs if name not in runs), None)
    if lacking:
        raise ValueError(missing_column(lacking, runs))


def suited_laws(
    axes: Mapping[str, Array], loss: Array, others: Mapping[str, LawForm] | None = None
) -> pd.DataFrame:
    """Every registered law of these axes, best suited first: index law, columns axes, parameters, cannot, ignores, varied.

    axes: those of the runs, each (n,). others: laws added to the registered ones of N, P and D. cannot: parameters that
    these runs do not determine, all of them where there are too few points; ignores: axes that vary and that the law
    does not have; varied: whether all its axes do.
    Last come laws of which the runs determine nothing, before these laws of axes that do not vary. Of the others first
    those that ignore no axis that varies by itself, then those without axes that move together (a ladder D = 20 N has the
    law of N), then the law to begin with of these axes, then those that lose fewer parameters.
    """
    varied = {axis for axis, x in axes.items() if np.ptp(x) > 0}
    tied = {frozenset(pair) for pair, r in axes_together(axes).items() if abs(r) > TIED}
    rows = sampled(loss.size)
    x, y = {axis: values[rows] for axis, values in axes.items()}, loss[rows]
    points = len(pd.DataFrame(x).drop_duplicates())
    found = []
    for place, (name, law) in enumerate({**(others or {}), **REGISTRY}.items()):
        if set(law.axes) <= set(axes):
            lost = _lost(law, x, y, points)
            ignores = tuple(sorted(varied - set(law.axes)))
            first = FIRST.index(name) if name in FIRST else len(FIRST)
            apart = [a for a in ignores if not any({a, b} in tied for b in law.axes)]
            twice = sum(pair <= set(law.axes) for pair in tied)
            hopeless = len(lost) == len(law.free())
            idle = len(set(law.axes) - varied)
            order = (hopeless, idle, len(apart), twice, first, len(lost), len(ignores), place)
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
            found.append(f"{b} {_tie(axes[a], axes[b], a)} in every run: their effects cannot be separated")
        elif abs(r) > TOGETHER:
            found.append(f"{b} moves with {a} (correlation {r:.3f}): their effects are hardly separable")
    return tuple(found)


def _tie(x: Array, y: Array, name: str) -> str:
    """How y follows x, in words: = 20 N, or rises as N^0.5."""
    slope = float(np.polyfit(np.log(x), np.log(y), 1)[0])
    ratio = float(np.exp(np.median(np.log(y / x))))
    return f"= {_ratio(ratio)} {name}" if abs(slope - 1) < 0.02 else f"goes as {name}^{slope:.2g}"


def _ratio(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else count_text(value)
