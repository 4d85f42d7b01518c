"""Which runs to train next: those that narrow the interval of a quantity most per FLOP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    "suggest results/fits/DepthLaw-shapes.json --law depth.py:DepthLaw --target b --grid width=512,depth=8,64",
)
COSTS, SCORES = ("C", "total_C"), ("half_width", "evidence")  # columns of a suggestion, the axes aside
DOUBLINGS = 2  # how far beyond the fitted runs the default candidates go, in factors of 2 each way


@dataclass(frozen=True, kw_only=True)
class Options(LevelOptions):
    """Options of `parscale suggest`."""

    fit: str = argument("a fit file", metavar="FIT")
    target: str | None = option(
        None, "a parameter (default k, or the law's first), a point N=1e11,P=8, or a rival's fit file"
    )
    candidates: str | None = option(
        None, "table of runs to choose from: N, P, D, or C in FLOPs", metavar="FILE"
    )
    sizes: str | None = option(
        None, "sizes of a grid, in place of --candidates, e.g. 0.5B,1B", metavar="N,..."
    )
    streams: str | None = option(None, "streams of the grid, e.g. 1,8,32", metavar="P,...")
    tokens: str | None = option(None, "training tokens of the grid's runs", metavar="D")
    grid: str | None = option(
        None,
        "other axes of the grid, width=512,1024,depth=8,16 (default: about the runs')",
        metavar="AXIS=X,...",
    )
    law: str | None = option(None, "your own law, if the fit is of one", metavar="FILE.py:CLASS")
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
    one = Fit.load(options.fit, options.law)
    name = options.target or ("k" if "k" in one.form.free() else one.form.free()[0])
    target = target_of(name, one)
    candidates = candidates_of(options, one)
    budget = None if options.budget is None else parse_size(options.budget)
    if budget is not None and "D" not in candidates and "C" not in candidates:
        raise ValueError("--budget counts FLOPs: say with --tokens how long the candidates are trained")
    chosen = suggest(one, candidates, budget, target, options.count, options.level).table
    before = float(chosen.attrs["before"])
    if options.json:
        rows = chosen.to_dict("records")
        return as_json({"status": str(one.status), "target": name, "before": before, "runs": rows})
    return describe_suggestion(chosen, before, name, options, one)


def target_of(given: str, one: Fit) -> Target:
    """A parameter's name, a point N=1e11,P=8, or a rival's fit file."""
    from pathlib import Path

    from scaling.data.units import parse_size
    from scaling.fitting.result import Fit
    from scaling.laws.axis import categories_of
    from scaling.laws.base import clean_axes

    if given.endswith(".json") or Path(given).is_file():
        rival = Fit.load(given)
        if not one.same_runs(rival):
            raise ValueError(f"--target {given}: fitted to other runs than {one.form.__name__}'s")
        return rival
    if "=" not in given:
        return given
    levels = categories_of(one.law)
    try:
        pairs = {axis.strip(): value for axis, value in (pair.split("=") for pair in given.split(","))}
        point: dict[str, Any] = {a: v if a in levels else parse_size(v) for a, v in pairs.items()}
    except ValueError as error:
        raise ValueError(f"--target {given!r}: write a point as N=1e11,P=8 ({error})") from None
    if set(point) != set(one.law.axes):
        takes = f"{one.form.__name__} takes {', '.join(one.law.axes)}"
        raise ValueError(f"--target {given!r}: {takes}. Write {','.join(f'{a}=...' for a in one.law.axes)}")
    try:
        x = clean_axes(one.law.axes, point, one.law.axis_rules)
    except ValueError as error:
        raise ValueError(f"--target {given!r}: {error}") from None
    return {axis: float(value) for axis, value in x.items()}


def candidates_of(options: Options, one: Fit) -> pd.DataFrame:
    """The candidates of a file, or the grid of --sizes, --streams, --tokens and --grid, or one about the runs."""
    import itertools

    import pandas as pd

    from scaling.data.runs import read_candidates
    from scaling.laws.axis import categories_of

    if options.candidates:
        if options.sizes or options.streams or options.tokens or options.grid:
            raise ValueError(
                "--candidates is a whole table: leave out --sizes, --streams, --tokens and --grid"
            )
        return read_candidates(options.candidates, one.form)
    if options.tokens is None and "D" in one.axes and "N" in one.axes:
        raise ValueError(f"{options.fit} is a law of D: name the tokens of the candidates with --tokens")
    given, levels = _given(options), categories_of(one.law)
    if strange := [axis for axis in given if axis not in (*one.law.axes, "D")]:
        raise ValueError(
            f"{strange[0]}: {options.fit} is a law of {', '.join(one.law.axes)}. Leave {strange[0]} out."
        )
    about = {
        axis: levels[axis].names if axis in levels else _about(x, one.law.axis_rule(axis).lowest)
        for axis, x in one.axes.items()
    }
    axes = about | given
    return pd.DataFrame(list(itertools.product(*axes.values())), columns=list(axes))


def _given(options: Options) -> dict[str, Any]:
    """The values given for each axis: numbers, or names of categories."""
    from parscale.cli.option_values import axis_values
    from scaling.data.query import values

    flags = {
        "N": ("--sizes", options.sizes),
        "P": ("--streams", options.streams),
        "D": ("--tokens", options.tokens),
    }
    found: dict[str, Any] = {axis: values(text, flag) for axis, (flag, text) in flags.items() if text}
    for axis, texts in axis_values(options.grid, "--grid").items():
        try:
            found[axis] = values(",".join(texts), f"--grid {axis}")
        except ValueError:
            found[axis] = texts
    return found


def _about(x: Array, lowest: float = 0.0) -> list[float]:
    """Powers of two from below the smallest value to above the largest, whole where the runs' are whole numbers.

    The values themselves if one is 0 or less.
    """
    import math

    if x.min() <= 0:
        return sorted(set(x.tolist()))
    low, high = float(x.min()) / 2**DOUBLINGS, float(x.max()) * 2**DOUBLINGS
    steps = math.ceil(math.log2(high / low)) + 1
    found = [value for step in range(steps) if (value := low * 2.0**step) >= lowest]
    return sorted(set(map(float, map(round, found)))) if all(v.is_integer() for v in x.tolist()) else found


def describe_suggestion(chosen: pd.DataFrame, before: float, target: str, options: Options, one: Fit) -> str:
    """The runs for the terminal: a row each, in the order in which to train them."""
    import pandas as pd

    from scaling import terminal_text
    from scaling.data.units import value_text
    from scaling.fitting.summary import number_text

    rival = "evidence" in chosen
    what = "evidence between the laws (nats, 3 is strong)" if rival else f"half width of {target}"
    lines = [f"status: {one.status} ({one.certificate.detail})", f"{what}: {number_text(before)} now"]
    axes = [str(name) for name in chosen if name not in (*COSTS, *SCORES)]
    shown = pd.DataFrame({a: [value_text(a, x) for x in chosen[a]] for a in axes})
    shown["then"] = chosen["evidence" if rival else "half_width"].map(number_text).to_numpy()
    costs, unit = _costs(chosen, options, one)
    shown = shown.assign(**costs, beyond=_beyond(chosen, one))
    shown = (
        shown.rename(columns={"beyond": "outside the runs"})
        if any(shown["beyond"])
        else shown.drop(columns="beyond")
    )
    table = terminal_text.table(shown, terminal_text.width(), len(axes), index=False)
    lines += ["", table, "", *unit, "expected by linear theory at the fitted law: fit again after each run"]
    return terminal_text.fold("\n".join(lines), terminal_text.width(), 4)


def _costs(chosen: pd.DataFrame, options: Options, one: Fit) -> tuple[dict[str, list[str]], list[str]]:
    """The cost of each run and of all so far, as columns: FLOPs, or in those of the cheapest. And which it is."""
    if not options.candidates and "N" not in one.law.axes:
        return {}, ["all cost the same"]
    if options.tokens or options.candidates:
        texts = {"FLOPs": chosen["C"], "in all": chosen["total_C"]}
        return {name: [f"{v:.2e}" for v in values] for name, values in texts.items()}, []
    least = chosen["C"].min()
    relative = {"cost": chosen["C"] / least, "in all": chosen["total_C"] / least}
    told = "costs are in units of the cheapest of these runs: --tokens gives FLOPs"
    return {name: [f"{v:.3g}" for v in values] for name, values in relative.items()}, [told]


def _beyond(chosen: pd.DataFrame, one: Fit) -> list[str]:
    """Of each run the axes on which it lies outside the runs of the fit."""
    from scaling.laws.axis import categories_of

    ends = {a: (x.min(), x.max()) for a, x in one.axes.items() if a not in categories_of(one.law)}
    return [
        ", ".join(a for a, (low, high) in ends.items() if not low <= row[a] <= high)
        for row in chosen.to_dict("records")
    ]
