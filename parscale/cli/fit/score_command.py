"""Score a registered forecast against the runs it was about."""

from __future__ import annotations

from dataclasses import dataclass

from parscale.cli.options import argument
from parscale.cli.table_options import RUNS, ColumnOptions, JsonOptions

EXAMPLES = ("score forecast.json results/published/losses.csv --where corpus=pile",)


@dataclass(frozen=True, kw_only=True)
class Options(JsonOptions, ColumnOptions):
    """Options of `parscale score`."""

    forecast: str = argument("a file that `parscale forecast --save` wrote", metavar="FORECAST")
    runs: str = argument(RUNS, metavar="RUNS")


def run(options: Options) -> str:
    """Say which runs lie inside, the interval score, and how the widening should change."""
    from parscale.cli.output import as_json
    from scaling.forecasting.forecast_result import Forecast
    from scaling.forecasting.registered import axes_forecast, score

    made = Forecast.load(options.forecast)
    found = score(made, options.asked.read(options.runs, axes_forecast(made)))
    if options.json:
        facts = {"coverage": found.coverage, "score": found.score, "widening": found.widening}
        return as_json(facts | {"runs": found.table.to_dict("records"), "verdict": found.verdict})
    return repr(found)
