"""What `parscale fit`, `predict`, `compare` and `backtest` do, from parsed arguments to printed text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from scaling import published, serial, terminal
from scaling.data import OK, parse_size, usable
from scaling.fit import FitError
from scaling.fit import fit as fit_law
from scaling.groups import check_axis, each, mixed, runs_of
from scaling.law import Law
from scaling.laws import REGISTRY, by_name
from scaling.method import check_level
from scaling.next_runs import suggest
from scaling.objectives import LogHuber, Objective, named
from scaling.places import path_of, replaced
from scaling.result import Fit
from scaling.selection import Comparison
from scaling.selection import compare as compare_laws
from scaling.structure import adequacy
from scaling.summary import number, table, text
from scaling.windows import Backtest
from scaling.windows import backtest as backtest_law

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
        return serial.dumps({name: as_json(one, args.level) for name, one in fits.items()})
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
    return serial.to_json(one) | {"level": level, "intervals": rows}


def describe(name: str, one: Fit, place: str, level: float) -> str:
    """A fit for the terminal: its summary, what the paper printed, where it was saved."""
    note, room = published.note(one), terminal.width()
    lines = [f"== {name} ==", text(one, level, room)]
    if note:
        lines.append(terminal.fold(f"note        {note}", room, 12))
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
    return terminal.fold(mixed(runs, args.by, axes), terminal.width())


def predict(args: Any) -> str:
    """Predict from a saved fit, with intervals and equivalent sizes."""
    check_level(args.level, "--level ")
    one = Fit.load(args.fit)
    given = {axis: getattr(args, axis) for axis in ("N", "P", "D") if getattr(args, axis) is not None}
    axes = {axis: np.array([parse_size(v) for v in text.split(",")]) for axis, text in given.items()}
    if strange := [axis for axis in axes if axis not in one.law.axes]:
        takes = f"{type(one.law).__name__}, a law of {', '.join(one.law.axes)}"
        raise ValueError(f"--{strange[0]}: {args.fit} is {takes}; leave --{strange[0]} out")
    broken = [value for value in axes.get("P", ()) if value % 1]
    if broken:
        raise ValueError(f"--P {broken[0]:g} must be a whole number: streams are counted")
    missing = [axis for axis in one.law.axes if axis not in axes]
    if missing:
        raise ValueError(f"{args.fit} needs {', '.join('--' + axis for axis in missing)} as well")
    many = {len(values) for values in axes.values()} - {1}
    if len(many) > 1:
        have = ", ".join(f"--{axis} {values.size}" for axis, values in axes.items())
        raise ValueError(f"values are taken together, so give as many of each, or one: {have}")
    frame = one.predict(args.level, None, **axes)
    if "P" in one.law.axes:
        others = {axis: frame[axis].to_numpy() for axis in one.law.axes if axis not in ("N", "P")}
        for at in (1, 2, 4, 8):
            frame[f"N at P={at}"] = one.law.equivalent_N(
                frame["N"].to_numpy(), frame["P"].to_numpy(), at, **others
            )
    if args.json:
        return serial.dumps(
            {"status": str(one.status), "level": args.level, "points": frame.to_dict("records")}
        )
    return "\n".join([f"status      {one.status} ({one.certificate.detail})", *_points(frame, args.level)])


def _points(frame: pd.DataFrame, level: float) -> Iterator[str]:
    for _, row in frame.iterrows():
        where = ", ".join(f"{axis} = {row[axis]:.4g}" for axis in ("N", "P", "D") if axis in frame)
        yield f"\n{where}: loss {row.loss:.4f} nats per token"
        yield f"  {level:.0%} interval of the law   {row.lower:.4f} to {row.upper:.4f}"
        yield f"  {level:.0%} interval of a new run {row.new_lower:.4f} to {row.new_upper:.4f}"
        sizes = [f"{number(row[c])} at {c[5:]}" for c in frame.columns if str(c).startswith("N at ")]
        if sizes:
            yield f"  the same loss takes N = {', '.join(sizes)}"
        if not row.inside:
            yield "  outside the data: the interval takes the law's form for granted"


def compare(args: Any) -> str:
    """Rank laws on each group of a runs table."""
    runs, objective = runs_of(args), objective_of(args)
    check_axis(runs, args.holdout, "--holdout", args.runs)
    found = each(
        args, runs, lambda part: compare_laws(laws_for(args.laws, part), part, objective, args.holdout)
    )
    if args.json:
        return serial.dumps({name: compared(one) for name, one in found.items()})
    return "\n\n".join(f"== {name} ==\n{ranking(one)}" for name, one in found.items()) + one_stream(
        runs, args
    )


def one_stream(runs: pd.DataFrame, args: Any) -> str:
    """Why no law of P was compared where no law was named and P takes one value; and what was mixed."""
    streams = runs["P"][usable(runs)].unique()
    note = f"\n\nnote: P is {streams[0]:g} in every run: no law of P is compared"
    alone = not args.laws and len(streams) == 1
    return terminal.fold(note * alone, terminal.width()) + _mixed(runs, args)


def laws_for(given: str | None, runs: pd.DataFrame) -> list[type[Law]]:
    """The laws named, or every registered one whose axes the runs have with two values at least."""
    if given:
        return [by_name(name.strip()) for name in given.split(",")]
    good = runs[usable(runs)] if usable(runs).any() else runs
    known = [axis for axis in ("N", "P", "D") if axis in good and good[axis].notna().all()]
    varied = {axis for axis in known if len(good[axis].unique()) > 1}
    found = [law for law in REGISTRY.values() if set(law.axes) <= varied]
    if not found:
        single = ", ".join(f"{axis} takes one value" for axis in known if axis not in varied)
        raise FitError(f"no law to compare: {single}; add runs at others")
    return found


def compared(one: Comparison) -> dict[str, Any]:
    """A comparison as JSON values."""
    rows = json.loads(one.table.to_json(orient="index", double_precision=15))
    return {"laws": rows, "verdict": one.verdict, "adequacy": {n: doubts(f) for n, f in one.fits.items()}}


def doubts(one: Fit) -> dict[str, Any]:
    """What the residuals of a fit say."""
    found = adequacy(one)
    return {name: getattr(found, name) for name in ("structure_p", "replicate_p", "size_p", "verdict")}


def ranking(one: Comparison) -> str:
    """A comparison for the terminal: table, verdict, and what the best law's residuals say."""
    shown = one.table[["status", "r2", "rmse", "delta_aicc", "delta_bic", "loo_rmse", "holdout_rmse"]]
    shown = shown.assign(status=shown["status"].where(shown.index.isin(list(one.fits)), "too few runs"))
    best, room = str(one.table.index[0]), terminal.width()
    words = f"{one.verdict}\nResiduals of {best}: {adequacy(one.fits[best]).verdict}"
    ranks = terminal.table(shown, room, float_format=lambda x: f"{x:.4g}", na_rep="")
    return f"{ranks}\n\n{terminal.fold(words, room)}"


def backtest(args: Any) -> str:
    """Fit the small runs of each group, predict the large ones."""
    law, objective = by_name(args.law), objective_of(args)
    check_level(args.level, "--level ")
    runs = runs_of(args)
    check_axis(runs, args.along, "--along", args.runs)
    found = each(args, runs, lambda part: backtest_law(law, part, args.along, objective, args.level))
    if args.json:
        return serial.dumps({name: backtested(law, one) for name, one in found.items()})
    return "\n\n".join(f"== {name} ==\n{one!r}" for name, one in found.items()) + _mixed(runs, args, law.axes)


def backtested(law: type[Law], one: Backtest) -> dict[str, Any]:
    """A backtest as JSON values."""
    windows = json.loads(one.table.reset_index().to_json(orient="records", double_precision=15))
    points = json.loads(one.points.to_json(orient="records", double_precision=15))
    return {"law": law.__name__, "windows": windows, "points": points, "verdict": one.verdict}
