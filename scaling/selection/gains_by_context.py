"""Where in the text a change with P is: in what can be copied from context, or in what must be known.

Reads the table of `parscale context`: by run, loss_PART and share_PART (`sweeps.inspect.loss_by_context`
says what the parts are). Each part's loss is treated as `scaling.selection.paired_gains` treats the whole's.
"""

from __future__ import annotations

import pandas as pd

from scaling.data.groups import split_by_corpus
from scaling.fitting.fit import fit
from scaling.laws import ParallelLaw
from scaling.optimise.multi_start import FitError
from scaling.optimise.objectives import LeastSquares
from scaling.selection import paired_gains
from scaling.selection.paired_gains import mean_changes, noise_over_seeds
from scaling.uncertainty.prediction import default_method


def parts(table: pd.DataFrame) -> list[str]:
    """The parts of the text that the table tells apart."""
    names = [str(c).removeprefix("share_") for c in table if str(c).startswith("share_")]
    return [name for name in names if f"loss_{name}" in table]


def changes(table: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """The rows of `scaling.selection.paired_gains.mean_changes` for every part: part, share (of the text) and its columns.

    Nothing here is worth parameters: a part has no law of N of its own.
    """
    found = []
    for part in parts(table):
        rows = mean_changes(table.assign(loss=table[f"loss_{part}"]), level)
        rows.insert(0, "part", part)
        found.append(rows.assign(share=float(table[f"share_{part}"].mean())))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["part"])


def context_pairs(table: pd.DataFrame) -> pd.DataFrame:
    """The changes that `changes` averages, each seed's: the columns of `scaling.selection.paired_gains.pairs`, and part."""
    found = [
        paired_gains.pairs(table.assign(loss=table[f"loss_{part}"])).assign(part=part)
        for part in parts(table)
    ]
    return pd.concat(found, ignore_index=True)


def noise(table: pd.DataFrame) -> pd.DataFrame:
    """How far seeds scatter in each part: `scaling.selection.paired_gains.noise_over_seeds` with the part's name."""
    found = [
        noise_over_seeds(table.assign(loss=table[f"loss_{part}"])).assign(part=part) for part in parts(table)
    ]
    return pd.concat(found, ignore_index=True)


def context_worth(table: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """The k of Eq 5 (arXiv 2505.10475) fitted to each part's losses by least squares, where they allow it.

    Columns: corpus, part, k, lower, upper (profile interval), status of the fit; k is missing where
    it is not identifiable.
    """
    rows = []
    for corpus, runs in split_by_corpus(table).items():
        for part in parts(runs):
            try:
                fitted = fit(ParallelLaw, runs.assign(loss=runs[f"loss_{part}"]), LeastSquares())
            except FitError:  # fewer runs than parameters
                continue
            known = fitted.determined
            ends = (
                list(default_method(fitted).parameters(fitted, level, ["k"]).loc["k"])
                if known
                else [float("nan")] * 3
            )
            rows.append((corpus, part, *ends, str(fitted.status)))
    return pd.DataFrame(rows, columns=["corpus", "part", "k", "lower", "upper", "status"])
