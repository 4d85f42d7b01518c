"""Which runs to train next: those that shrink the interval of what you ask most per FLOP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parscale.cli.options import argument, option
from parscale.cli.table_options import LevelOptions

if TYPE_CHECKING:
    import pandas as pd

    from scaling.design.suggest import Target
    from scaling.fitting.result import Fit
    from scaling.laws.base import Array

EXAMPLES = (
    "suggest results/fits/parallel-pile.json --tokens 42B --budget 1e21",
    "suggest results/fits/parallel-pile.json --target N=1e11,P=8 --sizes 0.5B,1B --streams 8,32",
)
DOUBLINGS = 2  # how far beyond the fitted runs the default candidates go, in factors of 2 each way


@dataclass(frozen=True, kw_only=True)
class Options(LevelOptions):
    """Options of `parscale suggest`."""

    fit: str = argument("a fit file", metavar="FIT")
    target: str = option("k", "a parameter (default k), a point N=1e11,P=8, or a rival's fit file")
    candidates: str | None = option(
        None, "table of runs to choose from: N, P, D, or C in FLOPs", metavar="FILE"
    )
    sizes: str | None = option(None, "or a grid: sizes, e.g. 0.5B,1B", metavar="N,...")
    streams: str | None = option(None, "streams of the grid, e.g. 1,8,32", metavar="P,...")
    tokens: str | None = option(None, "training tokens of the grid's runs", metavar="D")
    budget: str | None = option(None, "training FLOPs to spend in all, e.g. 1e21", metavar="C")
    count: int = option(5, "runs at most (default 5)", type=int)


def run(options: Options) -> str:
    """Choose runs for a quantity, greedily by what they add per FLOP."""
    from parscale.cli.output import as_json
    from scaling.data.units import parse_size
    from scaling.design.suggest import suggest
    from scaling.fitting.result import Fit

    options.check_level()
    if options.count < 1:
        raise ValueError(f"--count {options.count} must be at least 1")
    one = Fit.load(options.fit)
    target = target_of(options.target, one)
    candidates = candidates_of(options, one)
    budget = None if options.budget is None else parse_size(options.budget)
    if budget is not None and "D" not in candidates and "C" not in candidates:
        raise ValueError("--budget counts FLOPs: say with --tokens how long the candidates are trained")
    chosen = suggest(one, candidates, budget, target, options.count, options.level).table
    before = float(chosen.attrs["before"])
    if options.json:
        rows = chosen.to_dict("records")
        return as_json({"status": str(one.status), "target": options.target, "before": before, "runs": rows})
    return describe_suggestion(chosen, before, options, one)


def target_of(given: str, one: Fit) -> Target:
    """A parameter's name, a point N=1e11,P=8, or a rival's fit file."""
    from pathlib import Path

    from scaling.data.units import parse_size
    from scaling.fitting.result import Fit
    from scaling.laws.base import clean_axes

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


def candidates_of(options: Options, one: Fit) -> pd.DataFrame:
    """The candidates of a file, or the grid of --sizes, --streams and --tokens, or one about the runs."""
    import itertools

    import pandas as pd

    from scaling.data.query import values
    from scaling.data.runs import read_candidates

    if options.candidates:
        if options.sizes or options.streams or options.tokens:
            raise ValueError("--candidates is a whole table: leave out --sizes, --streams and --tokens")
        return read_candidates(options.candidates)
    seen = one.axes
    sizes = values(options.sizes, "--sizes") if options.sizes else _about(seen["N"])
    streams: Sequence[float] | Array = [1.0]
    if "P" in seen:
        streams = values(options.streams, "--streams") if options.streams else _about(seen["P"], lowest=1.0)
    if options.tokens is None and "D" in seen:
        raise ValueError(f"{options.fit} is a law of D: name the tokens of the candidates with --tokens")
    grid = itertools.product(sizes, streams, values(options.tokens or "1", "--tokens"))
    table = pd.DataFrame(list(grid), columns=["N", "P", "D"])
    return table if options.tokens else table.drop(columns="D")


def _about(x: Array, lowest: float = 0.0) -> list[float]:
    """Powers of two from below the smallest value to above the largest."""
    import math

    low, high = float(x.min()) / 2**DOUBLINGS, float(x.max()) * 2**DOUBLINGS
    steps = math.ceil(math.log2(high / low)) + 1
    return [value for step in range(steps) if (value := low * 2.0**step) >= lowest]


def describe_suggestion(chosen: pd.DataFrame, before: float, options: Options, one: Fit) -> str:
    """The runs for the terminal."""
    from scaling import terminal_text
    from scaling.fitting.summary import number_text

    rival = "evidence" in chosen
    what = "evidence between the laws (nats; 3 is strong)" if rival else f"half width of {options.target}"
    lines = [f"status: {one.status} ({one.certificate.detail})", f"{what}: {number_text(before)} now"]
    for row in chosen.to_dict("records"):
        where = ", ".join(f"{axis} = {row[axis]:.4g}" for axis in ("N", "P", "D") if axis in row)
        cost = f"{row['C']:.2e} FLOPs, {row['total_C']:.2e} in all"
        seen = [axis for axis, x in one.axes.items() if not x.min() <= row[axis] <= x.max()]
        beyond = f"; {' and '.join(seen)} outside the runs" if seen else ""
        gain = number_text(row["evidence" if rival else "half_width"])
        lines.append(f"  {where}: then {gain}   ({cost}{beyond})")
    if not options.tokens and not options.candidates:
        lines.append("without --tokens only the ratios of the FLOPs mean anything (6 N P)")
    lines.append("expected by linear theory at the fitted law; fit again after each run")
    return terminal_text.fold("\n".join(lines), terminal_text.width(), 4)
