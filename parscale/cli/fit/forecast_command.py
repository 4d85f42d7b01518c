"""Forecast the loss of larger runs, with prediction intervals that hold beyond the runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parscale.cli.fit.fit_command import mixed_note
from parscale.cli.options import argument, option
from parscale.cli.table_options import RUNS, ColumnOptions, LevelOptions, RowOptions

if TYPE_CHECKING:
    from parscale.cli.output import Partly
    from scaling.forecasting.forecast_result import Forecast
    from scaling.laws.base import LawForm

EXAMPLES = (
    "forecast results/published/losses.csv --where corpus=pile --N 30B --P 8",
    "forecast results/published/losses.csv --where corpus=pile --N 10B,30B --P 1 --save forecast.json",
    "forecast results/published/losses.csv --by corpus --N 30B --P 8",
    "forecast shapes.csv --laws depth.py:DepthLaw --D 1T --at width=4096,depth=48",
)


@dataclass(frozen=True, kw_only=True)
class Options(LevelOptions, RowOptions, ColumnOptions):
    """Options of `parscale forecast`."""

    runs: str = argument(RUNS, metavar="RUNS")
    N: str | None = option(None, "non-embedding parameters, e.g. 30B", metavar="X,...")
    P: str | None = option(None, "streams, e.g. 8", metavar="X,...")
    D: str | None = option(None, "training tokens, e.g. 300B", metavar="X,...")
    at: str | None = option(
        None, "any axes of the laws, e.g. width=1024,2048,depth=24,recipe=tuned", metavar="AXIS=X,..."
    )
    by: str | None = option(None, "forecast each value of a column separately, e.g. corpus", metavar="COLUMN")
    laws: str | None = option(
        None,
        "laws to pool, FILE.py:CLASS among them (default: all registered of the axes that vary)",
        metavar="A,B",
    )
    save: str | None = option(
        None, "register the forecast in this file, for `parscale score`", metavar="FILE"
    )


def run(options: Options) -> str | Partly:
    """Forecast every point that was asked for, and register the forecast if --save is given."""
    from parscale.cli.option_values import points_given
    from parscale.cli.output import as_json, groups_text
    from scaling.data.query import each
    from scaling.forecasting.forecast import forecast
    from scaling.forecasting.forecast_result import forecast_json
    from scaling.laws import axes_of_laws

    options.check_level()
    _check_place(options.save)
    laws, axes = (
        _named(options.laws),
        points_given({"N": options.N, "P": options.P, "D": options.D}, options.at),
    )
    table = options.asked.read(options.runs, axes_of_laws(laws) if laws else None)
    more: dict[str, Any] = {"laws": laws, "level": options.level, **options.of_rows(table)}
    done = each(table, options.by, options.runs, lambda part: forecast(part, **{**more, **axes}))
    made = done.found
    places = {name: _place(options, name) for name in made}
    for name, place in places.items():
        if place is not None:
            made[name].save(place)
    if options.json:
        told = {name: forecast_json(one) for name, one in made.items()}
        return groups_text(as_json(told if options.by else next(iter(told.values()))), done.refused)
    shown = [_shown(one, name if options.by else "", places[name]) for name, one in made.items()]
    return groups_text(
        "\n\n".join(shown) + mixed_note(table, (options.by, options.groups), tuple(axes)), done.refused
    )


def _shown(one: Forecast, name: str, place: str | None) -> str:
    """A forecast for the terminal, and where it was registered."""
    registered = f"\nregistered: {place}. Once the runs are there: parscale score {place} RUNS"
    heading = f"== {name} ==\n" if name else ""
    return f"{heading}{one!r}{registered if place else ''}"


def _place(options: Options, name: str) -> str | None:
    """The file of a group's forecast: that of --save, with the group in its name if there are groups."""
    from scaling.data.query import slug

    if options.save is None or not options.by:
        return options.save
    path = Path(options.save)
    return str(path.with_name(f"{path.stem}-{slug(name)}{path.suffix}"))


def _check_place(save: str | None) -> None:
    """Refuse a folder that is not there before anything is computed."""
    if save and not Path(save).resolve().parent.is_dir():
        raise ValueError(
            f"--save {save}: there is no folder {Path(save).parent}. Create it or choose another."
        )


def _named(laws: str | None) -> list[LawForm] | None:
    """The laws named, or None for those of the axes that vary."""
    from parscale.cli.option_values import named_laws
    from scaling.laws import by_name

    return [by_name(name) for name in named_laws(laws)] if laws else None
