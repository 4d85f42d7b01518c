"""Fit a law to runs: a verdict in three answers, parameters with intervals, errors, status."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from parscale.cli.options import option, switch
from parscale.cli.table_options import LevelOptions, RowOptions, RunsOptions

if TYPE_CHECKING:
    import pandas as pd

    from parscale.cli.output import Partly
    from scaling.fitting.result import Fit
    from scaling.laws.base import LawForm

EXAMPLES = (
    "fit runs.csv --columns N=params,loss=val_loss --law parallel",
    "fit results/published/losses.csv --law parallel --by corpus",
    "fit runs.csv --details --save",
    "fit checkpoints.csv --law chinchilla --groups run_id",
    "fit shapes.csv --law depth.py:DepthLaw:E=1.6 --columns width=d_model,depth=n_layers",
    "fit results/sweeps/laptop --law parallel --conventions",
)


@dataclass(frozen=True, kw_only=True)
class Options(LevelOptions, RowOptions, RunsOptions):
    """Options of `parscale fit`."""

    law: str | None = option(
        None,
        "parallel, additive, ..., or your own as FILE.py:CLASS (default: the law `parscale inspect` suggests for the "
        "axes that vary). dense:E=1.6 fixes a parameter",
    )
    conventions: bool = switch("fit the law with each way of counting N instead: embedding, head, prefixes")
    save: bool = switch("save each fit, to results/fits/LAW-TABLE[-GROUP].json")
    out: str | None = option(
        None, "save each fit, to PATH/fits/LAW-GROUP.json, or one fit to FILE.json", metavar="PATH"
    )
    details: bool = switch("how the fit was made and checked: law, objective, condition, cross-check")


def run(options: Options) -> str | Partly:
    """Fit a law to each group of a runs table and describe the fits. Save them if asked."""
    from parscale.cli.output import as_json, groups_text
    from scaling.data.query import each
    from scaling.fitting.fit import fit
    from scaling.laws import by_name
    from scaling.selection.describe import law_to_fit

    options.check_level()
    named = [] if options.law is None else [by_name(options.law)]
    runs = options.read(named)
    options = replace(options, law=options.law or law_to_fit(runs))
    law, objective = named[0] if named else by_name(str(options.law)), options.fitted_by
    rows = options.of_rows(runs)
    if options.conventions:
        return _conventions(runs, options, rows)
    done = each(runs, options.by, options.runs, lambda part: fit(law, part, objective, **rows))
    fits = done.found
    saves = options.save or options.out is not None
    places = {name: _save(one, name, options) if saves else "" for name, one in fits.items()}
    if options.json:
        return groups_text(as_json({n: content(f, options.level) for n, f in fits.items()}), done.refused)
    told = [describe_fit(name, one, places[name], options) for name, one in fits.items()]
    return groups_text(_table_line(runs, options, law) + "\n\n".join(told) + _left_out(runs), done.refused)


def _conventions(runs: pd.DataFrame, options: Options, rows: dict[str, Any]) -> str | Partly:
    """The law under every way to count N that the columns allow, for each group."""
    from parscale.cli.output import as_json, groups_text
    from scaling.data.query import each
    from scaling.selection.conventions import conventions

    def work(part: pd.DataFrame) -> Any:
        return conventions(str(options.law), part, options.fitted_by, level=options.level, **rows)

    done = each(runs, options.by, options.runs, work)
    if options.json:
        body = {
            name: {"parameters": made.table.reset_index().to_dict("records"), "verdict": made.verdict}
            for name, made in done.found.items()
        }
        return groups_text(as_json(body), done.refused)
    return groups_text("\n\n".join(f"== {n} ==\n{made!r}" for n, made in done.found.items()), done.refused)


def _table_line(runs: pd.DataFrame, options: Options, law: LawForm) -> str:
    """What to know about the table, as a line above its fits. Empty if there is nothing."""
    from scaling import terminal_text
    from scaling.selection.describe import one_line

    told = one_line(runs, options.runs, options.by, None if "N" in law.axes else options.law)
    return terminal_text.fold(f"table       {told}\n\n" if told else "", terminal_text.width(), 12)


def _save(one: Fit, group: str, options: Options) -> str:
    """Save a group's fit. Returns a line with its path and whether it replaced a fit of other runs."""
    from parscale.cli.fit.fit_paths import path_of, replaced

    path = path_of(one, group, law=str(options.law), source=options.runs, by=options.by, out=options.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    place = f"{path}{replaced(path, one) if options.out is None else ''}"
    one.save(path)
    return place


def content(one: Fit, level: float) -> dict[str, Any]:
    """The fit file's content with its intervals."""
    from scaling.fitting.save import to_json
    from scaling.fitting.summary import parameter_table

    intervals = parameter_table(one, level)
    rows = (
        None
        if intervals is None
        else {n: list(map(float, r)) for n, r in zip(intervals.index, intervals.to_numpy(), strict=True)}
    )
    unconfirmed = [] if intervals is None else intervals.attrs["unconfirmed"]
    return to_json(one) | {
        "level": level, "intervals": rows, "unconfirmed": unconfirmed, "verdict": one.verdict(level).to_dict()
    }  # fmt: skip


def describe_fit(name: str, one: Fit, place: str, options: Options) -> str:
    """A fit for the terminal: the verdict, its parameters with notes, and where it was saved."""
    from parscale.cli.output import verdict_text
    from scaling import terminal_text
    from scaling.fitting import printed_constants
    from scaling.fitting.summary import fit_text

    room, found = terminal_text.width(), one.verdict(options.level)
    parts = [f"== {name} ==", verdict_text(found, room), ""]
    parts.append(fit_text(one, options.level, room, options.details, found.parameters))
    if options.details and (note := printed_constants.note(one)):
        parts.append(terminal_text.fold(f"note        {note}", room, 12))
    return "\n".join([*parts, *([f"saved       {place}"] if place else [])])


def _left_out(runs: pd.DataFrame) -> str:
    """Why rows of the table are in no fit, as a line. Empty if all are."""
    from scaling.data.runs import left_out

    why = ", ".join(f"{count} {word}" for word, count in left_out(runs).items())
    return f"\nleft out    {why}" if why else ""


def mixed_note(runs: pd.DataFrame, apart: tuple[str | None, ...], axes: tuple[str, ...] = ("D",)) -> str:
    """A warning if rows that do not compare are fitted as one. `apart`: columns that --by or --groups name."""
    from scaling import terminal_text
    from scaling.data.query import mixed

    found = mixed(runs, axes)
    notes = "".join(f"\n\nnote: {words}" for column, words in found.items() if column not in apart)
    return terminal_text.fold(notes, terminal_text.width())
