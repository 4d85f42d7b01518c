"""Whether a sweep may be resumed: the same training version, the same torch, the same configurations.

`code.json` in the sweep's folder records what the sweep began with. A change is refused by name. With
`--fork` the sweep is resumed all the same: finished rows stay, each with its own `versions`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib import metadata
from typing import Any

from sweeps.config.run import RunConfig
from sweeps.config.searched_fields import point_of, searched_fields, value_of
from sweeps.store.checksums import write_text
from sweeps.store.locks import Locks
from sweeps.store.store import Store

TRAINING_VERSION = 1
"""Raise this by one when a change alters a run's weights or losses. The golden-loss test says when."""


def training_code() -> dict[str, str | int]:
    """What trains here: the training version and torch's version."""
    return {"training_version": TRAINING_VERSION, "torch": metadata.version("torch")}


def _recorded(store: Store) -> dict[str, Any]:
    """What the sweep began with. Empty where nothing is recorded."""
    try:
        return dict(json.loads((store.folder / "code.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return {}


def _old_style(begun: dict[str, Any]) -> bool:
    """Whether the record is version 0.1's: hashes of source files, which moved files do not match."""
    return bool(begun) and "training_version" not in begun


def changed_code(store: Store) -> str:
    """How the training code differs from what the folder's sweep began with. Empty if it does not."""
    begun = _recorded(store)
    if _old_style(begun):
        begun = {**begun, "training_version": 1}  # version 0.1 trained as training version 1 does
    names = {"training_version": "training version", "torch": "torch"}
    here = training_code()
    return ", ".join(
        f"{names[name]} {begun[name]} is now {here[name]}"
        for name in here
        if name in begun and begun[name] != here[name]
    )


def changed_configuration(known: Iterable[RunConfig], planned: Iterable[RunConfig]) -> str:
    """The first planned run that replaces a run of the folder at its point of the grid. Or nothing."""
    have, runs = {run.identity for run in known}, [run.identity for run in planned]
    searched = searched_fields(runs)

    def place(run: RunConfig) -> tuple[object, ...]:
        return (*point_of(run), *(value_of(run, name) for name in searched))

    left = {place(run): run for run in have - set(runs)}
    for run in runs:
        if run not in have and place(run) in left:
            was, now = _flat(left[place(run)]), _flat(run)
            changed = [f"{name} {was[name]} is now {now[name]}" for name in now if was[name] != now[name]]
            return f"{run.size} P={run.model.P} seed {run.seed}: {', '.join(changed)}"
    return ""


def _flat(run: RunConfig) -> dict[str, Any]:
    values = asdict(run)
    return {**values.pop("model"), **values}


def check_resumable(
    store: Store, planned: Iterable[RunConfig], fork: bool, say: Callable[[str], None] = lambda line: None
) -> None:
    """Refuse to resume a sweep whose code or configurations have changed, or fork it.

    A fork of other code starts unfinished runs from step 0. One of other configurations trains its runs
    in addition to those that are there. `say` gets the one line on a folder that version 0.1 wrote.
    Raises ValueError that names what changed.
    """
    runs, finished = list(planned), store.finished()
    ids = {run.identity: run_id for run_id, run in store.configs().items()}
    half = [run_id for run_id in ids.values() if run_id not in finished and store.has_snapshot(run_id)]
    to_train = any(ids.get(run.identity) not in finished for run in runs)
    code = changed_code(store) if to_train and (finished or half) else ""
    changed = code or changed_configuration(ids, runs)
    if changed and not fork:
        raise ValueError(
            f"{store.folder} has runs of another kind ({changed}). Restore what changed, choose another "
            "--out, or resume with --fork."
        )
    if code:
        _drop_snapshots(store, half)
    _record(store, say, anew=bool(code) or not (finished or half))


def _drop_snapshots(store: Store, half: list[str]) -> None:
    """Remove the training state of unfinished runs that nobody is training."""
    locks = Locks(store.folder / "locks")
    for run_id in half:
        if locks.owner(run_id) is None:
            store.drop_snapshots(run_id)


def _record(store: Store, say: Callable[[str], None], anew: bool) -> None:
    """Write what trains here to the folder, unless an older record still holds."""
    begun = _recorded(store)
    if _old_style(begun):
        say(f"{store.folder}: begun with version 0.1, resumed as training version {TRAINING_VERSION}")
    if anew or not begun or _old_style(begun):
        write_text(store.folder / "code.json", json.dumps(training_code(), indent=1))
