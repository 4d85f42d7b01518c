"""Checks of a configuration's fields: their names and their types."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

KINDS = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}
WORDS = {"int": "a whole number", "float": "a number", "str": "text", "bool": "True or False"}


def check_names(cls: type, values: dict[str, object]) -> None:
    """Raise if `values` has a key that is no field of `cls`, or lacks one without a default."""
    known = {field.name: field for field in fields(cls)}
    unknown = sorted(set(values) - set(known))
    needed = {name for name, field in known.items() if field.default is MISSING}
    missing = sorted(needed - set(values))
    if unknown or missing:
        raise ValueError(f"{cls.__name__}: unknown fields {unknown}, missing fields {missing}")


def check_types(config: Any) -> None:
    """Raise if a field's value is not of the type that it is declared with; a bool is no number."""
    for field in fields(config):
        value, (kind, *rest) = getattr(config, field.name), str(field.type).split(" | ")
        if kind not in KINDS or (value is None and rest == ["None"]):
            continue
        if not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "bool"):
            raise ValueError(f"{field.name}={value!r}: must be {WORDS[kind]}")
