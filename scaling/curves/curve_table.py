"""Tables of loss curves with one row per checkpoint, read and checked run by run.

Columns: run (also run_id, or schedule where that tells runs apart), step, lr, loss (also val_loss or train_loss).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from scaling.curves.schedule import Schedule
from scaling.data.any_table import as_frame
from scaling.laws.base import Array
from scaling.shown import shown

RUNS = ("run", "run_id", "schedule")  # columns that may say which run a row is of
LOSSES = ("loss", "train_loss", "val_loss")
GAP = 8  # times the usual distance between checkpoints: farther apart they leave a gap
RISEN = 1.0  # nats above its lowest loss at which a run ends that diverged
MOST = 120  # checkpoints of a run that a fit looks at: neighbours beyond are averaged


@dataclass(frozen=True, eq=False)
class Curve:
    """The checkpoints of one run, in order of step, (n,) each, and its learning-rate schedule."""

    run: str
    steps: Array
    losses: Array  # nats per token
    schedule: Schedule
    counts: Array  # checkpoints that each point averages
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        arrays = {"steps": self.steps, "losses": self.losses, "counts": self.counts}
        knots = [self.schedule.steps.tolist(), self.schedule.rates.tolist()]
        lists = {name: values.tolist() for name, values in arrays.items()}
        return {"run": self.run, **lists, "schedule": knots, "notes": list(self.notes)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Curve:
        """The inverse of `to_json`."""
        steps, losses, counts = (np.array(body[name], float) for name in ("steps", "losses", "counts"))
        schedule = Schedule(*(np.array(knots, float) for knots in body["schedule"]))
        return cls(body["run"], steps, losses, schedule, counts, tuple(body["notes"]))

    @property
    def sums(self) -> Array:
        """S at the checkpoints."""
        return self.schedule.total(self.steps)

    def after_warmup(self) -> Curve:
        """The curve without its warm-up, which no law here describes."""
        return self.take(self.steps >= self.schedule.warm)

    def until(self, step: float) -> Curve:
        """The checkpoints up to a step. The schedule stays whole."""
        return self.take(self.steps <= step)

    def take(self, rows: Any) -> Curve:
        """Some of the checkpoints."""
        return replace(self, steps=self.steps[rows], losses=self.losses[rows], counts=self.counts[rows])

    def condensed(self, most: int = MOST) -> Curve:
        """At most `most` points, each the mean of neighbours. `counts` says of how many."""
        if self.steps.size <= most:
            return self
        parts = [part for part in np.array_split(np.arange(self.steps.size), most) if part.size]
        steps, losses = (np.array([a[part].mean() for part in parts]) for a in (self.steps, self.losses))
        return replace(
            self, steps=steps, losses=losses, counts=np.array([float(part.size) for part in parts])
        )


def curves_of(
    table: Any,
    *,
    run: str | None = None,
    loss: str | None = None,
    schedules: Mapping[str, Schedule] | None = None,
    warmup: float | None = None,
) -> dict[str, Curve]:
    """The loss curves of a table by run, in its order.

    Runs that diverged or have fewer than 3 checkpoints are left out. `notes` of each curve says what was corrected or is
    doubtful.

    Args:
        table: one row per checkpoint: run, step, lr and loss (nats per token).
        run: column of the run's name, found by default.
        loss: column of the loss, found by default.
        schedules: learning rates of runs by name, which replace the column lr.
        warmup: steps of the linear warm-up, if the table begins after it.

    Returns:
        A dict from run to `Curve`.

    Raises:
        ValueError: for a missing column, values that are not numbers, a step logged twice with two learning rates,
            and if no curve is left.
    """
    left, out = curves_and_left_out(table, run=run, loss=loss, schedules=schedules, warmup=warmup)
    if not left:
        raise ValueError(f"no curve to fit: {'; '.join(out.values())}")
    if out:
        first = next(iter(left))
        left[first] = replace(left[first], notes=(*left[first].notes, "; ".join(out.values())))
    return left


def curves_and_left_out(
    table: Any,
    *,
    run: str | None = None,
    loss: str | None = None,
    schedules: Mapping[str, Schedule] | None = None,
    warmup: float | None = None,
) -> tuple[dict[str, Curve], dict[str, str]]:
    """The curves of a table by run, and why each of the other runs is left out. Options and errors of `curves_of`."""
    frame = as_frame(table)
    if frame.empty:
        raise ValueError("the table of curves has no rows")
    key = run or next((name for name in RUNS if name in frame), None)
    named = [name for name in LOSSES if name in frame]
    value = loss or next((name for name in named if frame[name].count() > 2), named[0] if named else None)
    given = schedules or {}
    lacking = [n for n in (key, value, "step") if n is not None and n not in frame] or (
        ["loss"] if value is None else ["lr"] if "lr" not in frame and not given else []
    )
    if lacking:
        raise ValueError(f"no column {lacking[0]!r}. There are {', '.join(map(str, frame.columns))}")
    groups = frame.groupby(key, sort=False) if key else [("run", frame)]
    found = {
        str(name): _curve(str(name), rows, str(value), given.get(str(name)), warmup) for name, rows in groups
    }
    left = {name: curve for name, curve in found.items() if isinstance(curve, Curve)}
    return left, {name: why for name, why in found.items() if isinstance(why, str)}


def _curve(name: str, rows: pd.DataFrame, value: str, given: Schedule | None, warmup: Any) -> Curve | str:
    """One run's curve, or why it is left out."""
    columns = ["step", value] + (["lr"] if given is None else [])
    data = {column: _numbers(name, rows, column) for column in columns}
    if "status" in rows and (rows["status"] == "diverged").any():
        return f"{name} diverged: left out"
    rates = data["lr"] if given is None else given.rate(data["step"])
    steps, losses, rates, notes = _ordered(name, data["step"], data[value], rates)
    schedule = given or Schedule.of(steps, rates, warmup)
    known = ~np.isnan(losses)
    steps, losses, rates = steps[known], losses[known], rates[known]
    if steps.size < 3:
        return f"{name} has {steps.size} checkpoints: left out (3 are the least)"
    if not np.isfinite(losses).all() or losses[-3:].mean() > losses.min() + RISEN:
        last, low = losses[-1], losses[np.isfinite(losses)].min(initial=np.inf)
        return f"{name} diverged (loss {last:.3g} at step {steps[-1]:g}, lowest {low:.3g}): left out"
    if (losses <= 0).any():
        raise ValueError(f"{name}: loss {losses[losses <= 0][0]:g} is not positive. Give nats per token")
    return Curve(name, steps, losses, schedule, np.ones(steps.size), (*notes, *_gaps(name, steps, rates)))


