"""Columns of categories: what a table makes of a law with arms or with a category."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.laws.arm_form import ArmForm
from scaling.laws.axis import level_name
from scaling.laws.base import LawForm
from scaling.laws.constrained import ConstrainedLaw

NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Category:
    """The effect of a category on a law: each level has its own value of `parameter`, the reference level `at`.

    `categories = {"precision": Category("eff", reference="bf16")}` in a law's class.

    Args:
        parameter: the law's parameter that differs by level.
        reference: the level whose value is `at`. By default the level with most rows. Ties go to the shortest name,
            then to the first in order.
        at: the parameter's value at the reference.
        highest: take as reference the level with the largest number in its name (of 4, 8, bf16, fp16: bf16).
    """

    parameter: str
    reference: str | None = None
    at: float = 1.0
    highest: bool = False

    def reference_of(self, levels: Sequence[str], rows: Sequence[str]) -> str:
        """The reference among the levels of a column, given the level of each row."""
        if self.reference is not None:
            return self.reference
        size = {name: float(max(map(float, NUMBER.findall(name)), default=0)) for name in levels}
        if self.highest and any(size.values()):
            return min(levels, key=lambda name: (-size[name], len(name)))
        return max(levels, key=list(rows).count)


@dataclass(frozen=True)
class Arms:
    """A law for several arms of a table, to be fitted: `scaling.fit(Arms("dense", "optimizer", own=("A",)), runs)`.

    Args:
        law: its class or its name.
        by: the column that names the arms.
        own: parameters that each arm has for itself. The others are shared.
        shared: parameters that all arms share, instead of `own`. Neither: nothing is shared.
    """

    law: Any
    by: str
    own: tuple[str, ...] | None = None
    shared: tuple[str, ...] | None = None

    def on(self, law: Any, table: Any) -> LawForm:
        """The form for a table: `law` is the spec's, as a class. ValueError names what does not fit."""
        if self.own is not None and self.shared is not None:
            raise ValueError("own= and shared= are both given. Give one: the other follows.")
        known, constraints = (law.law, law) if isinstance(law, ConstrainedLaw) else (law, None)
        if self.by in known.axes:
            raise ValueError(
                f"by={self.by!r} is an axis of {known.__name__}. Give the column that names the arms."
            )
        named = tuple(self.own if self.own is not None else self.shared or ())
        wrong = [name for name in named if name not in known.names()]
        if wrong:
            raise ValueError(
                f"{known.__name__} has no parameter {wrong[0]!r}. It has {', '.join(known.names())}."
            )
        own = tuple(n for n in known.names() if (n in named) == (self.own is not None))
        form = ArmForm(known, self.by, levels_of(table, self.by), own)
        return constrained_alike(form, constraints)


def constrained_alike(form: ArmForm, constraints: ConstrainedLaw | None) -> LawForm:
    """The form with a law's fixed values and bounds on the same parameters, of every arm."""
    if constraints is None:
        return form
    fixed = {one: v for name, v in constraints.fixed.items() for one in form.of_parameter(name)}
    bounds = {one: v for name, v in constraints.bounds.items() for one in form.of_parameter(name)}
    return ConstrainedLaw(form, fixed, bounds)


def with_categories(law: Any, table: Any) -> LawForm:
    """A law whose class declares categories, with the table's levels. Raises ValueError naming what is missing."""
    known, constraints = (law.law, law) if isinstance(law, ConstrainedLaw) else (law, None)
    form, held = known, {}
    for column, category in known.categories.items():
        arms = levels_of(table, column)
        reference = category.reference_of(arms, [level_name(value) for value in table[column]])
        if reference not in arms:
            raise ValueError(
                f"{column}: the reference {reference!r} is not in the table, which has {', '.join(arms)}."
            )
        form = ArmForm(form, column, arms, (category.parameter,))
        held[f"{category.parameter}[{reference}]"] = category.at
    more = constrained_alike(form, constraints)
    return more.with_fixed(**held)


def levels_of(table: Any, by: str) -> tuple[str, ...]:
    """The categories in a column of a table, in order. Raises ValueError if it is missing or has an empty cell."""
    if by not in table:
        raise ValueError(
            f"no column {by!r} of categories. The table has {', '.join(map(str, list(table)[:12]))}."
        )
    column = np.asarray(table[by], dtype=object)
    empty = [row for row, value in enumerate(column) if value is None or value != value]
    if empty:
        raise ValueError(
            f"row {empty[0] + 1}, column {by}: the cell is empty. Name the arm, or leave the row out."
        )
    names = {level_name(value) for value in column}
    try:
        return tuple(sorted(names, key=float))
    except ValueError:
        return tuple(sorted(names))
