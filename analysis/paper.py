"""What is worked out from the published numbers: fits, equivalents, backtests, costs, profiles, intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import scaling
from analysis.cost_table import cost_table
from analysis.equivalent import equivalents, equivalents_by_points
from analysis.figures.common import corpus_name
from analysis.hardware import A100, H100, H200, LAPTOP
from analysis.published import Published
from analysis.shapes import shape_of
from analysis.training_cost import training_costs
from scaling.uncertainty import Profile

STACK = "stack-v2-python"
# The laws of N and P, by the names the command line knows them by.
LAWS = (
    "parallel",
    "diversity",
    "power",
    "additive",
    "additive-half",
    "saturating",
    "log-multiplicative",
    "dense",
)


@dataclass(frozen=True)
class Inputs:
    """The published numbers and every fit to them, by (corpus, law)."""

    published: Published
    fits: Mapping[tuple[str, str], scaling.Fit]

    @property
    def parallel(self) -> dict[str, scaling.Fit]:
        """The fit of Eq 5 to each corpus."""
        return {corpus: fitted for (corpus, law), fitted in self.fits.items() if law == "parallel"}

    @property
    def laws(self) -> dict[str, Any]:
        """The law of Eq 5 fitted to each corpus."""
        return {corpus: fitted.law for corpus, fitted in self.parallel.items()}


def fit_all(losses: pd.DataFrame) -> dict[tuple[str, str], scaling.Fit]:
    """Every law of N and P fitted to every corpus."""
    return {
        (str(corpus), law): scaling.fit(scaling.by_name(law), runs)
        for corpus, runs in losses.groupby("corpus", sort=False)
        for law in LAWS
    }


def equivalents_table(inputs: Inputs) -> pd.DataFrame:
    """For every published (N, P): equivalent size by law with interval, and by the points."""
    parts = []
    for corpus, fitted in inputs.parallel.items():
        runs = inputs.published.corpus(corpus)
        asked = runs[runs["P"] > 1]
        table = equivalents(fitted, N=asked["N"], P=asked["P"], data=runs)
        points = equivalents_by_points(runs)[["N", "P", "equivalent_N"]]
        named = points.rename(columns={"equivalent_N": "by_points"}).astype({"N": float, "P": float})
        parts.append(table.merge(named, how="left", on=["N", "P"]).assign(corpus=corpus))
    return pd.concat(parts, ignore_index=True)


def backtest_table(inputs: Inputs) -> pd.DataFrame:
    """Eq 5 fitted without the largest P, then without the largest sizes, and asked for them."""
    parts = []
    for corpus in inputs.parallel:
        runs = inputs.published.corpus(corpus)
        for split, held in (("fitted on P \u2264 4", runs["P"] > 4), ("fitted on N < 2B", runs["N"] > 2e9)):
            law = scaling.fit(scaling.ParallelLaw, runs[~held]).law
            predicted = np.asarray(law.predict(N=runs["N"].to_numpy(), P=runs["P"].to_numpy()))
            part = runs[["corpus", "size", "N", "P", "loss"]].assign(split=split, held_out=held)
            parts.append(part.assign(predicted=predicted, error=predicted - runs["loss"]))
    return pd.concat(parts, ignore_index=True)


def cost_rows(given: Published) -> pd.DataFrame:
    """Cost of every published model on four machines."""
    stack = given.corpus(STACK)
    parts = [
        cost_table(stack, given.architectures, hardware=device).assign(hardware=device.name)
        for device in (A100, H100, H200, LAPTOP)
    ]
    return pd.concat(parts, ignore_index=True)


def training_rows(given: Published) -> pd.DataFrame:
    """Training cost of the 1.6B model at every P on A100s, with and without checkpointing."""
    shape = shape_of("1.6B", given.architectures).accounting()
    rows = training_costs(shape, D=42e9, batch=8, devices=64)
    return pd.DataFrame([vars(row) for row in rows])


def profile_table(inputs: Inputs, points: int = 25, level: float = 0.95) -> pd.DataFrame:
    """The rise of the objective, in squared standard errors, with each coefficient held off its best."""
    parts = []
    for corpus, fitted in inputs.parallel.items():
        for name, (_, lower, upper) in fitted.intervals(level).iterrows():
            log = name == "A"  # spreads over decades
            ends = np.log([lower, upper]) if log else np.array([lower, upper])
            margin = 0.2 * (ends[1] - ends[0])
            at = np.linspace(ends[0] - margin, ends[1] + margin, points)

            def one(laws: Any, name: str = str(name), log: bool = log) -> Any:
                value = np.asarray(getattr(laws, name))[:, None]
                return np.log(value) if log else value

            rise = Profile().curve(fitted, one, at)
            value = np.exp(at) if log else at
            parts.append(pd.DataFrame({"corpus": corpus, "parameter": name, "value": value, "rise": rise}))
    return pd.concat(parts, ignore_index=True)


def interval_table(inputs: Inputs) -> pd.DataFrame:
    """Profile and covariance intervals of both corpora beside the printed constants."""
    parts = []
    for corpus, fitted in inputs.parallel.items():
        for label, method in (("profile", Profile()), ("covariance", scaling.Covariance())):
            table = fitted.intervals(0.95, method).rename_axis("parameter").reset_index()
            told = inputs.published.constants.loc[corpus, table["parameter"].tolist()]
            parts.append(table.assign(label=f"{corpus_name(corpus)}, {label}", printed=told.to_numpy(float)))
    return pd.concat(parts, ignore_index=True)


def residual_table(inputs: Inputs) -> pd.DataFrame:
    """Observed minus fitted loss of every run under Eq 5."""
    parts = []
    for corpus, fitted in inputs.parallel.items():
        runs = inputs.published.corpus(corpus)
        parts.append(runs.assign(residual=fitted.residuals))
    return pd.concat(parts, ignore_index=True)
