"""What the page is about: each corpus' runs with the laws fitted to them, from fits, sweeps or tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import scaling
from analysis.sweep import results
from scaling.data.groups import corpus_name
from scaling.data.query import WHOLE, Asked
from scaling.fitting.printed_constants import corpus_of
from scaling.optimise.objectives import Objective


@dataclass(frozen=True)
class Source:
    """Runs (columns N, P, loss) under one title, and the fits to them by law name."""

    title: str
    runs: pd.DataFrame
    fits: Mapping[str, scaling.Fit]


def read_sources(
    paths: Sequence[Path | str], asked: Asked = WHOLE, objective: Objective | None = None
) -> list[Source]:
    """Every source named, in order; fit files to the same runs are one source.

    asked: of a table; objective: of the fits made of one.
    """
    found: list[Source] = []
    for given in paths:
        path = Path(given)
        parts = _from_runs(path, asked, objective) if path.suffix != ".json" else [_from_fit(path)]
        for part in parts:
            found = _merged(found, part)
    return found


def _from_fit(path: Path) -> Source:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give fits (write one with `parscale fit`) or sweeps")
    fit = scaling.Fit.load(path)
    if set(fit.law.axes) - {"N", "P"}:
        raise ValueError(
            f"{path}: {fit.form.__name__} needs {', '.join(fit.law.axes)}; "
            "the page explores laws of N and P: fit one of those"
        )
    if not finite(fit):
        raise ValueError(f"{path}: {fit.law} has a constant that is not finite ({fit.certificate.detail})")
    law, corpus = _law_name(fit, path), corpus_of(fit)
    title = corpus_name(corpus) if corpus else path.stem.removeprefix(f"{law}-")
    streams = fit.axes["P"] if "P" in fit.law.axes else np.ones(fit.loss.size)
    runs = pd.DataFrame({"N": fit.axes["N"], "P": streams, "loss": fit.loss})
    return Source(title, runs, {law: fit})


def finite(fit: scaling.Fit) -> bool:
    """Whether the page can evaluate a fit: where N takes one value constants may run off to infinity."""
    return all(bool(np.isfinite(v).all()) for part in fit.law.to_linear() for v in part)


def _law_name(fit: scaling.Fit, path: Path) -> str:
    """The name the command line knows a fit's law by."""
    for name, law in scaling.REGISTRY.items():
        if law.__name__ == fit.form.__name__:
            return name
    if fit.form.__name__.partition("(")[0] in {law.__name__ for law in scaling.REGISTRY.values()}:
        return fit.form.__name__
    raise ValueError(f"{path}: {fit.form.__name__} is a law of your own, which the page cannot evaluate")


def _from_runs(path: Path, asked: Asked, objective: Objective | None) -> list[Source]:
    seen = results.read(path, objective, asked)
    out = []
    for corpus, by_law in seen.fits.items():
        runs = seen.of(corpus)
        fits = {name: fit for name, fit in by_law.items() if finite(fit)}
        if fits:
            title = corpus_name(corpus) or path.stem
            out.append(Source(title, runs[["N", "P", "loss"]].astype(float), fits))
    if not out:
        done = sum(len(seen.of(corpus)) for corpus in seen.fits)
        why = "no finished run" if not done else f"{done} finished runs are too few to fit a law"
        raise ValueError(f"{path}: {why} ({len(seen.runs)} in the table); see `parscale status {path}`")
    return out


def _merged(found: list[Source], part: Source) -> list[Source]:
    """`found` with one more source, added to the one with the same runs where there is one."""
    for i, known in enumerate(found):
        same = len(known.runs) == len(part.runs) and np.array_equal(
            known.runs[["N", "loss"]].to_numpy(), part.runs[["N", "loss"]].to_numpy()
        )
        if same:
            # A law that ignores P was fitted without it: the other table knows the streams.
            runs = known.runs if known.runs["P"].max() > 1 else part.runs
            joined = Source(known.title, runs, {**known.fits, **part.fits})
            return [*found[:i], joined, *found[i + 1 :]]
    return [*found, part]
