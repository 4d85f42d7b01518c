"""Checks of a configuration's fields: their names and their types."""

from __future__ import annotations

from dataclasses import MISSING, fields
from functools import cache
from typing import Any

KINDS = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}
WORDS = {"int": "a whole number", "float": "a number", "str": "text", "bool": "True or False"}


def check_names(cls: type, values: dict[str, object]) -> None:
    """Raise if `values` has a key that is no field of `cls`, or lacks one without a default."""
    known, needed = _names(cls)
    unknown, missing = sorted(values.keys() - known), sorted(needed - values.keys())
    if unknown or missing:
        raise ValueError(f"{cls.__name__}: unknown fields {unknown}, missing fields {missing}")


@cache
def _names(cls: type[Any]) -> tuple[set[str], set[str]]:
    """The names of all fields, and of those without a default."""
    return {field.name for field in fields(cls)}, {f.name for f in fields(cls) if f.default is MISSING}


@cache
def _declared(cls: type[Any]) -> list[tuple[str, str, bool]]:
    """Each field's name, its kind, and whether it may be None."""
    kinds = [(field.name, str(field.type).split(" | ")) for field in fields(cls)]
    return [(name, kind, rest == ["None"]) for name, (kind, *rest) in kinds if kind in KINDS]


def check_types(config: Any) -> None:
    """Raise if a field's value is not of the type that it is declared with. A bool is no number."""
    for name, kind, may_be_none in _declared(config.__class__):
        value = getattr(config, name)
        if value is None and may_be_none:
            continue
        if not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "bool"):
            raise ValueError(f"{name}={value!r}: must be {WORDS[kind]}")
