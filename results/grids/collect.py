"""Make the folder of a sweep ready to publish: the trials of a search in one table, no configuration twice.

    python -m results.grids.collect results/sweeps/recipe

Trials are trained one a folder below that of their search (`--out results/sweeps/recipe/b8`). Their runs,
curves and losses by domain go into the search's own tables, where column `sweep` names the trial; the rule of
each goes into the search's sweep.json. Then the configs/*.json that a row's column `config` repeats to the
letter are deleted, here and in a folder without trials. Checkpoints stay where they are.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from sweeps.store.checksums import read_parquet, write_parquet, write_text

KEYS = {
    "runs.parquet": ["run_id"],
    "curves.parquet": ["run_id", "step"],
    "domains.parquet": ["run_id", "domain"],
}
RULE = "the trials of one search, each with its own rule"


def collect(search: Path) -> None:
    """Fold the trials below a folder into its tables, and drop the configurations these repeat."""
    trials = sorted(path.parent for path in search.glob("*/sweep.json"))
    for folder in (search, *trials):
        if waiting := [*folder.glob("rows/*.json"), *folder.glob("curves/*.parquet")]:
            raise ValueError(f"{waiting[0]} is not gathered yet: the sweep's command gathers it when it ends")
    if trials:
        merge(search, trials)
    for folder in (search, *trials):
        drop_configs(folder, search / "runs.parquet")
    for trial in trials:
        remove(trial, search)


def merge(search: Path, trials: list[Path]) -> None:
    """The tables of all trials as one each, and what each trial's sweep.json says."""
    for name, key in KEYS.items():
        files = [folder / name for folder in (search, *trials) if (folder / name).exists()]
        if files:
            table = pd.concat([read_parquet(file) for file in files], ignore_index=True)
            write_parquet(search / name, table.drop_duplicates(key, keep="last", ignore_index=True))
    told = [_read(search / "sweep.json")] if (search / "sweep.json").exists() else []
    rules: dict[str, str] = told[0].get("trials", {}) if told else {}
    rules |= {said["name"]: said["rule"] for said in (_read(trial / "sweep.json") for trial in trials)}
    about = {"name": search.name, "rule": RULE, "trials": dict(sorted(rules.items()))}
    write_text(search / "sweep.json", json.dumps(about, indent=1))


def drop_configs(folder: Path, runs: Path) -> None:
    """Delete the configurations that a row of the table `runs` has, letter for letter."""
    table = read_parquet(runs)
    rows = dict(zip(table["run_id"], table["config"], strict=True))
    for path in sorted((folder / "configs").glob("*.json")):
        if rows.get(path.stem) == path.read_text(encoding="utf-8"):
            path.unlink()
    _remove_if_empty(folder / "configs")


def remove(trial: Path, search: Path) -> None:
    """Take away what the search has of a trial; runs that are still to be trained move there."""
    for path in sorted((trial / "configs").glob("*.json")):
        (search / "configs").mkdir(exist_ok=True)
        path.replace(search / "configs" / path.name)
    for name in (*KEYS, "sweep.json", "code.json", ".gitignore"):
        (trial / name).unlink(missing_ok=True)
    for part in ("configs", "rows", "curves", "locks", "checkpoints", "."):
        _remove_if_empty(trial / part)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        collect(Path(name))
