"""The registry: every law by the name a command line takes."""

from typing import Any

from scaling.laws.arm_form import ArmForm, Arms, Category, with_categories
from scaling.laws.axis import Axis
from scaling.laws.base import EXPONENT, Array, Law, LawForm, Range
from scaling.laws.constrained import ConstrainedLaw
from scaling.laws.data import ChinchillaLaw, EqualExponentsLaw, InteractionLaw, KaplanLaw, NoFloorLaw
from scaling.laws.parallel import DenseLaw, ParallelDataLaw, ParallelLaw
from scaling.laws.rivals import (
    AdditiveLaw,
    DiversityLaw,
    LogMultiplicativeLaw,
    ParallelPowerLaw,
    SaturatingLaw,
)

__all__ = [
    "EXPONENT",
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


def by_name(name: str) -> LawForm:
    """The law of that `name`: a key of REGISTRY, also with fixed values, `additive:beta=0.4` or `dense:E=1.6`.

    Raises ValueError for a name that is not known, and for values that are not name=number.
    """
    key, _, fixed = name.partition(":")
    if key not in REGISTRY:
        raise ValueError(f"unknown law {key!r}; known: {', '.join(REGISTRY)}")
    if not fixed:
        return REGISTRY[key]
    try:
        values = {k.strip(): float(v) for k, v in (pair.split("=") for pair in fixed.split(","))}
    except ValueError:
        raise ValueError(f"{name!r}: write fixed values as law:name=number,...") from None
    return REGISTRY[key].with_fixed(**values)


def law_of(given: Any, table: Any = None) -> LawForm:
    """The law that a caller gave: its class, a name of REGISTRY, `Arms`, or a law, fitted or not; else ValueError.

    table: what it is to be fitted to, which tells the levels of arms and categories.
    """
    if isinstance(given, Arms):
        return given.on(law_of(given.law, table), table)
    if isinstance(given, str):
        return by_name(given)
    found = Law.of(given.form if hasattr(type(given), "form") else given)
    return with_categories(found, table) if found.categories and isinstance(found, type) else found
