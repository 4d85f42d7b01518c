"""Predict losses from a saved fit, with intervals and equivalent sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parscale.cli.options import argument, option
from parscale.cli.table_options import LevelOptions

if TYPE_CHECKING:
    import pandas as pd

    from scaling.fitting.result import Fit
    from scaling.laws.base import Array

EXAMPLES = (
    "predict results/fits/parallel-pile.json --N 2.8B --P 4",
    "predict results/fits/DepthLaw-shapes.json --law depth.py:DepthLaw --D 1T --at width=4096,depth=48",
)
AT = (1, 2, 4, 8)  # P at which equivalent sizes are given
SMALLEST = 1e-6  # share of the largest N asked for: a smaller N is a typing error


@dataclass(frozen=True, kw_only=True)
class Options(LevelOptions):
    """Options of `parscale predict`."""

    fit: str = argument("a fit file, e.g. results/fits/parallel-pile.json", metavar="FIT")
    N: str | None = option(None, "non-embedding parameters, e.g. 2.8B", metavar="X,...")
    P: str | None = option(None, "streams, e.g. 4", metavar="X,...")
    D: str | None = option(None, "training tokens, e.g. 2.8B", metavar="X,...")
    at: str | None = option(
        None, "any axes of the law, e.g. width=1024,2048,depth=24,recipe=tuned", metavar="AXIS=X,..."
    )
    law: str | None = option(None, "your own law, if the fit is of one", metavar="FILE.py:CLASS")


def run(options: Options) -> str:
    """Predict the loss at every point that was asked for."""
    from parscale.cli.output import as_json
    from scaling.fitting.result import Fit
    from scaling.fitting.summary import notes_of, unconfirmed_note
    from scaling.forecasting.widened import forecast_words

    options.check_level()
    one = Fit.load(options.fit, options.law)
    frame = one.predict(points_of(options, one), level=options.level)
    frame["widened_by"] = [
        "" if row["inside"] else forecast_words(one, dict(row)) for _, row in frame.iterrows()
    ]
    if {"N", "P"} <= {*one.law.axes}:
        _add_equivalents(one, frame, options.level)
    said = [unconfirmed_note(frame.attrs["unconfirmed"]), *notes_of(one)]
    if options.json:
        body = {"status": str(one.status), "level": options.level, "points": frame.to_dict("records")}
        return as_json(body | {"notes": [words for words in said if words]})
    lines = _lines(frame, one.law.axes, options.level, one.reading.loss_unit)
    notes = [f"note        {words}" for words in said if words]
    return "\n".join([f"status      {one.status} ({one.certificate.detail})", *notes, *lines])


def points_of(options: Options, one: Fit) -> dict[str, Array]:
    """The values of each axis, equally many or one. Raises ValueError if they do not suit the law."""
    from parscale.cli.option_values import points_given
    from scaling.data.query import values
    from scaling.laws.axis import categories_of

    given, levels = (
        points_given({"N": options.N, "P": options.P, "D": options.D}, options.at),
        categories_of(one.law),
    )
    if strange := [axis for axis in given if axis not in one.law.axes]:
        takes = f"{one.form.__name__}, a law of {', '.join(one.law.axes)}"
        flag = f"--{strange[0]}" if strange[0] in ("N", "P", "D") else f"--at {strange[0]}=..."
        raise ValueError(f"{flag}: {options.fit} is {takes}. Leave {flag} out")
    axes = {
        axis: levels[axis].read(texts) if axis in levels else values(",".join(texts), axis)
        for axis, texts in given.items()
    }
    if broken := [value for value in axes.get("P", ()) if value % 1]:
        raise ValueError(f"--P {broken[0]:g} must be a whole number: streams are counted")
    if lacking := [axis for axis in one.law.axes if axis not in axes]:
        known = ", ".join(f"--{axis}" if axis in ("N", "P", "D") else f"--at {axis}=..." for axis in lacking)
        raise ValueError(f"{options.fit} needs {known} as well")
    if len({len(several) for several in axes.values()} - {1}) > 1:
        have = ", ".join(f"--{axis} {several.size}" for axis, several in axes.items())
        raise ValueError(f"values are taken together, so give as many of each, or one: {have}")
    if "N" in axes and axes["N"].min() < SMALLEST * axes["N"].max():
        raise ValueError(
            f"--N {options.N}: sizes this far apart are implausible. Write decimals with a point, 2.8B"
        )
    return axes


def _add_equivalents(one: Fit, frame: pd.DataFrame, level: float) -> None:
    """Add the N of the same loss at other P, if the fit determines it. A law of N and P adds its interval."""
    from scaling.uncertainty.prediction import equivalent_interval

    N, P = (frame[axis].to_numpy() for axis in ("N", "P"))
    others = {axis: frame[axis].to_numpy() for axis in one.law.axes if axis not in ("N", "P")}
    for at in AT if one.determined else ():
        frame[f"N at P={at}"] = one.law.equivalent_N(N, P, at, **others)
        if not others:
            ends = equivalent_interval(one, N, P, at, level)
            frame[f"lower N at P={at}"], frame[f"upper N at P={at}"] = ends


def _lines(frame: pd.DataFrame, axes: tuple[str, ...], level: float, unit: str) -> Iterator[str]:
    """Each point for the terminal."""
    from scaling.data.units import value_text

    for _, row in frame.iterrows():
        where = ", ".join(f"{axis} = {value_text(axis, row[axis])}" for axis in axes)
        yield f"\n{where}: loss {row.loss:.4f} {unit}"
        if row.lower != row.lower:
            yield "  no interval, and no equivalent size: these runs do not determine the law"
            continue
        yield f"  {100 * level:g}% confidence interval {row.lower:.4f} to {row.upper:.4f}"
        yield f"  {100 * level:g}% prediction interval {row.new_lower:.4f} to {row.new_upper:.4f}"
        if sizes := [_size(row, at) for at in AT if f"N at P={at}" in row]:
            yield "  sizes of equal loss"
            yield from (f"    {size}" for size in sizes)
        if not row.inside:
            how = (
                f"{row.beyond:.3g}x beyond the runs" if row.beyond > 1 else "no run has these values together"
            )
            yield f"  extrapolation, {how}: {row.widened_by}"


def _size(row: Any, at: int) -> str:
    """The equivalent size at P = at, with its interval if it has one."""
    from scaling.data.units import count_text

    ends = [row.get(f"{end} N at P={at}", row["N"]) for end in ("lower", "upper")]
    known = f" ({' to '.join(map(count_text, ends))})" if at != row["P"] and ends[0] != ends[1] else ""
    return f"N = {count_text(row[f'N at P={at}'])} at P = {at}{known}"
