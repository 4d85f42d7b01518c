"""Quantities as people write them: limits such as 4GB, 512 MiB, 0.6s, 80 ms; counts such as 50k, 1.57B."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBER = re.compile(r"^\s*(\d+(?:\.\d*)?|\.\d+)(?:e([+-]?\d+))?\s*([a-zA-Z]*)\s*$")
_BYTES = {"B": 1.0} | {
    f"{letter}{kind}": (1024.0 if kind == "iB" else 1000.0) ** (i + 1)
    for i, letter in enumerate("KMGT")
    for kind in ("B", "iB")
}
_SECONDS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0}
_SCALES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def _read(text: str, units: dict[str, float], example: str) -> float:
    """A number times its unit; units are told apart without regard to case."""
    found = _NUMBER.match(text)
    scale = {name.lower(): value for name, value in units.items()}.get(found[3].lower()) if found else None
    if found is None or scale is None:
        raise ValueError(f"{text!r} is not understood; write it as {example}")
    value = float(f"{found[1]}e{found[2] or 0}") * scale
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r} must be above 0; write it as {example}")
    return value


def parse_bytes(text: str) -> float:
    """Bytes from 4GB (10^9), 4GiB (2^30), 512MB, 4096B; ValueError quotes what lacks a unit or is not > 0."""
    return _read(text, _BYTES, "4GB, 3.5GiB or 512MB")


def parse_seconds(text: str) -> float:
    """Seconds from 0.6s, 80ms, 2min, 0.6; ValueError quotes what is none, or not above 0."""
    return _read(text, _SECONDS, "0.6s, 80ms or 2min")


def count_text(value: float) -> str:
    """A count to two or three digits with its suffix: 50k, 535M, 1.57B."""
    for scale, suffix in _SCALES:
        if abs(value) >= scale * 0.9995:
            return f"{value / scale:.3g}{suffix}"
    return f"{value:.3g}"


def count_labels(values: Sequence[float]) -> list[str]:
    """Short labels of counts on one axis: one suffix where the sizes are within a factor 30 of each other."""
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
