"""A runs table with all that is fitted to it: what the figures of a sweep and its report are made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling
from analysis.paper.refit import LAWS
from analysis.sweep import sweep_folder
from scaling.data.groups import corpus_name, split_by_corpus
from scaling.data.query import WHOLE, Asked, mixed
from scaling.data.runs import SECOND_STAGE, finished_runs
from scaling.optimise.objectives import Objective
from scaling.selection.equivalent_size import equivalents, equivalents_by_points

LEVEL = 0.95
BEYOND = 8  # how many times past the largest P that was run the equivalents are drawn


@dataclass(frozen=True)
class SweepResults:
    """Runs, curves where there are any, and the fits by corpus and law; `missing` says what there is not.

    `runs` holds results; `table` every row, the first stages of two-stage runs too.
    """

    source: str
    table: pd.DataFrame
    runs: pd.DataFrame
    curves: pd.DataFrame | None
    fits: Mapping[str, Mapping[str, scaling.Fit]]
    missing: tuple[str, ...]
    streams: pd.DataFrame | None = None  # what `parscale streams` wrote next to the runs
    context: pd.DataFrame | None = None  # what `parscale context` wrote
    objective: Objective | None = None  # of every fit; None: each one's own default
    to_come: tuple[str, ...] = ()  # planned runs that have no row yet, by name

    @property
    def parallel(self) -> dict[str, scaling.Fit]:
        """The fit of Eq 5 by corpus, where there is one."""
        return {corpus: by_law["parallel"] for corpus, by_law in self.fits.items() if "parallel" in by_law}

    @property
    def sound(self) -> dict[str, scaling.Fit]:
        """The fits of Eq 5 whose intervals are worth drawing: converged, or at a bound, then one-sided."""
        worth = (scaling.Status.CONVERGED, scaling.Status.AT_BOUND)
        return {corpus: fitted for corpus, fitted in self.parallel.items() if fitted.status in worth}

    @property
    def determined(self) -> dict[str, scaling.Fit]:
        """The fits of Eq 5 whose constants the runs determine: what they say of streams may be drawn."""
        return {c: f for c, f in self.parallel.items() if f.determined}

    @property
    def notes(self) -> dict[str, str]:
        """What a figure says of a fit that did not simply converge: a line a coefficient at its bound."""
        doubtful = {c: f for c, f in self.parallel.items() if f.status != scaling.Status.CONVERGED}
        return {
            c: "\n".join(one_sided(f)) or f"in doubt: {f.certificate.detail.split(';')[0]}"
            for c, f in doubtful.items()
        }

    @property
    def counted(self) -> str:
        """How many of the runs finished, first stages too: "19 of 23 planned runs finished", "80 runs"."""
        every, gone = len(self.table) + len(self.to_come), len(self.runs) - len(finished_runs(self.runs))
        done = len(self.table) - gone
        what = f"{'planned ' * bool(self.to_come)}run{'s' * (every != 1)}"
        return f"{every} {what}" if done == every else f"{done} of {every} {what} finished"

    @cached_property
    def gained(self) -> pd.DataFrame:
        """The table of `scaling.gains`; ValueError where runs cannot be paired."""
        return scaling.gains(self.runs).table

    @cached_property
    def verdicts(self) -> dict[str, scaling.Verdict]:
        """What each corpus' runs say, by the law of Eq 5 where it may be asked, else by that of the axes that vary."""
        found = {}
        for corpus, rows in split_by_corpus(self.runs).items():
            fitted = self.parallel.get(corpus)
            if (
                fitted is not None
                and fitted.determined
                and not mixed(finished_runs(rows), keep=slice(None)).get("D")
            ):
                found[corpus] = fitted.verdict(LEVEL)
            else:
                found[corpus] = scaling.verdict(rows, objective=self.objective, level=LEVEL)
        return found

    @cached_property
    def rejected(self) -> frozenset[str]:
        """The corpora whose verdict on the law of Eq 5 is no: it is not drawn far beyond their runs."""
        of_P = (corpus for corpus in self.determined if "P" in self.verdicts[corpus].fit.law.axes)  # type: ignore[union-attr]
        return frozenset(corpus for corpus in of_P if self.verdicts[corpus].law.answer == "no")

    def of(self, corpus: str) -> pd.DataFrame:
        """The finished runs of one corpus."""
        return finished_runs(split_by_corpus(self.runs)[corpus])


def one_sided(fitted: scaling.Fit) -> list[str]:
    """What a fit at a bound still says, e.g. ["k = 0, at its bound; 95% interval up to 0.0487"]."""
    if fitted.status != scaling.Status.AT_BOUND:
        return []
    ends: dict[Any, Any] = fitted.intervals(0.95).to_dict("index")
    parts = []
    for name in (name for name in fitted.certificate.at_bound if name in ends):
        value, low, high = ends[name]["estimate"], ends[name]["lower"], ends[name]["upper"]
        end, side = (high, "up") if high > value else (low, "down")
        side = f"{side} to {end:.3g}" if np.isfinite(end) else f"open {side}wards"
        parts.append(f"{name} = {value:.3g}, at its bound; 95% interval {side}")
    return parts


