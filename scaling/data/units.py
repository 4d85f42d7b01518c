"""Quantities as people write them: sizes such as 2.8B, limits such as 4GB or 80 ms, counts such as 50k."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_NUMBER = re.compile(r"^\s*(\d+(?:\.\d*)?|\.\d+)(?:e([+-]?\d+))?\s*([a-zA-Z]*)\s*$")
_BYTES = {"B": 1.0} | {
    f"{letter}{kind}": (1024.0 if kind == "iB" else 1000.0) ** (i + 1)
    for i, letter in enumerate("KMGT")
    for kind in ("B", "iB")
}
COUNTED = ("N", "D", "C")
_SECONDS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0}
SUFFIX = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
NUMBER = re.compile(
    r"^\s*([+-]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d[\d_]*)?\.?\d*(?:e[+-]?\d+)?)\s*([kmbgt]?)\s*$", re.IGNORECASE
)
_SCALES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def parse_size(text: Any) -> float:
    """A number from 2.8e9, "2.8B", "42_000", "1,000" or 7.

    Commas separate thousands, in groups of three. Raises ValueError quoting anything else, a decimal comma or the
    ambiguous "1,100B" included.
    """
    if isinstance(text, str):
        match = NUMBER.match(text)
        if match and "," in match[1] and (match[2] or match[1].lstrip("+-").startswith("0")):
            how = "write a point before decimals, 1.1B, or all digits"
            raise ValueError(f"{text!r} may mean two numbers, its comma a decimal point or not: {how}")
        try:
            return float(match[1].replace(",", "").replace("_", "")) * SUFFIX[match[2].lower()]  # type: ignore[index]
        except (TypeError, ValueError):
            if text.strip().lower() in ("nan", "inf", "-inf", "+inf", "infinity", ""):
                return float(text.strip() or "nan")
            how = "write 2800000000, 2.8e9 or 2.8B, with a point before decimals"
            raise ValueError(f"{text!r} is not a number ({how})") from None
    try:
        return float(text)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a number") from None


def parse_counts(text: str, option: str) -> list[int]:
    """Whole numbers of at least 1 from "1,2,4". Raises ValueError naming the option."""
    try:
        values = [parse_size(part) for part in text.split(",")]
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None
    bad = next((v for v in values if not (v >= 1 and v % 1 == 0)), None)  # inf % 1 is nan
    if bad is not None:
        raise ValueError(f"{option} {text}: {bad:g} is not a whole number of at least 1")
    return [int(v) for v in values]


def _read(text: str, units: dict[str, float], example: str) -> float:
    """A number times its unit. Case does not matter."""
    found = _NUMBER.match(text)
    scale = {name.lower(): value for name, value in units.items()}.get(found[3].lower()) if found else None
    if found is None or scale is None:
        raise ValueError(f"{text!r} is not understood. Write it as {example}")
    value = float(f"{found[1]}e{found[2] or 0}") * scale
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r} must be above 0. Write it as {example}")
    return value


def parse_bytes(text: str) -> float:
    """Bytes from 4GB (10^9), 4GiB (2^30), 512MB, 4096B. Raises ValueError if the unit is missing or it is not > 0."""
    return _read(text, _BYTES, "4GB, 3.5GiB or 512MB")


def parse_seconds(text: str) -> float:
    """Seconds from 0.6s, 80ms, 2min, 0.6. Raises ValueError for anything else, or if it is not > 0."""
    return _read(text, _SECONDS, "0.6s, 80ms or 2min")


def count_text(value: float) -> str:
    """A count to two or three digits with its suffix: 50k, 535M, 1.57B."""
    for scale, suffix in _SCALES:
        if abs(value) >= scale * 0.9995:
            return f"{value / scale:.3g}{suffix}"
    return f"{value:.3g}"


def value_text(axis: str, value: Any) -> str:
    """A value of an axis for people: 2.8B of a count, whole widths, four digits otherwise, a category's name."""
    if isinstance(value, str):
        return value
    if axis in COUNTED:
        return count_text(value)
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e6 else f"{value:.4g}"


def p_text(p: float) -> str:
    """A p value for people: p = 0.014. A tiny one as a bound."""
    return f"p = {p:.2g}" if p >= 1e-3 else "p < 0.001"


def count_labels(values: Sequence[float]) -> list[str]:
    """Short labels of counts on one axis: one suffix if the sizes are within a factor 30 of each other."""
    if not len(values):
        return []
    top = max(values)
    scale, suffix = next(((s, t) for s, t in _SCALES if top >= s * 0.9995), (1.0, ""))
    if top / min(values) > 30:
        return [count_text(float(f"{v:.2g}")) for v in values]
    texts = [f"{v / scale:.1f}" if top < 100 * scale else f"{v / scale:.0f}" for v in values]
    if len(set(texts)) < len(texts):
        texts = [f"{v / scale:.3g}" for v in values]
    return [text.removesuffix(".0") + suffix for text in texts]
