"""What the page is about: each corpus' runs with the laws fitted to them, from fits, sweeps or tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import scaling
from analysis.explorer.law_grid import can_be_explored
from analysis.sweep import results
from scaling.data.columns.column_units import check_sizes
from scaling.data.groups import corpus_name
from scaling.data.query import WHOLE, Asked
from scaling.fitting.printed_constants import corpus_of
from scaling.fitting.table_notes import rising_note
from scaling.optimise.objectives import Objective


@dataclass(frozen=True)
class ExploredRuns:
    """Runs (columns N, P, loss) under one title, and the fits to them by law name."""

    title: str
    runs: pd.DataFrame
    fits: Mapping[str, scaling.Fit]


def mixed_notes(fit: scaling.Fit) -> tuple[str, ...]:
    """What a fit's runs say against fitting them as one: a loss that rises, rows of several kinds."""
    return tuple(filter(None, (rising_note(fit), *fit.certificate.table_notes)))


def read_sources(
    given: Sequence[Path | str | scaling.Fit], asked: Asked = WHOLE, objective: Objective | None = None
) -> list[ExploredRuns]:
    """Every source, in order; fits to the same runs are one source.

    given: fits, files of fits, sweep folders or tables of runs. asked: of a table; objective: of the fits
    made of one.
    """
    found: list[ExploredRuns] = []
    for one in given:
        if isinstance(one, scaling.Fit):
            parts = [_of_fit(one, "fit")]
        elif Path(one).suffix == ".json":
            parts = [_from_file(Path(one))]
        else:
            parts = _from_runs(Path(one), asked, objective)
        for part in parts:
            check_sizes(part.runs["N"].to_numpy(), str(one) if isinstance(one, str | Path) else "the fit")
            found = _merged(found, part)
    return found


def _from_file(path: Path) -> ExploredRuns:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give fits (write one with `parscale fit`) or sweeps")
    return _of_fit(scaling.Fit.load(path), str(path))


def _of_fit(fit: scaling.Fit, where: str) -> ExploredRuns:
    """A fit with its own runs; where: what an error calls it."""
    if "N" not in fit.law.axes or set(fit.law.axes) - {"N", "P"}:
        raise ValueError(
            f"{where}: {fit.form.__name__} needs {', '.join(fit.law.axes)}; "
            "the page explores laws of N and P: fit one of those"
        )
    if not can_be_explored(fit):
        raise ValueError(
            f"{where}: {fit.law} is not finite from N = 100 to 1000T ({fit.certificate.detail}): fit other runs"
        )
    law, corpus = _law_name(fit), corpus_of(fit)
    title = corpus_name(corpus) if corpus else Path(where).stem.removeprefix(f"{law}-")
    streams = fit.axes["P"] if "P" in fit.law.axes else np.ones(fit.loss.size)
    runs = pd.DataFrame({"N": fit.axes["N"], "P": streams, "loss": fit.loss})
    return ExploredRuns(title, runs, {law: fit})


def _law_name(fit: scaling.Fit) -> str:
    """The name the command line knows a fit's law by; a user's own law goes by its class."""
    own = fit.form.__name__
    return next((name for name, law in scaling.REGISTRY.items() if law.__name__ == own), own)


def _from_runs(path: Path, asked: Asked, objective: Objective | None) -> list[ExploredRuns]:
    seen = results.read_sweep(path, objective, asked)
    out = []
    for corpus, by_law in seen.fits.items():
        runs = seen.of(corpus)
        fits = {name: fit for name, fit in by_law.items() if can_be_explored(fit)}
        if fits:
            title = corpus_name(corpus) or path.stem
            out.append(ExploredRuns(title, runs[["N", "P", "loss"]].astype(float), fits))
    if not out:
        done = sum(len(seen.of(corpus)) for corpus in seen.fits)
        why = "no finished run" if not done else f"{done} finished runs are too few to fit a law"
        raise ValueError(f"{path}: {why} ({len(seen.runs)} in the table); see `parscale status {path}`")
    return out


def _merged(found: list[ExploredRuns], part: ExploredRuns) -> list[ExploredRuns]:
    """`found` with one more source, added to the one with the same runs where there is one."""
    for i, known in enumerate(found):
        same = len(known.runs) == len(part.runs) and np.array_equal(
            known.runs[["N", "loss"]].to_numpy(), part.runs[["N", "loss"]].to_numpy()
        )
        if same:
            # A law that ignores P was fitted without it: the other table knows the streams.
            runs = known.runs if known.runs["P"].max() > 1 else part.runs
            joined = ExploredRuns(known.title, runs, {**known.fits, **part.fits})
            return [*found[:i], joined, *found[i + 1 :]]
    return [*found, part]
