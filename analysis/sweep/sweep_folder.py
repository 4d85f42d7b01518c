"""What a sweep's folder holds in addition to the runs table: curves, measured streams, what is still to train."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from scaling.data import limits, table_files
from scaling.data.runs import FIRST_STAGE, SECOND_STAGE, finished_runs

STREAMS, CONTEXT = "streams.parquet", "context.parquet"  # what `parscale streams`, `context` write
_ABOUT = ("run_id", "N", "P", "recipe", "corpus", "size", "seed", "status")


def table_folder(path: Path) -> Path:
    """The folder of a sweep, or of a runs table."""
    return path if path.is_dir() else path.parent


def is_first_stage(runs: pd.DataFrame) -> pd.Series[bool]:
    """Which rows are stage 1 of rows of stage 2."""
    if "recipe" not in runs or not (runs["recipe"] == SECOND_STAGE).any():
        return pd.Series(data=False, index=runs.index)
    return runs["recipe"] == FIRST_STAGE


def read_curves(path: Path, runs: pd.DataFrame) -> pd.DataFrame | None:
    """The curves with P, recipe, corpus, size and seed of their runs. Of a sweep in progress, what there is.

    Column `begin`: the tokens after which stage 2 begins; 0 for runs of one stage. Text is in categories:
    of ten million points each says which of some thousand runs it belongs to.
    """
    folder = table_folder(path)
    files = [*folder.glob("curves.parquet"), *sorted((folder / "curves").glob("*.parquet"))]
    if not files or "run_id" not in runs:
        return None
    parts = [table_files.load_table(file, limits.CURVES, repeated=["run_id"]) for file in files]
    curves = pd.concat(parts, ignore_index=True).astype({"run_id": "category"})
    if "step" in curves:
        curves = curves.drop_duplicates(["run_id", "step"], keep="last")
    about = runs[[c for c in _ABOUT if c in runs]].assign(begin=_begin(runs))
    about = about[about["run_id"].isin(curves["run_id"].cat.categories)]
    words = [c for c in about.columns[1:] if not pd.api.types.is_numeric_dtype(about[c])]
    about = about.astype({"run_id": curves["run_id"].dtype} | dict.fromkeys(words, "category"))
    return curves.drop(columns=[c for c in about.columns[1:] if c in curves]).merge(about, on="run_id")


def _begin(runs: pd.DataFrame) -> pd.Series[float]:
    """The tokens of a run's stage 1: all of its own where it is the first stage."""
    none = pd.Series(0.0, index=runs.index)
    if not {"recipe", "D", "steps", "batch_tokens"} <= set(runs):
        return none
    before = (runs["D"] - runs["steps"] * runs["batch_tokens"]).astype(float)
    second, first = runs["recipe"] == SECOND_STAGE, is_first_stage(runs)
    return none.mask(second, before).mask(first, runs["D"].astype(float))


def read_measured(path: Path, runs: pd.DataFrame, name: str) -> pd.DataFrame | None:
    """What was measured of each run in the table `name` next to them, with its corpus, recipe and size.

    path: of the sweep's folder or its table of runs. None without such a table, or without run_id.
    """
    file = table_folder(path) / name
    if not file.is_file() or "run_id" not in runs or file == path:
        return None
    known = [c for c in ("run_id", "corpus", "recipe", "size") if c in runs]
    measured = table_files.load_table(file)
    return measured.drop(columns=[c for c in known[1:] if c in measured]).merge(runs[known], on="run_id")


def runs_without_curves(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The finished runs whose training curve is not among those of the folder."""
    done = finished_runs(runs)
    return done[~done["run_id"].isin(curves["run_id"].unique())]


def runs_to_come(path: Path, runs: pd.DataFrame) -> tuple[str, ...]:
    """The planned runs of a sweep's folder that have no row yet, as "384x8 at P = 8, seed 0"."""
    if "run_id" not in runs or not path.is_dir():
        return ()
    done = set(runs["run_id"])
    left = (file for file in (path / "configs").glob("*.json") if file.stem not in done)
    return tuple(sorted(map(_planned_run, left), key=_in_order))


def _planned_run(file: Path) -> str:
    """A planned run by size, P and seed, or by its file where that does not tell them."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        return f"{known['size']} at P = {known['model']['P']}, seed {known['seed']}"
    except (OSError, ValueError, KeyError, TypeError):
        return file.stem


def _in_order(name: str) -> list[int]:
    """The numbers of a name: width, layers, P, seed."""
    return [int(part) for part in re.findall(r"\d+", name)]


def remarks(
    path: Path, runs: pd.DataFrame, curves: pd.DataFrame | None, streams: pd.DataFrame | None
) -> Iterator[str]:
    """What a sweep's folder does not hold, in sentences."""
    first = is_first_stage(runs)
    if left := runs_to_come(path, runs):
        count = len(left)
        yield (
            f"{count} of {count + len(runs)} planned runs have no row yet (`parscale status {path}`); "
            "the sweep's command trains them"
        )
    if first.any():
        yield f"rows of recipe {FIRST_STAGE} are what every P goes on from: in the table of runs, in no fit"
    results = runs[~first]
    frozen = "recipe" in runs and (results["recipe"] == "peft").any() and not (results["P"] == 1).any()
    if frozen and (streams is None or "backbone" not in streams):
        yield (
            "no run of P = 1: it is the frozen backbone, which `parscale streams` measures together with the streams"
        )
    yield from _without_curves(results, curves)


def _without_curves(results: pd.DataFrame, curves: pd.DataFrame | None) -> Iterator[str]:
    """Which runs have no training curve."""
    if curves is None:
        yield "no curves.parquet in the folder of the runs: no training curves"
        return
    if len(lost := runs_without_curves(results, curves)):
        kind = (
            lost["size"].astype(str) + " at P = "
            if "size" in lost
            else "N = " + lost["N"].map("{:.4g} at P = ".format)
        )
        seed = ", seed " + lost["seed"].astype(str) if "seed" in lost else ""
        names = "; ".join(kind + lost["P"].map("{:g}".format) + seed)
        yield f"the training curves of {len(lost)} of {len(results)} runs are not in the folder: {names}"
