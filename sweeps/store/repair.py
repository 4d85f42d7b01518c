"""What is damaged in a sweep's folder is set aside, and made again from what the folder has twice.

A finished run's row and curve are next to its weights as well: from there come rows and tables that fail
their checksums. Whoever calls this holds the folder (`Store.gather`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scaling.data.atomic_files import replacing
from sweeps.store import checksums
from sweeps.store.checksums import Damaged

WHY = "fails its checksum or cannot be read: set aside"


@dataclass(frozen=True)
class Kind:
    """What a run leaves: a file of its own until it is gathered into a table, a copy next to its weights."""

    folder: str
    ending: str
    copy: str
    table: str
    check: Callable[[Path], object]
    lost: str  # what is to be said where there is no copy


ROWS = Kind("rows", "json", "row.json", "runs.parquet", checksums.read_row, "trained again")
CURVES = Kind("curves", "parquet", "curve.parquet", "curves.parquet", checksums.verify_checksum, "lost")


def repair(folder: Path, finished: Callable[[], set[str]], curves: bool) -> Iterator[str]:
    """Set aside what is damaged, curves and domains only if asked. Yields a sentence on each file.

    What can be had goes to `rows/` and `curves/`, from where it is gathered.
    """
    yield from _pieces(folder, ROWS)
    yield from _whole(
        folder, ROWS, lambda: {path.parent.name for path in folder.glob(f"checkpoints/*/{ROWS.copy}")}
    )
    if curves:
        yield from _pieces(folder, CURVES)
        yield from _whole(folder, CURVES, finished)
        yield from _domains(folder)


def _good(check: Callable[[Path], object], path: Path) -> bool:
    """Whether a file, if it is there, is what was written."""
    try:
        check(path)
    except FileNotFoundError:
        return True
    except Damaged:
        return False
    return True


def _pieces(folder: Path, kind: Kind) -> Iterator[str]:
    """Files of one run each: again from the copy."""
    for path in sorted((folder / kind.folder).glob(f"*.{kind.ending}")):
        if not _good(kind.check, path):
            aside = checksums.set_aside(path)
            yield f"{aside}: {WHY}. {'Made again' if _bring(folder, kind, path.stem) else kind.lost.capitalize()}"


def _whole(folder: Path, kind: Kind, run_ids: Callable[[], set[str]]) -> Iterator[str]:
    """A gathered table: the copies are gathered again."""
    if not _good(checksums.verify_checksum, folder / kind.table):
        aside = checksums.set_aside(folder / kind.table)
        had = sum([_bring(folder, kind, run_id) for run_id in sorted(run_ids())])
        yield f"{aside}: {WHY}. Made again with the {kind.folder} of {had} runs, any others are {kind.lost}"


def _bring(folder: Path, kind: Kind, run_id: str) -> bool:
    """Put a run's copy, if it is there and good, in place of what is not there."""
    copy, target = folder / "checkpoints" / run_id / kind.copy, folder / kind.folder
    target /= f"{run_id}.{kind.ending}"
    if target.exists() or not copy.exists() or not _good(kind.check, copy):
        return False
    with replacing(target) as temporary:
        shutil.copyfile(copy, temporary)
    return True


def _domains(folder: Path) -> Iterator[str]:
    """Losses by domain: the table is gathered again from all that is next to the runs' weights."""
    for path in sorted(folder.glob("checkpoints/*/domains.json")):
        if not _good(_read_list, path):
            yield f"{checksums.set_aside(path)}: {WHY}. The run's losses by domain are lost"
    if not _good(checksums.verify_checksum, folder / "domains.parquet"):
        aside = checksums.set_aside(folder / "domains.parquet")
        yield f"{aside}: {WHY}. Made again from the runs whose weights are there"


def _read_list(path: Path) -> None:
    try:
        list(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise Damaged(path, "it is no list") from None
