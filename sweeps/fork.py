"""A sweep that goes on is the sweep that was begun: the same training code, the same configurations.

`code.json` in the sweep's folder says what it was begun with. What has changed is refused by name;
with `--fork` the sweep goes on all the same: finished rows stay, each with its own `versions`.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from sweeps.config import RunConfig
from sweeps.locks import Locks
from sweeps.sealed import write_text
from sweeps.store import Store

HERE = Path(__file__).parent
NEUTRAL = {"config", "documents", "execution"}  # a configuration is stored whole; the others train nothing


@cache
def code() -> dict[str, str]:
    """What trains here: torch's version, and a hash of each module without its comments and docstrings."""
    return {"torch": metadata.version("torch"), **{name: _hash(name) for name in sorted(_training())}}


def _training() -> set[str]:
    """The modules that decide a run's weights and losses: what `sweeps.module` is made of, and the loop."""
    found, left = {"train", "watch"}, {"module"}
    while left:
        found |= left
        left = {name for module in left for name in _imported(module)} - found - NEUTRAL
    return found


def _imported(module: str) -> Iterator[str]:
    """Names of the package's modules that one imports."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom):
            package, _, name = (f"sweeps.{node.module or ''}" if node.level else str(node.module)).partition(
                "."
            )
            if package == "sweeps":
                yield from [name] if name else [alias.name for alias in node.names]


def _tree(module: str) -> ast.Module:
    return ast.parse((HERE / f"{module}.py").read_text(encoding="utf-8"))


def _hash(module: str) -> str:
    tree = _tree(module)
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node) is not None:  # type: ignore[arg-type]
            node.body = node.body[1:]  # type: ignore[attr-defined]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:12]


def fingerprint() -> str:
    """The training code in 12 digits, for a row's `versions`."""
    return hashlib.sha256(json.dumps(code(), sort_keys=True).encode()).hexdigest()[:12]


def other_code(folder: Path) -> str:
    """How the code that the folder's sweep was begun with differs from this; empty if it does not."""
    try:
        begun = dict(json.loads((folder / "code.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return ""
    changed = [name for name, mark in code().items() if begun.get(name) != mark]
    words = [f"torch {begun.get('torch')} is now {code()['torch']}"] if "torch" in changed else []
    files = [f"sweeps/{name}.py" for name in changed if name != "torch"]
    return ", ".join(words + ([f"changed: {' '.join(files)}"] if files else []))


def other_configuration(known: Iterable[RunConfig], planned: Iterable[RunConfig]) -> str:
    """The first planned run that stands where the folder has another one, no longer planned; or nothing."""
    have, runs = set(known), list(planned)
    left = {_point(run): run for run in have - set(runs)}
    for run in runs:
        if run not in have and _point(run) in left:
            was, now = _flat(left[_point(run)]), _flat(run)
            changed = [f"{name} {was[name]} is now {now[name]}" for name in now if was[name] != now[name]]
            return f"{run.size} P={run.model.P} seed {run.seed}: {', '.join(changed)}"
    return ""


def _point(run: RunConfig) -> tuple[object, ...]:
    """Where in the grid a run stands."""
    return (run.recipe, run.corpus, run.size, run.model.P, run.seed)


def _flat(run: RunConfig) -> dict[str, Any]:
    values = asdict(run)
    return {**values.pop("model"), **values}


def go_on(store: Store, planned: Iterable[RunConfig], fork: bool) -> None:
    """Refuse to go on with a sweep that was begun otherwise, or fork it.

    A fork of other code starts unfinished runs anew; one of another configuration trains its runs
    beside those that are there.
    """
    runs, finished = list(planned), store.finished()
    ids = {run: run_id for run_id, run in store.configs().items()}
    half = [run_id for run_id in ids.values() if run_id not in finished and store.has_snapshot(run_id)]
    to_train = any(ids.get(run) not in finished for run in runs)
    code_changed = other_code(store.folder) if to_train and (finished or half) else ""
    changed = code_changed or other_configuration(ids, runs)
    if changed and not fork:
        raise ValueError(
            f"{store.folder} was begun otherwise ({changed}): go back to that, choose another --out, "
            "or go on with --fork"
        )
    if code_changed:
        locks = Locks(store.folder / "locks")
        for run_id in half:
            if locks.owner(run_id) is None:
                store.drop_snapshots(run_id)
    begun = (finished or half) and (store.folder / "code.json").exists()
    if code_changed or not begun:
        write_text(store.folder / "code.json", json.dumps(code(), indent=1))
