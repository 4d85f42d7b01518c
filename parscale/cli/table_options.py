"""Options that several commands share: which rows of which table, the objective, the level, --json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parscale.cli.options import argument, option, switch

if TYPE_CHECKING:
    import pandas as pd

    from scaling.data.query import Asked
    from scaling.optimise.objectives import Objective

RUNS = "runs table (csv, parquet, json, ...) or sweep folder"
FORMATS = ("text", "markdown", "latex", "json")
DEFAULT = "huber"  # that of `scaling`, without loading it: a test keeps the two equal
OBJECTIVES = "huber, log-least-squares, least-squares, lad, asymmetric"


@dataclass(frozen=True, kw_only=True)
class JsonOptions:
    """Options of commands that print numbers."""

    json: bool = switch("print JSON at full precision")


@dataclass(frozen=True, kw_only=True)
class FormatOptions(JsonOptions):
    """Options of commands that print one kind of table."""

    format: str = option("text", "text (default), markdown, latex or json", choices=FORMATS)

    @property
    def form(self) -> str:
        """The format that was asked for, --json included."""
        return "json" if self.json else self.format


@dataclass(frozen=True, kw_only=True)
class LevelOptions(JsonOptions):
    """Options of commands that print intervals."""

    level: float = option(0.95, "level of the intervals (default 0.95)", type=float)

    def check_level(self) -> None:
        """Refuse a level that is not between 0 and 1."""
        from scaling.uncertainty.interval_methods import check_level

        check_level(self.level, "--level ")


@dataclass(frozen=True, kw_only=True)
class ColumnOptions:
    """Which columns and rows of a table."""

    columns: str | None = option(
        None, 'names in the file: N=params,loss="val, loss"', metavar="OURS=THEIRS,..."
    )
    where: str | None = option(None, "only rows with these values", metavar="COLUMN=VALUE,...")

    @property
    def asked(self) -> Asked:
        """The columns and rows that were asked for."""
        from scaling.data.query import Asked

        return Asked(self.columns, self.where)


@dataclass(frozen=True, kw_only=True)
class RowOptions:
    """Which rows are not independent, and how much each counts."""

    groups: str | None = option(
        None,
        "column of the run a row belongs to (default: detected). none: rows are independent",
        metavar="COLUMN",
    )
    weights: str | None = option(None, "column of how often each row counts: whole numbers", metavar="COLUMN")
    se: str | None = option(None, "column of each loss's standard error, nats per token", metavar="COLUMN")

    def of_rows(self, runs: pd.DataFrame) -> dict[str, Any]:
        """What `scaling.fit` takes as groups, weights and se. Raises ValueError for a column that `runs` lack."""
        given = {"groups": self.groups, "weights": self.weights, "se": self.se}
        for name, column in given.items():
            if column is not None and column not in runs and (name, column) != ("groups", "none"):
                raise ValueError(
                    f"--{name} {column}: no such column. The table has {', '.join(runs.columns)}"
                )
        independent = self.groups == "none" and "none" not in runs
        return {**given, "groups": False} if independent else given


@dataclass(frozen=True, kw_only=True)
class SweepFitOptions(ColumnOptions):
    """Options of commands that fit the laws of a whole sweep."""

    objective: str | None = option(None, f"of the fits made of runs: {OBJECTIVES} (default {DEFAULT})")

    @property
    def fitted_by(self) -> Objective | None:
        """The objective, if one was named."""
        from scaling.optimise.objectives import named

        return named(self.objective) if self.objective else None

    def words(self, *first: str) -> str:
        """The command line as typed, for the note of what made a file."""
        named_as = ["--objective", self.objective] if self.objective else []
        return " ".join([*first, *named_as, *self.asked.words])


@dataclass(frozen=True, kw_only=True)
class RunsOptions(ColumnOptions):
    """Options of commands that read a runs table and fit it."""

    runs: str = argument(RUNS, metavar="RUNS")
    by: str | None = option(None, "treat each value of a column separately, e.g. corpus", metavar="COLUMN")
    objective: str | None = option(None, f"{OBJECTIVES} (default {DEFAULT})")
    delta: float = option(1e-3, "Huber's delta on log loss (default 1e-3)", type=float)

    @property
    def fitted_by(self) -> Objective:
        """The objective that was named, or the default."""
        from scaling.optimise.objectives import LogHuber, named

        if not 0 < self.delta < float("inf"):
            raise ValueError(f"--delta {self.delta:g} must be a positive number")
        name = self.objective or DEFAULT
        return LogHuber(self.delta) if name == "huber" else named(name)

    def read(self, laws: Sequence[Any] = ()) -> pd.DataFrame:
        """The runs, columns mapped and rows narrowed. They must have the axes of the laws, by default N."""
        from scaling.laws import axes_of_laws

        return self.asked.read(self.runs, axes_of_laws(laws) if laws else None)
