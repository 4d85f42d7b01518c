"""The registry: every law by the name a command line takes."""

import difflib
from collections.abc import Iterable
from typing import Any

from scaling.laws.arm_form import ArmForm
from scaling.laws.axis import Axis
from scaling.laws.base import EXPONENT, Array, Law, LawForm, Range
from scaling.laws.categories import Arms, Category, with_categories
from scaling.laws.constrained import ConstrainedLaw
from scaling.laws.data import ChinchillaLaw, EqualExponentsLaw, InteractionLaw, KaplanLaw, NoFloorLaw
from scaling.laws.data_axes import DataConstrainedLaw, FineTuningLaw, RepeatedDataLaw
from scaling.laws.free_form import check_form
from scaling.laws.law_files import in_file, law_of_file
from scaling.laws.model_axes import (
    BitsLaw,
    ExpertsLaw,
    PrecisionLaw,
    RecurrenceLaw,
    RoutedFloorLaw,
    RoutedLaw,
    ShapeLaw,
    SparsityLaw,
    VocabularyLaw,
)
from scaling.laws.parallel import DenseLaw, ParallelDataLaw, ParallelLaw
from scaling.laws.rivals import (
    AdditiveLaw,
    BrokenLaw,
    DiversityLaw,
    LogMultiplicativeLaw,
    ParallelPowerLaw,
    SaturatingLaw,
)

__all__ = [
    "EXPONENT",
    "OTHER_AXES",
    "REGISTRY",
    "AdditiveLaw",
    "ArmForm",
    "Arms",
    "Array",
    "Axis",
    "Category",
    "ChinchillaLaw",
    "ConstrainedLaw",
    "DenseLaw",
    "DiversityLaw",
    "EqualExponentsLaw",
    "InteractionLaw",
    "KaplanLaw",
    "Law",
    "LawForm",
    "LogMultiplicativeLaw",
    "NoFloorLaw",
    "ParallelDataLaw",
    "ParallelLaw",
    "ParallelPowerLaw",
    "Range",
    "SaturatingLaw",
    "by_name",
    "law_of",
]

REGISTRY: dict[str, LawForm] = {
    "parallel": ParallelLaw,
    "diversity": DiversityLaw,
    "power": ParallelPowerLaw,
    "additive": AdditiveLaw,
    "additive-half": AdditiveLaw.with_fixed(beta=0.5),
    "saturating": SaturatingLaw,
    "log-multiplicative": LogMultiplicativeLaw,
    "dense": DenseLaw,
    "chinchilla": ChinchillaLaw,
    "interaction": InteractionLaw,
    "equal-exponents": EqualExponentsLaw,
    "no-floor": NoFloorLaw,
    "kaplan": KaplanLaw,
    "parallel-data": ParallelDataLaw,
}

OTHER_AXES: dict[str, LawForm] = {
    "experts": ExpertsLaw,
    "routed": RoutedLaw,
    "routed-floor": RoutedFloorLaw,
    "sparsity": SparsityLaw,
    "precision": PrecisionLaw,
    "bits": BitsLaw,
    "shape": ShapeLaw,
    "vocabulary": VocabularyLaw,
    "recurrence": RecurrenceLaw,
    "repeated-data": RepeatedDataLaw,
    "data-constrained": DataConstrainedLaw,
    "fine-tuning": FineTuningLaw,
    "broken": BrokenLaw,
}  # laws of axes other than N, P and D, or of forms that no command tries unasked


def by_name(name: str) -> LawForm:
    """The law called `name`.

    Args:
        name: a key of REGISTRY or OTHER_AXES, or your own law as "FILE.py:CLASS", which runs the file. Each may have
            fixed values: "additive:beta=0.4", "dense:E=1.6", "depth.py:DepthLaw:E=1.6".

    Returns:
        The law's class, or a `ConstrainedLaw` with the fixed values.

    Raises:
        ValueError: for an unknown name, and for values that are not name=number.
    """
    if own := in_file(name):
        law: LawForm = law_of_file(*own[:2])
        fixed = own[2]
    else:
        key, _, fixed = name.partition(":")
        known = REGISTRY | OTHER_AXES
        if key not in known:
            raise ValueError(
                f"unknown law {key!r}. {_known_laws(key)}, or FILE.py:CLASS for one of your own."
            )
        law = known[key]
    if not fixed:
        return law
    try:
        values = {k.strip(): float(v) for k, v in (pair.split("=") for pair in fixed.split(","))}
    except ValueError:
        raise ValueError(f"{name!r}: write fixed values as law:name=number,...") from None
    return law.with_fixed(**values)


def _known_laws(key: str) -> str:
    """The name that may be meant, or those there are."""
    close = difflib.get_close_matches(key, [*REGISTRY, *OTHER_AXES], 1)
    first = f"Did you mean {close[0]}? " if close else ""
    return f"{first}There is {', '.join(REGISTRY)}, those of other axes (docs/reference/laws.md)"


def axes_of_laws(laws: Iterable[Any]) -> dict[str, Axis | None]:
    """The columns that a table for laws must have, the loss aside, with their rules. None for a category."""
    found: dict[str, Axis | None] = {}
    for given in laws:
        arms = given if isinstance(given, Arms) else None
        one = arms.law if arms else given
        law = (
            by_name(one) if isinstance(one, str) else Law.of(one.form if hasattr(type(one), "form") else one)
        )
        found |= {axis: law.axis_rule(axis) for axis in law.axes}
        found |= dict.fromkeys((*law.categories, *([arms.by] if arms else [])))
    return found


def law_of(given: Any, table: Any = None) -> LawForm:
    """The law that a caller gave: its class, a name of REGISTRY, `Arms`, or a law, fitted or not.

    table: the runs to fit, which give the levels of arms and categories. Raises ValueError for anything else.
    """
    if isinstance(given, Arms):
        return given.on(law_of(given.law, table), table)
    found = (
        by_name(given)
        if isinstance(given, str)
        else Law.of(given.form if hasattr(type(given), "form") else given)
    )
    if isinstance(found.whole, type):
        check_form(found.whole)
    return (
        found
        if table is None or isinstance(found.whole, ArmForm) or not found.categories
        else with_categories(found, table)
    )
