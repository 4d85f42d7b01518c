"""What reading a table guessed, as data: each guess with its axis, column, reason and consequence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

KEY = "reading"  # in DataFrame.attrs, as JSON values: attrs travel through parquet as JSON
NATS = "nats per token"
ASSUMED = "P = 1 assumed"  # what was done for a table without streams


@dataclass(frozen=True)
class Guess:
    """One conclusion of reading that the caller did not state.

    axis: its subject: N, P, D, C, loss, status, or table (rows, columns and form of the file).
    column: the name in the file, or empty. why: the evidence, a clause. action: what was done, or what to do, a
    clause. doubt: whether a person should check, because nothing was changed.
    """

    axis: str
    column: str
    why: str
    action: str
    doubt: bool = False

    def __str__(self) -> str:
        return f"{self.action} ({self.why})" if self.why and self.why not in self.action else self.action


@dataclass(frozen=True)
class Reading:
    """How a table was read: its guesses in order, and the unit of its loss. Empty if there were no guesses."""

    guesses: tuple[Guess, ...] = ()
    loss_unit: str = NATS  # as printed after a loss: "bits per byte", or the column's own name

    def __bool__(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.guesses) or self.loss_unit != NATS

    def of(self, axis: str) -> tuple[Guess, ...]:
        """The guesses about one axis."""
        return tuple(guess for guess in self.guesses if guess.axis == axis)

    @property
    def doubts(self) -> tuple[Guess, ...]:
        """The guesses that a person should look at."""
        return tuple(guess for guess in self.guesses if guess.doubt)

    def line(self) -> str:
        """What was done, in one line, without the doubts. Empty if nothing was guessed."""
        return "; ".join(guess.action for guess in self.guesses if not guess.doubt)

    def also(self, guesses: Iterable[Guess], loss_unit: str | None = None) -> Reading:
        """The same reading with more guesses, each once."""
        merged = tuple(dict.fromkeys((*self.guesses, *guesses)))
        return Reading(merged, self.loss_unit if loss_unit is None else loss_unit)


NOTHING = Reading()  # guessed: the table said all


def reading_of(table: Any) -> Reading:
    """How a table was read, from its attrs. An empty Reading if they say nothing."""
    return reading_from_json(getattr(table, "attrs", {}).get(KEY))


def with_reading(table: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """The table itself, with its reading stored in its attrs."""
    if reading:
        table.attrs[KEY] = reading_as_json(reading)
    return table


def reading_as_json(reading: Reading) -> dict[str, Any]:
    """A reading as JSON values."""
    return {"guesses": [asdict(guess) for guess in reading.guesses], "loss_unit": reading.loss_unit}


def reading_from_json(told: Any) -> Reading:
    """The reading that `reading_as_json` wrote. An empty one for anything else."""
    if not isinstance(told, dict):
        return Reading()
    return Reading(tuple(Guess(**guess) for guess in told["guesses"]), told["loss_unit"])
