"""A sweep on disk: one folder, one writer a file, every file written whole or not at all.

sweep.json             the grid's name and rule
code.json              training version and torch it began with (sweeps/store/compatibility.py)
configs/<run_id>.json  each run's complete configuration; once published, in its row alone
rows/<run_id>.json     a finished run's row, until it is gathered into runs.parquet
curves/<run_id>.parquet  a finished run's curve, until it is gathered into curves.parquet
runs.parquet, curves.parquet, domains.parquet
bases.json             where bases lie that have moved since (sweeps/checkpoint/parents.py)
checkpoints/<run_id>/  training state, final weights, status.json, and the row and curve once more
                                                                    (ignored by git)
locks/<run_id>/<n>.lock  who trains the run                         (ignored by git)
*.damaged              what failed its checksum (sweeps/store/repair.py)
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from scaling.data.atomic_files import replacing
from sweeps.config.run import RunConfig
from sweeps.config.searched_fields import searched_fields, value_of
from sweeps.store.checksums import read_parquet, read_row, seal_curve, write_parquet, write_row, write_text
from sweeps.store.locks import Locks
from sweeps.store.repair import repair

INTEGERS = (
    "N", "P", "D", "seed", "steps", "batch_tokens", "seq_len", "vocab", "layers", "width", "heads",
    "kv_heads", "ffn", "prefix_tokens", "peak_memory_bytes", "experts", "r", "N_once", "N_recurrent",
)  # fmt: skip


class Store:
    """The folder of one sweep: its configurations, curves, snapshots and the table of its runs.

    Args:
        folder: of the sweep. `create` makes its parts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []  # on what this process found damaged
        self._locks = Locks(folder / "locks")
        self._gathered: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {}  # of runs.parquet, by column

    def create(self, name: str, rule: str) -> None:
        """Make the folder's parts. One that cannot be written, or is another grid's, is refused by name."""
        said = self.folder / "sweep.json"
        try:
            owner = json.loads(said.read_text(encoding="utf-8")).get("name", name)
        except (OSError, ValueError, AttributeError):
            owner = name
        if owner != name:
            raise ValueError(
                f"{self.folder} holds the runs of grid {owner}, not of {name}. Choose another --out"
            )
        try:
            for part in ("configs", "rows", "curves", "checkpoints", "locks"):
                (self.folder / part).mkdir(parents=True, exist_ok=True)
            write_text(self.folder / ".gitignore", "checkpoints/\nlocks/\nrows/\ncurves/\n*.tmp\n")
            if not said.exists():
                self.state(name, rule)
        except FileExistsError as error:
            raise OSError(f"{error.filename} is a file, not a folder. Choose another --out") from None
        except OSError as error:
            raise OSError(f"cannot write to {self.folder}: {error.strerror}. Choose another --out") from None

    def state(self, name: str, rule: str) -> None:
        """Say which grid the folder holds, and by what rule its runs are derived."""
        write_text(self.folder / "sweep.json", json.dumps({"name": name, "rule": rule}, indent=1))

    # Configurations.

    def add(self, configs: Iterable[RunConfig]) -> dict[str, RunConfig]:
        """Record configurations. Returns {run_id: configuration}.

        A configuration of a stored run keeps the stored id, so that a field added to the code with a
        default does not make old runs look undone. How an unfinished run is carried out is as given here.
        """
        stored = self.configs()
        known = {config.identity: run_id for run_id, config in stored.items()}
        found = {}
        for config in configs:
            run_id = known.setdefault(config.identity, config.run_id)
            if stored.get(run_id) != config and not self.is_finished(run_id):
                write_text(self.folder / "configs" / f"{run_id}.json", config.to_json())
            found[run_id] = config
        return found

    def configs(self) -> dict[str, RunConfig]:
        """Every recorded configuration."""
        known = {path.stem for path in (self.folder / "configs").glob("*.json")}
        known |= {run_id for run_id, text in self._in_table("config").items() if isinstance(text, str)}
        return {run_id: self.config(run_id) for run_id in sorted(known)}

    def config(self, run_id: str) -> RunConfig:
        """One recorded configuration."""
        path = self.folder / "configs" / f"{run_id}.json"
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            text = self._in_table("config").get(run_id) or ""
            if not text:
                raise
        try:
            return RunConfig.from_json(text)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: {error}. Remove it, or plan the sweep in a new folder") from None

    # Rows.

    def checkpoint(self, run_id: str) -> Path:
        """Where a run keeps its training state and final weights."""
        return self.folder / "checkpoints" / run_id

    def finish(self, run_id: str, row: dict[str, Any]) -> None:
        """Publish a finished run: its curve, then its row, which makes it finished. Drop its snapshots."""
        curve = self.checkpoint(run_id) / "curve.parquet"
        if curve.exists():
            seal_curve(curve, run_id)
            with replacing(self.folder / "curves" / f"{run_id}.parquet") as temporary:
                shutil.copyfile(curve, temporary)
        self.checkpoint(run_id).mkdir(parents=True, exist_ok=True)
        for path in (self.checkpoint(run_id) / "row.json", self.folder / "rows" / f"{run_id}.json"):
            write_row(path, {**row, "run_id": run_id})
        self.drop_snapshots(run_id)

    def has_snapshot(self, run_id: str) -> bool:
        """True if the run has state to go on from."""
        return any(self.checkpoint(run_id).glob("step-*.ckpt"))

    def drop_snapshots(self, run_id: str) -> None:
        """Delete the state that the run would go on from, and what says that it waits there."""
        folder, kinds = self.checkpoint(run_id), ("step-*.ckpt", ".snapshot-*.tmp", "paused.json")
        for snapshot in [path for kind in kinds for path in folder.glob(kind)]:
            shutil.rmtree(snapshot) if snapshot.is_dir() else snapshot.unlink(missing_ok=True)

    def finished(self) -> set[str]:
        """Identities of the runs that have a row."""
        rows = {path.stem for path in (self.folder / "rows").glob("*.json")}
        return rows | set(self._in_table("status"))

    def is_finished(self, run_id: str) -> bool:
        """Whether one run has a row. Takes no longer the more runs there are."""
        return (self.folder / "rows" / f"{run_id}.json").exists() or run_id in self._in_table("status")

    def begun(self) -> set[str]:
        """Identities of the runs that have left anything but their configuration."""
        try:
            return {entry.name for entry in os.scandir(self.folder / "checkpoints")}
        except FileNotFoundError:
            return set()

    def outcome(self, run_id: str) -> dict[str, Any]:
        """How a finished run ended, and its loss, as its row has them."""
        try:
            return read_row(self.folder / "rows" / f"{run_id}.json")
        except FileNotFoundError:  # gathered
            found = {name: self._in_table(name) for name in ("status", "loss", "ended_step", "ended_why")}
            return {name: values[run_id] for name, values in found.items() if run_id in values}

    def _in_table(self, column: str) -> dict[str, Any]:
        """{run_id: value} of a column of the gathered table, read again when the table changes."""
        path = self.folder / "runs.parquet"
        try:
            found = path.stat()
        except FileNotFoundError:
            return {}
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)  # a clock set back may give a time again
        if self._gathered.get(column, ((), {}))[0] != stamp:
            table = read_parquet(path, ["run_id", column]).drop_duplicates("run_id", keep="last")
            values = table[column] if column in table else [None] * len(table)
            self._gathered[column] = (stamp, dict(zip(table["run_id"], values, strict=True)))
        return self._gathered[column][1]

    def table(self) -> pd.DataFrame:
        """Every finished run, gathered or not, smallest N first."""
        rows = []
        for path in sorted((self.folder / "rows").glob("*.json")):
            with contextlib.suppress(FileNotFoundError):  # gathered meanwhile: the table, read next, has it
                rows.append(read_row(path))
        whole = self.folder / "runs.parquet"
        parts = [read_parquet(whole)] if whole.exists() else []
        if rows:
            parts.append(_typed(pd.DataFrame(rows)))
        if not parts:
            return pd.DataFrame()
        table = with_searched(pd.concat(parts, ignore_index=True).drop_duplicates("run_id", keep="last"))
        return table.sort_values(["corpus", "N", "P", "seed", "run_id"], ignore_index=True)

    def gather(self, curves: bool = False) -> None:
        """Fold the rows (and, once at the end, the curves) into the tables. Safe to repeat or to kill.

        What is damaged is set aside before that. `said` tells of it.
        """
        with self._locks.hold("gather") as lock:
            self.said += repair(self.folder, self.finished, curves)
            rows = sorted((self.folder / "rows").glob("*.json"))
            table = self.table() if rows else None
            if table is not None and lock.ours():  # a process that slept for a minute may have lost it
                write_parquet(self.folder / "runs.parquet", table)
                for path in rows:
                    path.unlink()
            pieces = sorted((self.folder / "curves").glob("*.parquet")) if curves else []
            if pieces:
                whole = self.folder / "curves.parquet"
                sources = [whole] * whole.exists() + pieces
                table = pd.concat([read_parquet(path) for path in sources], ignore_index=True)
                write_parquet(whole, table.drop_duplicates(["run_id", "step"], keep="last"))
                for path in pieces:
                    path.unlink()
            if pieces or (curves and not (self.folder / "domains.parquet").exists()):
                self._gather_domains()

    def _gather_domains(self) -> None:
        """The validation loss of every finished run, domain by domain."""
        finished = self.finished()
        parts = [
            # the folder's id: a run that is carried out in another way has written another one
            {**part, "run_id": path.parent.name}
            for path in sorted((self.folder / "checkpoints").glob("*/domains.json"))
            if path.parent.name in finished
            for part in json.loads(path.read_text(encoding="utf-8"))
        ]
        whole = self.folder / "domains.parquet"
        tables = [read_parquet(whole)] if whole.exists() else []
        if parts:
            table = pd.concat([*tables, pd.DataFrame(parts)], ignore_index=True)
            write_parquet(whole, table.drop_duplicates(["run_id", "domain"], keep="last"))

    def forget(self, run_ids: Iterable[str]) -> None:
        """Drop rows, so that these runs are trained again."""
        gone = set(run_ids)
        with self._locks.hold("gather"):
            table = self.table()
            for run_id in gone:
                config = self.folder / "configs" / f"{run_id}.json"
                if not config.exists() and (published := self._in_table("config").get(run_id)):
                    write_text(config, published)
                for path in (self.folder / "rows" / f"{run_id}.json", self.checkpoint(run_id) / "row.json"):
                    path.unlink(missing_ok=True)
            if len(table) and (self.folder / "runs.parquet").exists():
                write_parquet(self.folder / "runs.parquet", table[~table["run_id"].isin(gone)])

    def damaged(self) -> set[Path]:
        """What has been set aside, by whoever found it."""
        places = ("", "rows/", "curves/", "checkpoints/*/")
        return {path for place in places for path in self.folder.glob(f"{place}*.damaged")}

    # Status.

    def note(self, run_id: str, **facts: Any) -> None:
        """Record the state of a run. Its only writer is the process that holds the run's lock."""
        folder = self.checkpoint(run_id)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "status.json", json.dumps(facts), durable=False)

    def noted(self, run_id: str) -> dict[str, Any]:
        """What was last noted of a run. Empty if nothing was."""
        try:
            facts = json.loads((self.checkpoint(run_id) / "status.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}


def with_searched(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the fields that its sweep searches: their names in `searched`, a column of each."""
    point = [name for name in ("recipe", "corpus", "size", "P", "seed") if name in table]
    several = table.duplicated(point, keep=False)
    if not several.any() or "config" not in table:
        return table
    configs = {run_id: RunConfig.from_json(text) for run_id, text in
               zip(table["run_id"], table["config"], strict=True) if isinstance(text, str)}  # fmt: skip
    names = searched_fields(configs[run_id] for run_id in table["run_id"][several] if run_id in configs)
    columns: dict[str, Any] = {
        name: [value_of(configs[one], name) if one in configs else None for one in table["run_id"]]
        for name in names
    }
    return table.assign(**columns, searched=",".join(names)) if names else table


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """The types the contract states. JSON does not tell 1 from 1.0."""
    kinds = {name: "int64" for name in INTEGERS if name in table}
    return table.astype({**kinds, **{name: "float64" for name in ("C", "loss", "lr") if name in table}})
