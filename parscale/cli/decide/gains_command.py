"""Loss reduction from P > 1 at each model size, seed by seed, relative to a parameter-matched P = 1 baseline."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from parscale.cli.options import argument, option
from parscale.cli.table_options import RUNS, ColumnOptions, LevelOptions, RowOptions

if TYPE_CHECKING:
    import pandas as pd

    from scaling.data.query import Asked

EXAMPLES = (
    "gains results/published/losses.csv",
    "gains results/sweeps/laptop --baseline results/sweeps/laptop-prefix-alone",
)


@dataclass(frozen=True, kw_only=True)
class Options(LevelOptions, RowOptions, ColumnOptions):
    """Options of `parscale gains`."""

    source: str = argument(RUNS, metavar="SWEEP")
    baseline: str | None = option(
        None, "take the runs of P = 1 from this sweep, such as a control with a prefix", metavar="SWEEP"
    )


def run(options: Options) -> str:
    """Each size and P relative to P = 1, in words and numbers."""
    from scaling.selection.paired_gains import gains

    options.check_level()
    runs, context, streams = _measured(options.source, options.baseline, options.asked)
    table = gains(runs, options.level, **options.of_rows(runs)).table
    if not len(table):
        raise ValueError(f"{options.source}: {_unpaired(runs)}")
    form = _json if options.json else _text
    return form(table, runs, context, streams, options.level)


def _unpaired(runs: pd.DataFrame) -> str:
    """Why no run of P > 1 has one of P = 1 to compare with, and what to do."""
    if (runs["P"] == 1).all() or not (runs["P"] == 1).any():
        lacks = "every run has P = 1" if (runs["P"] == 1).any() else "no run has P = 1"
        return f"{lacks}: gains are changes of the loss from P = 1 to more streams. Add such runs"
    if "size" in runs:
        return "no size was run at P = 1 and at more with the same seed and tokens"
    return "add a column size, one label for the runs that share a backbone: it pairs them"


def _measured(source: str, baseline: str | None, of: Asked) -> tuple[Any, Any, Any]:
    """Runs with what `parscale context` and `streams` wrote next to them, P = 1 from a baseline."""
    from pathlib import Path

    from analysis.sweep import sweep_folder
    from analysis.sweep.results import read_results
    from scaling.selection.paired_gains import beside

    runs = read_results(source, of)
    context: Any = sweep_folder.read_measured(Path(source), runs, sweep_folder.CONTEXT)
    if not baseline:
        return runs, context, sweep_folder.read_measured(Path(source), runs, sweep_folder.STREAMS)
    one, one_context, _ = _measured(baseline, None, of)
    both = context is not None and one_context is not None
    return beside(runs, one), beside(context, one_context) if both else None, None


def _json(
    table: pd.DataFrame,
    runs: pd.DataFrame,
    context: pd.DataFrame | None,
    streams: pd.DataFrame | None,
    level: float,
) -> str:
    """Every table of numbers behind the text."""
    from parscale.cli.output import as_json
    from scaling.selection import gains_by_context, paired_gains
    from scaling.selection.pooled_k import pooled_k

    tables = {"gains": table, "noise": paired_gains.noise_over_seeds(runs)}
    tables |= {} if streams is None else {"streams": streams}
    if context is not None:
        tables["parts"] = gains_by_context.changes(context, level)
        tables["k of parts"] = gains_by_context.context_worth(context, level)
    records: dict[str, Any] = {name: known.to_dict("records") for name, known in tables.items()}
    return as_json(records | {"k": [asdict(one) for one in pooled_k(runs, level)]})


def _text(
    table: pd.DataFrame,
    runs: pd.DataFrame,
    context: pd.DataFrame | None,
    streams: pd.DataFrame | None,
    level: float,
) -> str:
    """The table, its grounds, k by pairs, the scatter over seeds, and other measurements of the runs."""
    from analysis.report import gains_text
    from scaling import terminal_text
    from scaling.selection import paired_gains
    from scaling.selection.pooled_k import pooled_k

    room = terminal_text.width()
    noise = paired_gains.noise_over_seeds(runs).to_dict("records")
    scatter = "\n".join(map(gains_text.seed_scatter_text, noise))
    grounds, pooled = gains_text.gains_notes(runs, level), map(str, pooled_k(runs, level))
    parts = [gains_text.gains_text(table, room), grounds, *pooled, scatter]
    if context is not None:
        parts.append(gains_text.gains_by_context_text(context, level, room))
    if streams is not None:
        parts.append(gains_text.averaged_streams_text(streams, room))
    return terminal_text.fold("\n\n".join(parts), room)
