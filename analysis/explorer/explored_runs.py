"""What the page is about: each corpus' runs with the laws fitted to them, from fits, sweeps or tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

import scaling
from analysis.explorer.law_grid import can_be_explored
from analysis.explorer.law_pool import LawPool, pool_of
from analysis.explorer.page_axes import PageAxis, page_axes
from analysis.sweep import results
from scaling.data.columns.column_units import check_sizes
from scaling.data.groups import corpus_name, split_by_corpus
from scaling.data.query import WHOLE, Asked
from scaling.fitting.printed_constants import corpus_of
from scaling.fitting.table_notes import rising_note
from scaling.laws import axes_of_laws
from scaling.laws.base import LawForm
from scaling.optimise.objectives import Objective
from scaling.selection.compare import laws_of

LEVEL = 0.95  # of every interval on the page


@dataclass(frozen=True)
class ExploredRuns:
    """Runs (a column an axis, and loss) under one title, and the fits to them by law name."""

    title: str
    runs: pd.DataFrame
    fits: Mapping[str, scaling.Fit]

    @cached_property
    def axes(self) -> dict[str, PageAxis]:
        """The axes of the page."""
        return page_axes(self.runs, [fit.law for fit in self.fits.values()])

    @cached_property
    def pool(self) -> LawPool:
        """The laws together, with the evidence for each."""
        return pool_of(self.runs, self.fits, self.axes, LEVEL)

    @cached_property
    def verdict(self) -> scaling.Verdict:
        """What the runs say, by the paper's law where it was fitted."""
        found: scaling.Verdict = scaling.verdict(self.fits.get("parallel", self.first), level=LEVEL)
        return found

    @cached_property
    def first_law(self) -> str:
        """The law shown first: the paper's, unless it is missing or in doubt and another is not."""
        order = sorted(
            self.fits, key=lambda name: (self.fits[name].status != "converged", name != "parallel")
        )
        return order[0]

    @property
    def first(self) -> scaling.Fit:
        """The fit of that law."""
        return self.fits[self.first_law]


def mixed_notes(fit: scaling.Fit) -> tuple[str, ...]:
    """What a fit's runs say against fitting them as one: a loss that rises, rows of several kinds."""
    return tuple(filter(None, (rising_note(fit), *fit.certificate.table_notes)))


def read_sources(
    given: Sequence[Path | str | scaling.Fit],
    asked: Asked = WHOLE,
    objective: Objective | None = None,
    laws: Sequence[LawForm] = (),
) -> list[ExploredRuns]:
    """Every source, in order; fits to the same runs are one source.

    given: fits, files of fits, sweep folders or tables of runs. asked: of a table. objective: of the fits made of one.
    laws: the ones to fit, by default those of every axis that varies.
    """
    found: list[ExploredRuns] = []
    for one in given:
        if isinstance(one, scaling.Fit):
            parts = [_of_fit(one, _law_name(one))]
        elif Path(one).suffix == ".json":
            parts = [_from_file(Path(one))]
        elif laws:
            parts = _fitted(Path(one), asked.read(one, axes_of_laws(laws)), laws, objective)
        else:
            parts = _over_all_axes(Path(one), asked, objective) or _from_runs(Path(one), asked, objective)
        for part in parts:
            if "N" in part.runs:
                where = str(one) if isinstance(one, str | Path) else "the fit"
                check_sizes(part.runs["N"].to_numpy(), where)
            found = _merged(found, part)
    return found


def _over_all_axes(path: Path, asked: Asked, objective: Objective | None) -> list[ExploredRuns]:
    """A table over other axes than N and P by the registered laws with most axes. Empty if the runs determine none."""
    table = results.read_results(path, asked)
    try:
        known = laws_of(table)
    except scaling.FitError:
        return []
    most = max(len(law.axes) for law in known)
    wide = [law for law in known if len(law.axes) == most and set(law.axes) - {"N", "P"}]
    parts = _fitted(path, table, wide, objective) if wide else []
    return parts if any(part.first.determined for part in parts) else []


def _fitted(
    path: Path, table: pd.DataFrame, laws: Sequence[LawForm], objective: Objective | None
) -> list[ExploredRuns]:
    """Laws fitted to each corpus of a table; ValueError, with the reason, where none can be."""
    found: list[ExploredRuns] = []
    why = "no finished run"
    for corpus, rows in split_by_corpus(table).items():
        for law in laws:
            try:
                part = _of_fit(scaling.fit(law, rows, objective), path.stem)
            except ValueError as error:  # a FitError too
                why = str(error)
            else:
                found = _merged(found, replace(part, title=corpus_name(corpus) or path.stem))
    if not found:
        raise ValueError(f"{path}: {why}")
    return found


def _from_file(path: Path) -> ExploredRuns:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give fits (write one with `parscale fit`) or sweeps")
    return _of_fit(scaling.Fit.load(path), str(path))


def _of_fit(fit: scaling.Fit, where: str) -> ExploredRuns:
    """A fit with its own runs. where: what an error calls it."""
    law, corpus = _law_name(fit), corpus_of(fit)
    title = corpus_name(corpus) if corpus else Path(where).name.removesuffix(".json").removeprefix(f"{law}-")
    runs = pd.DataFrame({**fit.axes, "loss": fit.loss})
    if not can_be_explored(fit, page_axes(runs, [fit.law])):
        raise ValueError(
            f"{where}: {fit.law} is not finite around its runs ({fit.certificate.detail}): fit other runs"
        )
    return ExploredRuns(title, runs, {law: fit})


def _law_name(fit: scaling.Fit) -> str:
    """The name the command line knows a fit's law by. A user's own law goes by its class."""
    own = fit.form.__name__
    return next((name for name, law in scaling.REGISTRY.items() if law.__name__ == own), own)


def _from_runs(path: Path, asked: Asked, objective: Objective | None) -> list[ExploredRuns]:
    seen = results.read_sweep(path, objective, asked)
    out = []
    for corpus, by_law in seen.fits.items():
        runs = seen.of(corpus)[["N", "P", "loss"]].astype(float)
        axes = page_axes(runs, [fit.law for fit in by_law.values()]) if len(runs) else {}
        fits = {name: fit for name, fit in by_law.items() if can_be_explored(fit, axes)}
        if fits:
            out.append(ExploredRuns(corpus_name(corpus) or path.stem, runs, fits))
    if not out:
        done = sum(len(seen.of(corpus)) for corpus in seen.fits)
        why = "no finished run" if not done else f"{done} finished runs are too few to fit a law"
        raise ValueError(f"{path}: {why} ({len(seen.runs)} in the table); see `parscale status {path}`")
    return out


def _merged(found: list[ExploredRuns], part: ExploredRuns) -> list[ExploredRuns]:
    """`found` with one more source, added to the one with the same runs where there is one."""
    for i, known in enumerate(found):
        shared = [name for name in known.runs if name in part.runs]
        same = len(known.runs) == len(part.runs) and np.array_equal(known.runs[shared], part.runs[shared])
        if same and len(shared) > 1:
            # A law that ignores P was fitted without it: the other table knows the streams.
            more = part.runs.drop(columns=shared)
            runs = pd.concat([known.runs.drop(columns="loss"), more, known.runs["loss"]], axis=1)
            joined = ExploredRuns(known.title, runs, {**known.fits, **part.fits})
            return [*found[:i], joined, *found[i + 1 :]]
    return [*found, part]
