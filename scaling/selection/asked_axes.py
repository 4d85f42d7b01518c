"""Which axes a table is described by, and which laws beside those of N, P and D are of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from scaling.data.columns.recognise import missing_column
from scaling.data.runs import usable
from scaling.laws import OTHER_AXES, axes_of_laws, law_of
from scaling.laws.axis import KNOWN, Axis
from scaling.laws.base import LawForm

USUAL = ("N", "P", "D")


@dataclass(frozen=True)
class AskedAxes:
    """The axes of a description with their rules, the laws of them by name, and whether P = 1 may be assumed."""

    rules: Mapping[str, Axis]
    laws: Mapping[str, LawForm]
    streams: bool


def asked_axes(runs: pd.DataFrame, law: Any = None) -> AskedAxes:
    """The axes of a law, or, where none is given, N, P and D and the axes of registered laws that every run has.

    Raises ValueError where the table lacks one of a law's axes, N or the loss.
    """
    if law is not None:
        return _of_law(runs, law)
    own = {name: one for name, one in OTHER_AXES.items() if _has(runs, one)}
    _check(runs, ("loss",) if own and "N" not in runs else ("N", "loss"))
    keep = usable(runs)
    laws = {n: one for n, one in own.items() if runs.loc[keep, list(one.axes)].notna().all(axis=None)}
    rules = {axis: one.axis_rule(axis) for one in laws.values() for axis in one.axes}
    usual = [axis for axis in USUAL if axis in runs and (axis == "N" or runs[axis][keep].notna().all())]
    return AskedAxes({**{axis: KNOWN[axis] for axis in usual}, **rules}, laws, "N" in runs)


def _has(runs: pd.DataFrame, law: LawForm) -> bool:
    """Whether a table has a law's axes, one of its own among them, and no N that the law would leave out."""
    axes = set(law.axes)
    own = not law.categories and axes - set(USUAL)
    return bool(own) and axes <= set(runs) and ("N" in axes or "N" not in runs)


def _of_law(runs: pd.DataFrame, law: Any) -> AskedAxes:
    rules = axes_of_laws([law])
    _check(runs, (*(axis for axis in rules if axis != "P"), "loss"))
    name = law if isinstance(law, str) else getattr(law, "__name__", str(law))
    amounts = {axis: rule for axis, rule in rules.items() if rule is not None and axis in runs}
    form = {} if None in rules.values() else {name: law_of(law, runs)}
    return AskedAxes(amounts, form, "P" in rules)


def _check(runs: pd.DataFrame, needs: tuple[str, ...]) -> None:
    lacking = next((name for name in needs if name not in runs), None)
    if lacking:
        raise ValueError(missing_column(lacking, runs))
