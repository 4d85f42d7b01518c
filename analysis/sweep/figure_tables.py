"""Worked out from fits and their runs, for figures and reports: residuals, intervals, profiles, backtests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import scaling
from analysis.figures.stream_gains import FittedK
from scaling.data.groups import backbones, corpus_name
from scaling.data.levels import size_levels
from scaling.data.units import count_labels
from scaling.selection.compare import largest_third
from scaling.selection.equivalent_size import predicted
from scaling.uncertainty.profile import Profile

POINTS = 25  # values of a coefficient at which its profile is taken


def _with_sizes(rows: pd.DataFrame) -> pd.DataFrame:
    """Where runs have no `size`, the N of its smallest run names each."""
    if "size" in rows and rows["size"].notna().all():
        return rows
    level = size_levels(rows)
    return rows.assign(size=np.array(count_labels(backbones(rows)))[level])


def residual_table(fits: Mapping[str, scaling.Fit], runs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Observed minus fitted loss of every run of each corpus."""
    parts = []
    for corpus, fitted in fits.items():
        rows = _with_sizes(runs[corpus])
        residual = rows["loss"].to_numpy(float) - predicted(fitted.law, rows)
        parts.append(rows.assign(residual=residual, corpus=corpus))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["N", "P", "residual"])


def interval_table(fits: Mapping[str, scaling.Fit], printed: pd.DataFrame | None = None) -> pd.DataFrame:
    """Each corpus' intervals, the fit's own and with runs taken for independent, with printed constants if any."""
    parts = []
    for corpus, fitted in fits.items():
        for label, method in (("as fitted", None), ("runs independent", Profile())):
            table = fitted.intervals(0.95, method).rename_axis("parameter").reset_index()
            table["label"] = f"{corpus_name(corpus)}, {label}".removeprefix(", ")
            if printed is not None:
                table["printed"] = printed.loc[corpus, table["parameter"].tolist()].to_numpy(float)
            parts.append(table)
    columns = ["parameter", "label", "estimate", "lower", "upper"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def fitted_k(fits: Mapping[str, scaling.Fit]) -> dict[str, FittedK]:
    """Eq 5's k, its 95% profile interval and what ended at a bound, by corpus."""
    found = {}
    for corpus, fit in fits.items():
        estimate, lower, upper = map(float, fit.intervals(0.95).loc["k"])
        found[corpus] = FittedK(estimate, lower, upper, fit.certificate.at_bound)
    return found


def _profile_grid(row: pd.Series[float], points: int, least: float) -> NDArray[np.float64]:
    """Values somewhat past both ends of an interval. An open end is drawn as far out as the other, twice.

    least: the coefficient's own bound, beyond which there is no fit to compare with.
    """
    middle, low, high = (float(row[name]) for name in ("estimate", "lower", "upper"))
    far = [abs(end - middle) for end in (low, high) if np.isfinite(end)]
    reach = 2 * max([*far, 0.05 * abs(middle)]) or 1.0  # at zero and open: one nat, or one of its own units
    low, high = (low if np.isfinite(low) else middle - reach), (high if np.isfinite(high) else middle + reach)
    margin = 0.2 * (high - low)
    grid = np.linspace(max(low - margin, least), high + margin, points)
    return np.union1d(grid, middle)


def profile_table(fits: Mapping[str, scaling.Fit]) -> pd.DataFrame:
    """The rise of the objective, in squared standard errors, with each coefficient held off its best."""
    parts = [pd.DataFrame(columns=["corpus", "parameter", "value", "rise"])]
    for corpus, fitted in fits.items():
        for name, row in fitted.intervals(0.95, Profile()).iterrows():
            log = name == "A"  # spreads over decades
            with np.errstate(divide="ignore"):  # an end at 0 is open on the logarithm
                ends = np.log(row) if log else row
            at = _profile_grid(ends, POINTS, -np.inf if log else 0.0)

            def one(laws: Any, name: str = str(name), log: bool = log) -> Any:
                value = np.asarray(getattr(laws, name))[:, None]
                return np.log(value) if log else value

            rise = Profile().curve(fitted, one, at)
            value = np.exp(at) if log else at
            parts.append(pd.DataFrame({"corpus": corpus, "parameter": name, "value": value, "rise": rise}))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def ensemble_rho_table(streams: pd.DataFrame, fits: Mapping[str, scaling.Fit]) -> pd.DataFrame:
    """The streams' gains with rho, the correlation that Proposition 1 reads from their slope.

    slope = (L_1 - E)(1 - rho), E that of the corpus' fit of Eq 5. Missing where there is no such fit,
    or its E is not below the loss of one stream.
    """
    table = streams.sort_values(["N", "P", "m"], kind="stable").reset_index(drop=True)
    corpus = table["corpus"] if "corpus" in table else pd.Series("", index=table.index)
    floors = {name: float(fitted.law.E) for name, fitted in fits.items()}  # type: ignore[attr-defined]
    E = corpus.map(floors).astype(float)
    single = table.groupby("run_id")["loss"].transform("first")  # m = 1 comes first
    slope = table.groupby("run_id")["line"].transform("last") / (1 - 1 / table["P"])
    return table.assign(rho=(1 - slope / (single - E)).where(single > E))


def backtest_table(fits: Mapping[str, scaling.Fit], runs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The law fitted without the largest P, then without the largest sizes, and asked for them.

    Which runs are held out is that of `backtest` and `compare` (`scaling.data.levels.held_out`). Splits that leave
    too few runs, or fewer than two P or sizes, are left out.
    """
    columns = ["corpus", "split", "N", "P", "loss", "held_out", "predicted", "error"]
    parts = [pd.DataFrame(columns=columns)]
    if runs and all("size" in rows for rows in runs.values()):
        columns.insert(2, "size")
    for corpus, fitted in fits.items():
        rows = runs[corpus]
        splits = {
            f"without the largest {axis}": pd.Series(largest_third(rows, axis), index=rows.index)
            for axis in ("P", "N")
        }
        for split, held in splits.items():
            kept = rows[~held]
            if not held.any() or kept["P"].nunique() < 2 or len(kept) <= len(fitted.form.free()):
                continue
            law = scaling.fit(fitted.form, kept, fitted.problem.objective).law
            part = rows.assign(corpus=corpus, split=split, held_out=held, predicted=predicted(law, rows))
            parts.append(part.assign(error=part["loss"] - part["predicted"])[columns])
    return pd.concat(parts[1:] or parts, ignore_index=True)
