"""Published exponents of optima: laws of what is best at a budget or a size, refitted to published points or runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.atlas.entries import cited, printed_of
from analysis.atlas.judged import LEVEL, rounding
from analysis.output import figure_style
from scaling.allocation.power_law import PowerLaw
from scaling.allocation.tuned_optimum import tuned_optimum
from scaling.data.published_tables import published


@dataclass(frozen=True, eq=False)
class Exponents:
    """Exponents of an entry. `constants`: one row each with printed, ours, lower, upper, and inside (printed in the interval)."""

    name: str
    table: str
    where: str
    constants: pd.DataFrame

    @property
    def says(self) -> str:
        """Whether the printed exponents are ours as rounded, and otherwise how many lie in the intervals of ours."""
        table, inside = self.constants, self.constants["inside"]
        half = (table["upper"] - table["lower"]) / 2
        ends = sorted({f"±{half.min():.2g}", f"±{half.max():.2g}"})
        width = " to ".join(ends)
        round_to = [rounding(text) for text in table["printed"]]
        if all(low <= ours <= high for (low, high), ours in zip(round_to, table["ours"], strict=True)):
            return f"reproduced: lines through the printed optima have the printed exponents (our {LEVEL:.0%} intervals: {width})"
        return f"{inside.sum()} of {len(inside)} printed exponents in our {LEVEL:.0%} intervals ({width})"

    @property
    def row(self) -> dict[str, object]:
        """A line of the atlas. Columns that do not apply are empty."""
        return {
            "entry": self.name, "law": "power law of the optimum", "constants": self.says,
            "source": cited(self.where, self.table),
        }  # fmt: skip

    def figure(self) -> Figure:
        """Exponents as printed and as refitted with their intervals, a row each."""
        table, place = self.constants, np.arange(len(self.constants))
        figure, (axes,) = figure_style.new_figure(height=0.8 + 0.5 * len(table))
        with figure_style.house_style():
            reach = np.abs(table[["lower", "upper"]].to_numpy(float).T - table["ours"].to_numpy(float))
            axes.errorbar(
                table["ours"], place, xerr=reach, fmt="o", ms=4, label=f"refitted, {LEVEL:.0%} interval"
            )
            axes.plot(table["printed"].astype(float), place, "s", ms=4, mfc="none", label="as printed")
            axes.set_yticks(place, table["parameter"])
            axes.margins(y=0.4)
            axes.set(xlabel="exponent")
            axes.legend(fontsize=7)
        return figure


def all_exponents() -> list[Exponents]:
    """Every entry of exponents."""
    return [*_budgets(), _tuned()]


def _budgets() -> list[Exponents]:
    """Optimal N and D against compute, by which parameters are counted."""
    table = published("isoflop-optima")
    counts = {
        "transformer and head": "kaplan (transformer+lm_head)", "all parameters": "chinchilla (all)",
        "transformer only": "transformer only",
    }  # fmt: skip
    found = []
    for count, theirs in counts.items():
        name, part = f"nanochat, {count}", table[table.param_count == theirs]
        C = np.log(part.flops.to_numpy(float))
        laws = {
            axis: PowerLaw.through(C, np.log(part[column].to_numpy(float)))
            for axis, column in (("N", "params"), ("D", "tokens"))
        }
        ours = {axis: (law.exponent, *law.exponent_ends(LEVEL)) for axis, law in laws.items()}
        where = "nanochat's experiment log, four budgets, optima as printed"
        found.append(Exponents(name, "isoflop-optima", where, _beside(name, ours)))
    return found


def _tuned() -> Exponents:
    """The best learning rate and batch size against N and D."""
    name = "best learning rate and batch, Step Law"
    table = tuned_optimum(published("learning-rate-batch")).table
    asked = {"lr by N": ("lr", "N"), "lr by D": ("lr", "D"), "batch_size by D": ("batch_size", "D")}
    ours = {text: tuple(table.loc[at, ["estimate", "lower", "upper"]]) for text, at in asked.items()}
    where = (
        "Li et al. 2025, arXiv 2503.04715, with the optimum of a surface per cell in place of its best run"
    )
    return Exponents(name, "learning-rate-batch", where, _beside(name, ours))


def _beside(name: str, ours: Mapping[str, Any]) -> pd.DataFrame:
    """Printed exponents and ours."""
    rows = []
    for parameter, printed in printed_of(name).items():
        value, low, high = ours[parameter]
        rows.append((parameter, printed, value, low, high, low <= float(printed) <= high))
    return pd.DataFrame(rows, columns=["parameter", "printed", "ours", "lower", "upper", "inside"])
