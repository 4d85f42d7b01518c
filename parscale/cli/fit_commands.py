"""What `parscale fit`, `predict`, `compare` and `backtest` do, from parsed arguments to printed text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from parscale.cli.fit_paths import path_of, replaced
from parscale.cli.suggest import suggest
from scaling import terminal_text
from scaling.data.query import check_axis, each, mixed, runs_of, values
from scaling.data.runs import OK, usable
from scaling.fitting import printed_constants, save
from scaling.fitting.fit import fit as fit_law
from scaling.fitting.result import Fit
from scaling.fitting.summary import number, table, text
from scaling.laws import by_name
from scaling.laws.base import LawForm
from scaling.optimise.objectives import LogHuber, Objective, named
from scaling.selection.backtest import Backtest
from scaling.selection.backtest import backtest as backtest_law
from scaling.selection.compare import Comparison, laws_of
from scaling.selection.compare import compare as compare_laws
from scaling.uncertainty.adequacy import adequacy
from scaling.uncertainty.base import check_level
from scaling.uncertainty.prediction import equivalent_interval

SMALLEST = 1e-6  # of the largest size that is asked for: a smaller one is a slip of the pen

__all__ = ["backtest", "compare", "fit", "predict", "suggest"]


def objective_of(args: Any) -> Objective:
    """The objective named on the command line."""
    if not (np.isfinite(args.delta) and args.delta > 0):
        raise ValueError(f"--delta {args.delta:g} must be a positive number")
    return LogHuber(args.delta) if args.objective == "huber" else named(args.objective)


def fit(args: Any) -> str:
    """Fit a law to each group of a runs table, save the fits, describe them."""
    law, objective = by_name(args.law), objective_of(args)
    check_level(args.level, "--level ")
    runs = runs_of(args)
    fits = each(args, runs, lambda part: fit_law(law, part, objective))
    places = {}
    for name, one in fits.items():
        path = path_of(args, name, one)
        path.parent.mkdir(parents=True, exist_ok=True)
        places[name] = f"{path}{replaced(path, one) if args.out is None else ''}"
        one.save(path)
    if args.json:
        return save.dumps({name: as_json(one, args.level) for name, one in fits.items()})
    told = [describe(name, one, places[name], args.level) for name, one in fits.items()]
    return "\n\n".join(told) + _left_out(runs) + _mixed(runs, args, law.axes)


def as_json(one: Fit, level: float) -> dict[str, Any]:
    """The fit file's content with its intervals."""
    intervals = table(one, level)
    rows = (
        None
        if intervals is None
        else {n: list(map(float, r)) for n, r in zip(intervals.index, intervals.to_numpy(), strict=True)}
    )
    return save.to_json(one) | {"level": level, "intervals": rows}


def describe(name: str, one: Fit, place: str, level: float) -> str:
    """A fit for the terminal: its summary, what the paper printed, where it was saved."""
    note, room = printed_constants.note(one), terminal_text.width()
    lines = [f"== {name} ==", text(one, level, room)]
    if note:
        lines.append(terminal_text.fold(f"note        {note}", room, 12))
    return "\n".join([*lines, f"saved       {place}"])


def _left_out(runs: pd.DataFrame) -> str:
    """Why rows of the table are in no fit, as a line; empty where all are."""
    known = runs[~usable(runs)]
    if not len(known):
        return ""
    status = known["status"].fillna("none") if "status" in known else pd.Series("ok", known.index)
    why = status.where(status != OK, "first stage of others").value_counts()
    return f"\nleft out    {', '.join(f'{count} {word}' for word, count in why.items())}"


def _mixed(runs: pd.DataFrame, args: Any, axes: tuple[str, ...] = ("D",)) -> str:
    return terminal_text.fold(mixed(runs, args.by, axes), terminal_text.width())


def predict(args: Any) -> str:
    """Predict from a saved fit, with intervals and equivalent sizes."""
    check_level(args.level, "--level ")
    one = Fit.load(args.fit)
    given = {axis: getattr(args, axis) for axis in ("N", "P", "D") if getattr(args, axis) is not None}
    axes = {axis: values(text, f"--{axis}") for axis, text in given.items()}
    if strange := [axis for axis in axes if axis not in one.law.axes]:
        takes = f"{one.form.__name__}, a law of {', '.join(one.law.axes)}"
        raise ValueError(f"--{strange[0]}: {args.fit} is {takes}; leave --{strange[0]} out")
    broken = [value for value in axes.get("P", ()) if value % 1]
    if broken:
        raise ValueError(f"--P {broken[0]:g} must be a whole number: streams are counted")
    missing = [axis for axis in one.law.axes if axis not in axes]
    if missing:
        raise ValueError(f"{args.fit} needs {', '.join('--' + axis for axis in missing)} as well")
    many = {len(given) for given in axes.values()} - {1}
    if len(many) > 1:
        have = ", ".join(f"--{axis} {given.size}" for axis, given in axes.items())
        raise ValueError(f"values are taken together, so give as many of each, or one: {have}")
    if (sizes := axes.get("N", np.ones(1))).min() < SMALLEST * sizes.max():
        raise ValueError(f"--N {args.N}: sizes so far apart are no question; decimals take a point, 2.8B")
    frame = one.predict(axes, level=args.level)
    if "P" in one.law.axes:
        _equivalents(one, frame, args.level)
    if args.json:
        return save.dumps(
            {"status": str(one.status), "level": args.level, "points": frame.to_dict("records")}
        )
    return "\n".join([f"status      {one.status} ({one.certificate.detail})", *_points(frame, args.level)])


