"""The registry: every law by the name a command line takes."""

from scaling.laws.base import EXPONENT, Array, Law, Range
from scaling.laws.data import ChinchillaLaw
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
    "Array",
    "ChinchillaLaw",
    "DenseLaw",
    "DiversityLaw",
    "Law",
    "LogMultiplicativeLaw",
    "ParallelDataLaw",
    "ParallelLaw",
    "ParallelPowerLaw",
    "Range",
    "SaturatingLaw",
    "by_name",
]

REGISTRY: dict[str, type[Law]] = {
    "parallel": ParallelLaw,
    "diversity": DiversityLaw,
    "power": ParallelPowerLaw,
    "additive": AdditiveLaw,
    "additive-half": AdditiveLaw.with_fixed(beta=0.5),
    "saturating": SaturatingLaw,
    "log-multiplicative": LogMultiplicativeLaw,
    "dense": DenseLaw,
    "chinchilla": ChinchillaLaw,
    "parallel-data": ParallelDataLaw,
}


def by_name(name: str) -> type[Law]:
    """The law of a name on a command line: a key of REGISTRY, also with fixed values, `additive:beta=0.4`."""
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
