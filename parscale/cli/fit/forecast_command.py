"""Forecast the loss of larger runs, with prediction intervals that hold beyond the runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parscale.cli.fit.fit_command import mixed_note
from parscale.cli.options import argument, option
from parscale.cli.table_options import RUNS, ColumnOptions, LevelOptions

if TYPE_CHECKING:
    from scaling.laws.base import LawForm

EXAMPLES = (
    "forecast results/published/losses.csv --where corpus=pile --N 30B --P 8",
    "forecast results/published/losses.csv --where corpus=pile --N 10B,30B --P 1 --save forecast.json",
)


@dataclass(frozen=True, kw_only=True)
class Options(LevelOptions, ColumnOptions):
    """Options of `parscale forecast`."""

    runs: str = argument(RUNS, metavar="RUNS")
    N: str | None = option(None, "non-embedding parameters, e.g. 30B", metavar="X,...")
    P: str | None = option(None, "streams, e.g. 8", metavar="X,...")
    D: str | None = option(None, "training tokens, e.g. 300B", metavar="X,...")
    laws: str | None = option(None, "laws to pool (default: all of the axes that vary)", metavar="A,B")
    save: str | None = option(
        None, "register the forecast in this file, for `parscale score`", metavar="FILE"
    )


def run(options: Options) -> str:
    """Forecast every point that was asked for, and register the forecast where --save says so."""
    from parscale.cli.output import as_json
    from scaling.forecasting.forecast import forecast
    from scaling.forecasting.forecast_result import forecast_json

    options.check_level()
    _check_place(options.save)
    table = options.asked.read(options.runs)
    given = {"N": options.N, "P": options.P, "D": options.D}
    axes: dict[str, Any] = {axis: text.split(",") for axis, text in given.items() if text is not None}
    made = forecast(table, **axes, laws=_named(options.laws), level=options.level)
    if options.save:
        made.save(options.save)
    if options.json:
        return as_json(forecast_json(made))
    registered = f"\nregistered: {options.save}. Once the runs are there: parscale score {options.save} RUNS"
    note = mixed_note(table, "", tuple(map(str, made.points)))
    return f"{made!r}{registered if options.save else ''}{note}"


def _check_place(save: str | None) -> None:
    """Refuse a folder that is not there before anything is computed."""
    if save and not Path(save).resolve().parent.is_dir():
        raise ValueError(
            f"--save {save}: there is no folder {Path(save).parent}. Create it or choose another."
        )


def _named(laws: str | None) -> list[LawForm] | None:
    """The laws named, or None for those of the axes that vary."""
    from scaling.laws import by_name

    return [by_name(name.strip()) for name in laws.split(",")] if laws else None