def _numbers(name: str, rows: pd.DataFrame, column: str) -> Array:
    """A column as float64. ValueError names the run and the value that is no number."""
    values = pd.to_numeric(rows[column], errors="coerce").to_numpy(np.float64)
    bad = np.isnan(values) & rows[column].notna().to_numpy()
    if column != "step" and column != "lr":
        bad &= ~rows[column].astype(str).str.lower().isin(["nan", "inf"]).to_numpy()
    else:
        bad |= np.isnan(values) | (values < 0)
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        value = "a missing value" if pd.isna(rows[column].iloc[at]) else shown(rows[column].iloc[at])
        raise ValueError(
            f"{name}: {column} has {value} in row {at + 1} of the run. Give numbers of 0 or more"
        )
    return values


def _ordered(name: str, steps: Array, losses: Array, rates: Array) -> tuple[Array, Array, Array, list[str]]:
    """Checkpoints by step, the later row of a step that was logged twice, and what was corrected."""
    notes: list[str] = []
    back = np.flatnonzero(np.diff(steps) <= 0)
    if not back.size:
        return steps, losses, rates, notes
    order = np.argsort(steps, kind="stable")
    last = np.append(np.diff(steps[order]) > 0, True)
    twice = ~last
    if twice.any():
        at = order[twice]
        after = order[np.flatnonzero(twice) + 1]
        apart = np.abs(rates[at] - rates[after]) > 1e-3 * rates.max()
        if apart.any():
            where = steps[at[apart]][0]
            raise ValueError(
                f"{name}: step {where:g} has two learning rates. Give two runs two names, or keep one of the rows"
            )
        notes.append(
            f"{name} restarts at step {steps[back[0] + 1]:g} after step {steps[back[0]]:g}: "
            f"of {int(twice.sum())} steps logged twice the later row counts"
        )
    else:
        notes.append(
            f"{name}: step {steps[back[0] + 1]:g} follows step {steps[back[0]]:g}: its rows were sorted"
        )
    keep = order[last]
    return steps[keep], losses[keep], rates[keep], notes


def _gaps(name: str, steps: Array, rates: Array) -> list[str]:
    """The widest gap in a run's checkpoints, if it is one."""
    apart = np.diff(steps)
    widest = int(np.argmax(apart))
    if apart[widest] <= GAP * np.median(apart):
        return []
    first, last = rates[widest], rates[widest + 1]
    moved = (
        "" if first == last else f". The learning rate, {first:.3g} to {last:.3g}, is taken as linear there"
    )
    return [f"{name} has no checkpoint between steps {steps[widest]:g} and {steps[widest + 1]:g}{moved}"]