def read_sweep(source: Path | str, objective: Objective | None = None, asked: Asked = WHOLE) -> SweepResults:
    """Read a sweep folder or a runs table and fit every law of N and P to each corpus.

    Where recipes are mixed each is fitted on its own: `corpus` then reads "corpus, recipe". Where one size
    goes on from several checkpoints, `size` tells them apart. A law that cannot be fitted is named in
    `missing` with the reason. The rest is there all the same. objective: that of `scaling.fit` unless given.
    asked: which columns and rows of the table.
    """
    path = Path(source)
    table = read_table(path, asked)
    runs = table[~sweep_folder.is_first_stage(table)]
    missing: list[str] = []
    parts = split_by_corpus(runs).items()
    fits = {corpus: _fit_all(corpus, rows, missing, objective) for corpus, rows in parts}
    gone = len(runs) - len(finished_runs(runs))
    if gone:
        missing.append(
            f"{gone} of {len(runs)} runs diverged or did not finish: kept in the table, not fitted"
        )
    curves = sweep_folder.read_curves(path, table)
    streams = sweep_folder.read_measured(path, runs, sweep_folder.STREAMS)
    context = sweep_folder.read_measured(path, runs, sweep_folder.CONTEXT)
    missing += sweep_folder.remarks(path, table, curves, streams)
    left = sweep_folder.runs_to_come(path, table)
    return SweepResults(
        str(source), table, runs, curves, fits, tuple(missing), streams, context, objective, left
    )


def read_table(path: Path, asked: Asked = WHOLE) -> pd.DataFrame:
    """Every row of a sweep folder or runs table, recipes kept apart. A folder without runs is refused."""
    if path.is_dir() and not (path / "runs.parquet").exists():
        raise ValueError(
            f"{path}: no finished run in it (no runs.parquet); see `parscale status {path}` if it is a sweep"
        )
    return _by_base(_by_recipe(asked.read(path)))


def read_results(source: Path | str, asked: Asked = WHOLE) -> pd.DataFrame:
    """The rows that are results: without the first stages of two-stage runs."""
    table = read_table(Path(source), asked)
    return table[~sweep_folder.is_first_stage(table)]


def _by_recipe(table: pd.DataFrame) -> pd.DataFrame:
    """Where recipes are mixed, corpus reads "corpus, recipe"; a first stage goes with its second."""
    if "recipe" not in table:
        return table
    recipe = table["recipe"].astype(str).mask(sweep_folder.is_first_stage(table), SECOND_STAGE)
    if len(recipe.unique()) < 2:
        return table
    return table.assign(corpus=(table["corpus"].astype(str) + ", " if "corpus" in table else "") + recipe)


def _by_base(table: pd.DataFrame) -> pd.DataFrame:
    """Where runs of one size go on from several given checkpoints, size reads "SIZE from CHECKPOINT"."""
    if not {"config", "size"} <= set(table):
        return table
    base = table["config"].map(_base)
    same = [table[name] for name in ("corpus", "size") if name in table]
    several = base.where(base != "").groupby(same).transform("nunique") > 1
    return table.assign(size=table["size"].where(~several, table["size"].astype(str) + " from " + base))


def _base(config: Any) -> str:
    """The start of the hash of the checkpoint that a run was given to go on from. Nothing for other runs."""
    try:
        known = json.loads(config)
    except (TypeError, ValueError):
        return ""
    return str(known.get("parent_hash", ""))[:8] if isinstance(known, dict) else ""


def _fit_all(
    corpus: str, rows: pd.DataFrame, missing: list[str], objective: Objective | None
) -> dict[str, scaling.Fit]:
    """Every law that the rows allow."""
    done = len(finished_runs(rows)) > 0
    found, too_many = {}, [] if done else list(LAWS)
    for law in LAWS if done else ():
        try:
            found[law] = scaling.fit(scaling.by_name(law), rows, objective)
        except scaling.FitError:  # fewer runs than parameters, the one way a fit has no answer
            too_many.append(law)
    where = f"{corpus_name(corpus)}: ".removeprefix(": ")
    if "D" in rows and len(finished_runs(rows)["D"].dropna().unique()) > 1:
        apart = "--where D=... takes one; `parscale compare` ranks laws of D"
        missing.append(
            f"{where}laws of N and P fit runs of more than one D as if they were one budget: {apart}"
        )
    if too_many:
        count = f"{len(finished_runs(rows))} finished runs are too few to fit {', '.join(too_many)}"
        missing.append(where + count)
    if "parallel" in found and found["parallel"].status != scaling.Status.CONVERGED:
        detail, bound = found["parallel"].certificate.detail, "; ".join(one_sided(found["parallel"]))
        missing.append(f"{where}ParallelLaw is in doubt: {detail}" + (f" ({bound})" if bound else ""))
    return found


def equivalent_tables(sweep: SweepResults) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Equivalents at each corpus' middle size, and by the points: out to BEYOND times the largest P, within the runs
    where the law is rejected.
    """
    curves, points = {}, {}
    for corpus, fitted in sweep.determined.items():
        runs = sweep.of(corpus)
        sizes = np.sort(runs["N"].unique())
        last = runs["P"].max() * (1 if corpus in sweep.rejected else BEYOND)
        streams = np.union1d(np.geomspace(1, last, 24), runs["P"].unique())
        known: Any = fitted if corpus in sweep.sound else fitted.law
        curves[corpus] = equivalents(known, N=sizes[len(sizes) // 2], P=streams, data=runs)
        points[corpus] = equivalents_by_points(runs)
    return curves, points
