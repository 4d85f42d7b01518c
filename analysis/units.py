"""Limits as people write them: 4GB, 512 MiB, 0.6s, 80 ms."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"^\s*(\d+(?:\.\d*)?|\.\d+)(?:e([+-]?\d+))?\s*([a-zA-Z]*)\s*$")
_BYTES = {"B": 1.0} | {
    f"{letter}{kind}": (1024.0 if kind == "iB" else 1000.0) ** (i + 1)
    for i, letter in enumerate("KMGT")
    for kind in ("B", "iB")
}
_SECONDS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0}


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
