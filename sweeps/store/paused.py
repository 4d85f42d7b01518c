"""Runs that wait at a step of their training: what they have come to, and ending those that are not to go on.

`checkpoints/<run_id>/paused.json` is the row as it would be if the run ended there; its snapshot is next to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sweeps.store.checksums import Damaged, read_row, set_aside, write_row
from sweeps.store.store import Store


def _place(store: Store, run_id: str) -> Path:
    return store.checkpoint(run_id) / "paused.json"


def pause(store: Store, run_id: str, row: dict[str, Any]) -> None:
    """Record that a run waits, its snapshot and curve written."""
    store.checkpoint(run_id).mkdir(parents=True, exist_ok=True)
    write_row(_place(store, run_id), {**row, "run_id": run_id})


def paused_row(store: Store, run_id: str) -> dict[str, Any]:
    """The row of a run that waits, or has waited. Empty where there is none that can be read."""
    try:
        return read_row(_place(store, run_id))
    except FileNotFoundError:
        return {}
    except Damaged:  # the run goes on from its snapshot and pauses again
        set_aside(_place(store, run_id))
        return {}


def waits(store: Store, run_id: str, step: int | None) -> bool:
    """Whether a run waits at `step` or beyond it. False without a step."""
    return step is not None and int(paused_row(store, run_id).get("ended_step", -1)) >= step


def end_paused(store: Store, run_id: str, why: str) -> bool:
    """Give a run that waits its row, with status stopped and the reason. False where none waits."""
    row = paused_row(store, run_id)
    if not row or store.is_finished(run_id):
        return False
    store.finish(run_id, {**row, "ended_why": why})
    store.note(run_id, state="stopped", step=row["ended_step"])
    return True
