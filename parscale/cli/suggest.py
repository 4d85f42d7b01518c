"""What `parscale suggest` does, from parsed arguments to printed text."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scaling import terminal_text
from scaling.data.query import values
from scaling.data.runs import read_candidates
from scaling.data.units import parse_size
from scaling.design.suggest import Target
from scaling.design.suggest import suggest as suggest_runs
from scaling.fitting import save
from scaling.fitting.result import Fit
from scaling.fitting.summary import number
from scaling.laws.base import Array, clean_axes
from scaling.uncertainty.base import check_level

DOUBLINGS = 2  # how far beyond the fitted runs the default candidates go, in factors of 2 each way


def suggest(args: Any) -> str:
    """Which runs to train next for a quantity, greedily by what they add per FLOP."""
    check_level(args.level, "--level ")
    if args.count < 1:
        raise ValueError(f"--count {args.count} must be at least 1")
    one = Fit.load(args.fit)
    target = target_of(args.target, one)
    candidates = candidates_of(args, one)
    budget = None if args.budget is None else parse_size(args.budget)
    if budget is not None and "D" not in candidates and "C" not in candidates:
        raise ValueError("--budget counts FLOPs: say with --tokens how long the candidates are trained")
    chosen = suggest_runs(one, candidates, budget, target, args.count, args.level).table
    before = float(chosen.attrs["before"])
    if args.json:
        rows = chosen.to_dict("records")
        found = {"status": str(one.status), "target": args.target, "before": before, "runs": rows}
        return save.dumps(found)
    return describe(chosen, before, args, one)


def target_of(given: str, one: Fit) -> Target:
    """A parameter's name, a point N=1e11,P=8, or a rival's fit file."""
    if given.endswith(".json") or Path(given).is_file():
        rival = Fit.load(given)
        if not one.same_runs(rival):
            raise ValueError(f"--target {given}: fitted to other runs than {one.form.__name__}'s")
        return rival
    if "=" not in given:
        return given
    try:
        pairs = dict(pair.split("=") for pair in given.split(","))
        point = {axis.strip(): parse_size(value) for axis, value in pairs.items()}
    except ValueError as error:
        raise ValueError(f"--target {given!r}: write a point as N=1e11,P=8 ({error})") from None
    if set(point) != set(one.law.axes):
        takes = f"{one.form.__name__} takes {', '.join(one.law.axes)}"
        raise ValueError(f"--target {given!r}: {takes}; write {','.join(f'{a}=...' for a in one.law.axes)}")
    try:
        clean_axes(one.law.axes, point)
    except ValueError as error:
        raise ValueError(f"--target {given!r}: {error}") from None
    return point


def candidates_of(args: Any, one: Fit) -> pd.DataFrame:
    """The candidates of a file, or the grid of --sizes, --streams and --tokens, or one about the runs."""
    if args.candidates:
        if args.sizes or args.streams or args.tokens:
            raise ValueError("--candidates is a whole table: leave out --sizes, --streams and --tokens")
        return read_candidates(args.candidates)
    seen = one.axes
    sizes = values(args.sizes, "--sizes") if args.sizes else _about(seen["N"])
    streams = np.ones(1)
    if "P" in seen:
        streams = values(args.streams, "--streams") if args.streams else _about(seen["P"], lowest=1.0)
    if args.tokens is None and "D" in seen:
        raise ValueError(f"{args.fit} is a law of D: name the tokens of the candidates with --tokens")
    grid = itertools.product(sizes, streams, values(args.tokens or "1", "--tokens"))
    table = pd.DataFrame(list(grid), columns=["N", "P", "D"])
    return table if args.tokens else table.drop(columns="D")


def _about(x: Array, lowest: float = 0.0) -> Array:
    """Powers of two from below the smallest value to above the largest."""
    low, high = x.min() / 2**DOUBLINGS, x.max() * 2**DOUBLINGS
    steps = int(np.ceil(np.log2(high / low))) + 1
    grid = low * 2.0 ** np.arange(steps)
    return np.asarray(grid[grid >= lowest])


def describe(chosen: pd.DataFrame, before: float, args: Any, one: Fit) -> str:
    """The runs for the terminal."""
    rival = "evidence" in chosen
    what = "evidence between the laws (nats; 3 is strong)" if rival else f"half width of {args.target}"
    lines = [f"status: {one.status} ({one.certificate.detail})", f"{what}: {number(before)} now"]
    for row in chosen.to_dict("records"):
        where = ", ".join(f"{axis} = {row[axis]:.4g}" for axis in ("N", "P", "D") if axis in row)
        cost = f"{row['C']:.2e} FLOPs, {row['total_C']:.2e} in all"
        seen = [axis for axis, x in one.axes.items() if not x.min() <= row[axis] <= x.max()]
        beyond = f"; {' and '.join(seen)} outside the runs" if seen else ""
        lines.append(
            f"  {where}: then {number(row['evidence' if rival else 'half_width'])}   ({cost}{beyond})"
        )
    if not args.tokens and not args.candidates:
        lines.append("without --tokens only the ratios of the FLOPs mean anything (6 N P)")
    lines.append("expected by linear theory at the fitted law; fit again after each run")
    return terminal_text.fold("\n".join(lines), terminal_text.width(), 4)
