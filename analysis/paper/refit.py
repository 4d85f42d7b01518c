"""What is worked out from the published numbers: fits, comparison, equivalents, costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

import scaling
from analysis.costs.cost_table import cost_table
from analysis.costs.hardware import A100, H100, H200, LAPTOP
from analysis.costs.shapes import shape_of
from analysis.costs.training_cost import training_costs
from analysis.paper.published_numbers import STACK, Published
from scaling.selection.equivalent_size import beside_points

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
    def runs(self) -> dict[str, pd.DataFrame]:
        """The published runs of each corpus."""
        return {corpus: self.published.corpus(corpus) for corpus in self.parallel}

    @cached_property
    def verdicts(self) -> dict[str, scaling.Verdict]:
        """What is to be said of the fit of Eq 5 to each corpus."""
        return {corpus: fitted.verdict() for corpus, fitted in self.parallel.items()}

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
    parts = [beside_points(fit, inputs.runs[c]).assign(corpus=c) for c, fit in inputs.parallel.items()]
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


def comparison_table(inputs: Inputs) -> pd.DataFrame:
    """Every law on every corpus, best first: `scaling.compare` with the corpus in front."""
    parts = []
    for corpus, runs in inputs.runs.items():
        found = scaling.compare([scaling.by_name(law) for law in LAWS], runs).table.reset_index()
        found.insert(0, "corpus", corpus)
        parts.append(found)
    return pd.concat(parts, ignore_index=True)
