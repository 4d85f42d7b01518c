"""Describe a table before a fit: how its columns were read, its design, what it can determine, what to type next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from parscale.cli.options import argument, option
from parscale.cli.table_options import RUNS, ColumnOptions, FormatOptions

if TYPE_CHECKING:
    from scaling.selection.description import Description
    from scaling.selection.unread_table import UnreadTable

EXAMPLES = (
    "inspect results/published/losses.csv",
    "inspect runs.csv --columns N=params,loss=val_loss",
    "inspect shapes.csv --law depth.py:DepthLaw --columns width=d_model",
)


@dataclass(frozen=True, kw_only=True)
class Options(FormatOptions, ColumnOptions):
    """Options of `parscale inspect`."""

    runs: str = argument(RUNS, metavar="RUNS")
    law: str | None = option(
        None, "describe by this law's axes: a name, or FILE.py:CLASS (default N, P, D and known ones)"
    )


def run(options: Options) -> str:
    """Describe a runs table, or what keeps it from being one."""
    from parscale.cli.output import as_json, marked_up
    from scaling import terminal_text

    found = _described(options)
    if options.form == "json":
        return as_json(found.to_dict())
    if options.form != "text":
        return marked_up(found.table.reset_index(), options.runs, found.text(None), options.form)
    return found.text(terminal_text.width())


def _described(options: Options) -> Description | UnreadTable:
    """The description of the table, or of its columns if it holds no runs to fit."""
    from scaling.data.query import mapping
    from scaling.laws import axes_of_laws
    from scaling.selection.describe import describe
    from scaling.selection.unread_table import unread

    try:
        columns = mapping(options.columns, "--columns")
        words = tuple(options.asked.words)
        axes = axes_of_laws([options.law]) if options.law else None
        runs = options.asked.read(options.runs, axes)
        return describe(runs, source=options.runs, columns=columns, options=words, law=options.law)
    except FileNotFoundError:
        raise
    except ValueError as error:
        file = Path(options.runs)
        found = unread(file, str(error)) if file.is_file() and not _is_runs(file) else None
        if found is None:
            raise
        return found


def _is_runs(file: Path) -> bool:
    """Whether a file can be read as runs as it is: what fails then are the options of the call."""
    from scaling.data.runs import read_runs

    try:
        read_runs(file)
    except ValueError:
        return False
    return True
