"""The registry: every law by the name a command line takes."""

from typing import Any

from scaling.laws.arm_form import ArmForm, Arms, Category, with_categories
from scaling.laws.axis import Axis
from scaling.laws.base import EXPONENT, Array, Law, LawForm, Range
from scaling.laws.constrained import ConstrainedLaw
from scaling.laws.data import ChinchillaLaw, EqualExponentsLaw, InteractionLaw, KaplanLaw, NoFloorLaw
from scaling.laws.data_axes import DataConstrainedLaw, FineTuningLaw, RepeatedDataLaw
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
}  # laws of axes beside N, P and D, or of forms that no command tries unasked


def by_name(name: str) -> LawForm:
    """The law of that `name`: a key of REGISTRY or OTHER_AXES, also with fixed values, `additive:beta=0.4` or `dense:E=1.6`.

    Raises ValueError for a name that is not known, and for values that are not name=number.
    """
    key, _, fixed = name.partition(":")
    known = REGISTRY | OTHER_AXES
    if key not in known:
        raise ValueError(
            f"unknown law {key!r}; known: {', '.join(REGISTRY)}; over other axes those of scaling.laws.OTHER_AXES"
        )
    if not fixed:
        return known[key]
    try:
        values = {k.strip(): float(v) for k, v in (pair.split("=") for pair in fixed.split(","))}
    except ValueError:
        raise ValueError(f"{name!r}: write fixed values as law:name=number,...") from None
    return known[key].with_fixed(**values)


def law_of(given: Any, table: Any = None) -> LawForm:
    """The law that a caller gave: its class, a name of REGISTRY, `Arms`, or a law, fitted or not; else ValueError.

    table: what it is to be fitted to, which tells the levels of arms and categories.
    """
    if isinstance(given, Arms):
        return given.on(law_of(given.law, table), table)
    found = by_name(given) if isinstance(given, str) else Law.of(given.form if hasattr(type(given), "form") else given)
    return found if table is None or isinstance(found.whole, ArmForm) or not found.categories else with_categories(found, table)
