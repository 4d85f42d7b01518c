"""Values that a message quotes: one line, whatever was given."""

from __future__ import annotations

from typing import Any

ROOM = 60  # characters of a quoted value


def is_table(value: Any) -> bool:
    """Whether a value looks like a table: columns with names, or rows of them."""
    if isinstance(value, type):
        return False
    if any(hasattr(value, name) for name in ("column_names", "columns", "collect_schema", "schema")):
        return True
    return isinstance(value, dict) or (
        isinstance(value, (list, tuple)) and len(value) > 0 and all(isinstance(row, dict) for row in value)
    )


def shown(value: Any) -> str:
    """A value in one line: tables by their kind, what is long cut short."""
    if is_table(value) and not isinstance(value, dict):
        kind = "list of records" if isinstance(value, (list, tuple)) else type(value).__name__
        return f"a table ({kind})"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:  # a class has a property there
        return f"{type(value).__name__} of shape {tuple(shape)}"
    words = " ".join(repr(value).split())
    return words if len(words) <= ROOM else f"{words[: ROOM - 3]}..."
