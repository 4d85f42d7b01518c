"""Values of options as people write them. Raises ValueError naming the option and quoting its value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T", int, float)


def items(text: str | None, between: str = ",") -> list[str] | None:
    """["a", "b"] from "a,b". `between` is the pattern of separators."""
    return [part.strip() for part in re.split(between, text) if part.strip()] if text else None


def named_laws(text: str) -> list[str]:
    """["dense:E=1.6,A=2", "my.py:Depth"] from "dense:E=1.6,A=2,my.py:Depth": a part that is only name=value is the last law's."""
    found: list[str] = []
    for part in items(text) or []:
        if found and "=" in part and ":" not in part:
            found[-1] += f",{part}"
        else:
            found.append(part)
    return found


def axis_values(text: str | None, flag: str) -> dict[str, list[str]]:
    """{"width": ["512", "1024"], "depth": ["8"]} from "width=512,1024,depth=8"."""
    found: dict[str, list[str]] = {}
    for part in items(text) or []:
        axis, equals, value = part.partition("=")
        if equals and axis.strip() and value.strip():
            found.setdefault(axis.strip(), []).append(value.strip())
        elif not equals and found:
            found[next(reversed(found))].append(part)
        else:
            raise ValueError(f"{flag} {text}: write AXIS=VALUE,..., such as width=512,1024,depth=8")
    return found


def points_given(known: Mapping[str, str | None], others: str | None) -> dict[str, list[str]]:
    """The values of every axis that --N, --P, --D (known) and --at give, as written. Raises ValueError for one twice."""
    found = {axis: texts for axis, text in known.items() if (texts := items(text))}
    at = axis_values(others, "--at")
    if twice := [axis for axis in at if axis in found]:
        raise ValueError(f"{twice[0]} is in --{twice[0]} and in --at. Give it once.")
    return found | at


def whole_numbers(text: str | None, flag: str) -> list[int] | None:
    """[1, 2] from "1,2"."""
    try:
        return [int(part) for part in items(text) or []] or None
    except ValueError:
        raise ValueError(f"{flag} {text}: give whole numbers separated by commas") from None


def number(
    text: str | None, flag: str, read: Callable[[str], T], fits: Callable[[T], bool], wanted: str
) -> T | None:
    """The number that was given, None if none was. `wanted` says what is allowed."""
    if text is None:
        return None
    try:
        value = read(text)
    except ValueError:
        value = None
    if value is None or not fits(value):
        raise ValueError(f"{flag} {text}: give {wanted}")
    return value


def count(text: str | None, flag: str) -> int | None:
    """A whole number of at least 1, if one was given."""
    return number(text, flag, int, lambda value: value >= 1, "a whole number of at least 1")


def tokens(text: str | None, flag: str = "--tokens", example: str = "10M") -> int | None:
    """A number of tokens, if one was given."""
    from scaling.data.units import parse_size

    found = number(text, flag, parse_size, lambda D: 1 <= D < 1e18, f"a number of tokens, e.g. {example}")
    return None if found is None else int(found)


def one_of(text: str | None, flag: str, allowed: tuple[str, ...]) -> str | None:
    """The word that was given, if it is one of those allowed."""
    if text is not None and text not in allowed:
        raise ValueError(f"{flag} {text}: choose one of {', '.join(allowed)}")
    return text


def amount(text: str, flag: str) -> float:
    """A number from 2.8e9 or "2.8B"."""
    from scaling.data.units import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise ValueError(f"{flag}: {error}") from None
