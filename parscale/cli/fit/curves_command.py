"""Fit laws of whole loss curves under their learning-rate schedules, and forecast runs under other schedules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parscale.cli.options import argument, option
from parscale.cli.table_options import LevelOptions

if TYPE_CHECKING:
    import pandas as pd

    from scaling.curves.curve_fit import CurveFit
    from scaling.curves.curve_table import Curve
    from scaling.curves.schedule import Schedule

FILE = "results/published/tables/loss_curves.csv --where model_M=25 --run schedule --warmup 2160"
EXAMPLES = (
    f"curves {FILE} --fit constant_24000,cosine_24000",
    f"curves {FILE} --fit constant_24000,wsdcon_9 --law annealing --figure curves.png",
    "curves results/sweeps/schedules --loss val_loss --at wsd:steps=2000,peak=0.04,warmup=100,decay_share=0.3",
)
LAWS = ("both", "multi-power", "annealing")


@dataclass(frozen=True, kw_only=True)
class Options(LevelOptions):
    """Options of `parscale curves`."""

    file: str = argument("table of curves (run, step, lr, loss), or a sweep folder", metavar="CURVES")
    fit: str | None = option(None, "runs to fit (default all). The others are forecast", metavar="RUN,...")
    law: str = option(
        "both", "both (default: forecasts are their mean), multi-power, annealing", choices=LAWS
    )
    at: str | None = option(
        None,
        "forecast a schedule: constant, cosine, linear, wsd or wsd-exponential, and steps, peak, warmup, final, decay_share",
        metavar="SHAPE:NAME=X,...",
    )
    run: str | None = option(None, "column of the run's name", metavar="COLUMN")
    loss: str | None = option(
        None, "column of the loss (default loss, train_loss, val_loss)", metavar="COLUMN"
    )
    where: str | None = option(None, "only these rows, e.g. model_M=25", metavar="COLUMN=VALUE,...")
    warmup: float | None = option(
        None, "steps of the linear warm-up, where the table begins after it", metavar="STEPS", type=float
    )
    out: str | None = option(
        None, "save each fit, to PATH/LAW.json (read by scaling.CurveFit.load)", metavar="PATH"
    )
    figure: str | None = option(None, "draw the curves, the fit and the residuals here", metavar="FILE")


def run(options: Options) -> str:
    """The fits, and forecasts of the curves that were not fitted and of --at."""
    from parscale.cli.output import as_json
    from scaling.curves.curve_fit import CURVE_LAWS, fit_curves
    from scaling.curves.curve_table import curves_of

    options.check_level()
    rows = narrowed(options.file, options.where)
    curves = curves_of(rows, run=options.run, loss=options.loss, warmup=options.warmup)
    fitted = [name.strip() for name in options.fit.split(",")] if options.fit else list(curves)
    laws = CURVE_LAWS if options.law == "both" else [options.law]
    fits = {law: fit_curves(curves, law, runs=fitted, level=options.level) for law in laws}
    others = {name: curve for name, curve in curves.items() if name not in fitted}
    ahead = _ahead([*fits.values()], others, options)
    if options.out:
        Path(options.out).mkdir(parents=True, exist_ok=True)
        for law, fit in fits.items():
            fit.save(Path(options.out) / f"{law}.json")
    if options.figure:
        next(iter(fits.values())).plot(others).savefig(options.figure, dpi=200)
    if options.json:
        told = {
            law: {
                "status": fit.status.value,
                "table": fit.table.reset_index().to_dict("records"),
                "verdict": fit.verdict,
            }
            for law, fit in fits.items()
        }
        return as_json({"laws": told, "forecasts": ahead.to_dict("records")})
    return "\n\n".join([*(f"{law} law\n{fit!r}" for law, fit in fits.items()), *_shown(ahead, options)])


def narrowed(file: str, where: str | None) -> pd.DataFrame:
    """The rows of a file or of a sweep's curves, narrowed."""
    from scaling.data.query import mapping
    from scaling.data.table_files import load_table

    path = Path(file) / "curves.parquet" if Path(file).is_dir() else Path(file)
    if not path.is_file():
        raise ValueError(
            f"{path} is not there: give a table of curves, or the folder of a sweep that has ended"
        )
    table = load_table(path)
    for column, value in mapping(where, "--where").items():
        if column not in table:
            raise ValueError(f"--where {where}: no column {column}. There are {', '.join(map(str, table))}")
        table = table[table[column].astype(str) == value]
        if table.empty:
            raise ValueError(f"--where {where}: no row of {path} has {column} {value}")
    return table


def _ahead(fits: list[CurveFit], others: dict[str, Curve], options: Options) -> pd.DataFrame:
    """The loss at the end, with its interval, of each curve that was not fitted and of the schedule of --at."""
    import pandas as pd

    from scaling.curves.curve_fit import forecast_curve

    asked: dict[str, tuple[Schedule, float, float | None]] = {
        name: (curve.schedule, float(curve.steps[-1]), float(curve.losses[-1]))
        for name, curve in others.items()
    }
    if options.at:
        schedule = _schedule(options.at)
        asked[options.at] = schedule, schedule.end, None
    rows: list[dict[str, Any]] = []
    for name, (schedule, end, seen) in asked.items():
        made: dict[Any, Any] = forecast_curve(fits, schedule, end, options.level).iloc[0].to_dict()
        inside = (
            {} if seen is None else {"seen": seen, "inside": bool(made["lower"] <= seen <= made["upper"])}
        )
        rows.append({"run": name, **made, **inside})
    return pd.DataFrame(rows)


def _schedule(text: str) -> Schedule:
    """The schedule of "wsd:steps=2000,peak=0.04"."""
    from scaling.curves.schedule import Schedule
    from scaling.data.query import mapping

    shape, _, facts = text.partition(":")
    try:
        given = {name: float(value) for name, value in mapping(facts, "--at").items()}
        return Schedule.shaped(shape, **{"steps": 0, "peak": 0.0} | given)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValueError(f"--at {text}: {error}") from None


def _shown(ahead: pd.DataFrame, options: Options) -> list[str]:
    """The forecasts for the terminal."""
    from scaling.terminal_text import table, width

    if ahead.empty:
        return []
    shown = table(ahead.set_index("run"), width(), float_format="{:.5g}".format)
    said = f"loss at the last step ({options.level:.0%} intervals of one new run)\n{shown}"
    if "inside" not in ahead:
        return [said]
    known = ahead["inside"].dropna()
    return [f"{said}\n{int(known.sum())} of {len(known)} inside."]