def _equivalents(one: Fit, frame: pd.DataFrame, level: float) -> None:
    """Add, where the fit determines it, the N of the same loss at other P; by a law of N and P its ends."""
    N, P = (frame[axis].to_numpy() for axis in ("N", "P"))
    others = {axis: frame[axis].to_numpy() for axis in one.law.axes if axis not in ("N", "P")}
    for at in (1, 2, 4, 8) if one.determined else ():
        frame[f"N at P={at}"] = one.law.equivalent_N(N, P, at, **others)
        if not others:
            ends = equivalent_interval(one, N, P, at, level)
            frame[f"lower N at P={at}"], frame[f"upper N at P={at}"] = ends


def _points(frame: pd.DataFrame, level: float) -> Iterator[str]:
    for _, row in frame.iterrows():
        where = ", ".join(f"{axis} = {row[axis]:.4g}" for axis in ("N", "P", "D") if axis in frame)
        yield f"\n{where}: loss {row.loss:.4f} nats per token"
        if np.isnan(row.lower):
            yield "  no interval, and no equivalent size: these runs do not determine the law"
            continue
        yield f"  {100 * level:g}% interval of the law   {row.lower:.4f} to {row.upper:.4f}"
        yield f"  {100 * level:g}% interval of a new run {row.new_lower:.4f} to {row.new_upper:.4f}"
        sizes = [_size(row, at) for at in (1, 2, 4, 8) if f"N at P={at}" in row]
        if sizes:
            yield "  the same loss takes"
            yield from (f"    {size}" for size in sizes)
        if not row.inside:
            how = f"{row.beyond:.3g} times beyond them" if row.beyond > 1 else "none at such values together"
            yield f"  outside the runs ({how}): the interval takes the law's form for granted"


def _size(row: Any, at: int) -> str:
    """The equivalent size at P = at, with its interval where it has one."""
    ends = [row.get(f"{end} N at P={at}", row["N"]) for end in ("lower", "upper")]
    known = f" ({' to '.join(map(number, ends))})" if at != row["P"] and ends[0] != ends[1] else ""
    return f"N = {number(row[f'N at P={at}'])} at P = {at}{known}"


def compare(args: Any) -> str:
    """Rank laws on each group of a runs table."""
    runs, objective = runs_of(args), objective_of(args)
    check_axis(runs, args.holdout, "--holdout", args.runs)
    found = each(
        args, runs, lambda part: compare_laws(laws_for(args.laws, part), part, objective, args.holdout)
    )
    if args.json:
        return save.dumps({name: compared(one) for name, one in found.items()})
    return "\n\n".join(f"== {name} ==\n{ranking(one)}" for name, one in found.items()) + one_stream(
        runs, args
    )


def one_stream(runs: pd.DataFrame, args: Any) -> str:
    """Why no law of P was compared where no law was named and P takes one value; and what was mixed."""
    streams = runs["P"][usable(runs)].unique()
    note = f"\n\nnote: P is {streams[0]:g} in every run: no law of P is compared"
    alone = not args.laws and len(streams) == 1
    return terminal_text.fold(note * alone, terminal_text.width()) + _mixed(runs, args)


def laws_for(given: str | None, runs: pd.DataFrame) -> list[LawForm]:
    """The laws named, or every registered one that the runs allow."""
    if given:
        return [by_name(name.strip()) for name in given.split(",")]
    return laws_of(runs)


def compared(one: Comparison) -> dict[str, Any]:
    """A comparison as JSON values."""
    rows = one.table.to_dict("index")
    return {"laws": rows, "verdict": one.verdict, "adequacy": {n: doubts(f) for n, f in one.fits.items()}}


def doubts(one: Fit) -> dict[str, Any]:
    """What the residuals of a fit say."""
    found = adequacy(one)
    return {name: getattr(found, name) for name in ("structure_p", "replicate_p", "size_p", "verdict")}


def ranking(one: Comparison) -> str:
    """A comparison for the terminal: table, verdict, and what the best law's residuals say."""
    shown = one.table[["status", "r2", "rmse", "delta_aicc", "delta_bic", "loo_rmse", "holdout_rmse"]]
    shown = shown.assign(status=shown["status"].where(shown.index.isin(list(one.fits)), "too few runs"))
    best, room = str(one.table.index[0]), terminal_text.width()
    words = f"{one.verdict}\nResiduals of {best}: {adequacy(one.fits[best]).verdict}"
    ranks = terminal_text.table(shown, room, float_format=lambda x: f"{x:.4g}", na_rep="")
    return f"{ranks}\n\n{terminal_text.fold(words, room)}"


def backtest(args: Any) -> str:
    """Fit the small runs of each group, predict the large ones."""
    law, objective = by_name(args.law), objective_of(args)
    check_level(args.level, "--level ")
    runs = runs_of(args)
    check_axis(runs, args.along, "--along", args.runs)
    found = each(args, runs, lambda part: backtest_law(law, part, args.along, objective, args.level))
    if args.json:
        return save.dumps({name: backtested(law, one) for name, one in found.items()})
    return "\n\n".join(f"== {name} ==\n{one!r}" for name, one in found.items()) + _mixed(runs, args, law.axes)


def backtested(law: LawForm, one: Backtest) -> dict[str, Any]:
    """A backtest as JSON values."""
    windows, points = (frame.to_dict("records") for frame in (one.table.reset_index(), one.points))
    return {"law": law.__name__, "windows": windows, "points": points, "verdict": one.verdict}
