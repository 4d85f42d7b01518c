"""Tables that need no reading: the axes of a law and its losses as arrays of numbers, with nothing to guess."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling.data.columns.column_units import MOST_LOSS, implausible
from scaling.data.columns.recognise import MANY_ROWS, MOST_STREAMS
from scaling.laws.axis import KNOWN, Axis
from scaling.laws.base import Array

AXES = {"N", "P", "D"}  # whose names and values are known well enough


def plain_columns(given: Any, axes: Mapping[str, Axis | None]) -> dict[str, Array] | None:
    """The columns of a mapping as float64, (n,) each, if `recognised` would change and say nothing. Else None.

    given: anything that `scaling.fit` takes as a table. axes: those of its law, with their rules.
    """
    if not isinstance(given, Mapping) or given.keys() != {*axes, "loss"} or not axes.keys() <= AXES:
        return None
    if not all(type(v) is np.ndarray and v.dtype.kind in "fiu" for v in given.values()):
        return None
    shape = given["loss"].shape
    if len(shape) != 1 or shape == (0,) or any(values.shape != shape for values in given.values()):
        return None
    columns = {name: np.array(values, dtype=np.float64) for name, values in given.items()}
    good = all(_plain_axis(name, columns[name], rule) for name, rule in axes.items())
    return columns if good and _plain_loss(columns["loss"]) else None


def _plain_axis(name: str, values: Array, rule: Axis | None) -> bool:
    """Whether values (n,) are counts of parameters, tokens or streams that a law takes."""
    if not (rule or KNOWN[name]).good(values).all() or implausible(name, values):
        return False
    return name != "P" or bool(((values <= MOST_STREAMS) & (values % 1 == 0)).all())


def _plain_loss(loss: Array) -> bool:
    """Whether losses (n,) are nats per token, and none of them repeats another."""
    if not (loss.min() > 0 and loss.max() <= MOST_LOSS):
        return False
    return loss.size > MANY_ROWS or len(set(loss.tolist())) == loss.size
