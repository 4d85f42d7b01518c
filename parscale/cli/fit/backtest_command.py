"""Fit the small runs, predict the large ones: how far a law extrapolates on these runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parscale.cli.fit.fit_command import mixed_note
from parscale.cli.options import option
from parscale.cli.table_options import LevelOptions, RowOptions, RunsOptions

if TYPE_CHECKING:
    import pandas as pd

    from parscale.cli.output import Partly
    from scaling.laws.base import LawForm
    from scaling.selection.backtest import Backtest

EXAMPLES = (
    "backtest results/published/losses.csv --by corpus --along P",
    "backtest shapes.csv --law depth.py:DepthLaw --along depth",
)


@dataclass(frozen=True, kw_only=True)
class Options(LevelOptions, RowOptions, RunsOptions):
    """Options of `parscale backtest`."""

    law: str | None = option(
        None,
        "a name, or your own as FILE.py:CLASS (default: the law `parscale inspect` suggests for the axes that vary)",
    )
    along: str | None = option(None, "an axis of the law, C or a column (default N, or the law's first)")


def run(options: Options) -> str | Partly:
    """Fit the small runs of each group, predict the large ones."""
    from parscale.cli.output import as_json, groups_text
    from scaling.data.query import AXES, check_axis, each
    from scaling.laws import by_name
    from scaling.selection.backtest import backtest
    from scaling.selection.describe import law_to_fit

    named = [] if options.law is None else [by_name(options.law)]
    objective, level = options.fitted_by, options.level
    options.check_level()
    runs = options.read(named)
    law = named[0] if named else by_name(law_to_fit(runs))
    if options.along:
        check_axis(runs, options.along, "--along", options.runs, (*AXES, *law.axes))
    rows = options.of_rows(runs)

    def one_law(part: pd.DataFrame) -> Backtest:
        return backtest(law, part, options.along, objective, level, **rows)

    done = each(runs, options.by, options.runs, one_law)
    if options.json:
        found = {name: backtested(law, one) for name, one in done.found.items()}
        return groups_text(as_json(found), done.refused)
    told = [f"== {name} ==\n{one!r}" for name, one in done.found.items()]
    return groups_text(
        "\n\n".join(told) + mixed_note(runs, (options.by, options.groups), (*law.axes, *law.categories)),
        done.refused,
    )


def backtested(law: LawForm, one: Backtest) -> dict[str, Any]:
    """A backtest as JSON values."""
    windows, points = (frame.to_dict("records") for frame in (one.table.reset_index(), one.points))
    return {"law": law.__name__, "windows": windows, "points": points, "verdict": one.verdict}
