"""`parscale compare --arms COLUMN`: what the arms of a table share and what each is worth, for the terminal and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parscale.cli.options import option
from parscale.cli.table_options import FormatOptions, RowOptions, RunsOptions

if TYPE_CHECKING:
    import pandas as pd

    from parscale.cli.output import Partly
    from scaling.selection.arms import ArmComparison


@dataclass(frozen=True, kw_only=True)
class ArmOptions(FormatOptions, RowOptions, RunsOptions):
    """Options of a comparison, of laws or of arms."""

    laws: str | None = option(
        None,
        "laws to compare, also FILE.py:CLASS (default: every law whose axes the runs have)",
        metavar="A,B",
    )
    arms: str | None = option(
        None,
        "compare the arms that a column names instead: what they share, what each is worth (by least squares unless "
        "--objective is given)",
        metavar="COLUMN",
    )
    shared: str | None = option(
        None, "parameters that all arms share (default: all that F tests do not separate)", metavar="A,B"
    )
    reference: str | None = option(
        None, "the arm that the others are compared with (default the first)", metavar="ARM"
    )
    at: str | None = option(
        None, "points at which arms are compared, N=1e10,D=1e12 (default: the middle and the largest run)"
    )


def compared_by_arms(options: ArmOptions, holdout: str | None = None) -> str | Partly:
    """The arms of each group of a runs table compared, by one law."""
    from parscale.cli.option_values import items, named_laws
    from parscale.cli.output import groups_text
    from scaling.data.query import each
    from scaling.laws import Arms, by_name
    from scaling.selection.arms import compare_arms
    from scaling.selection.describe import best_suited

    named, by = [by_name(name) for name in named_laws(options.laws or "")], str(options.arms)
    if len(named) > 1:
        raise ValueError(f"--laws {options.laws}: arms are compared by one law. Name one, or none.")
    if holdout is not None:
        raise ValueError("--holdout is of a comparison of laws, not of --arms. Leave it out.")
    runs = options.read([Arms(law, by) for law in named])
    rows = options.of_rows(runs)

    def of_group(part: pd.DataFrame) -> ArmComparison:
        law = named[0] if named else best_suited(part)
        more: dict[str, Any] = {"shared": items(options.shared), "reference": options.reference}
        objective = options.fitted_by if options.objective else None  # F and AICc are those of least squares
        return compare_arms(law, part, by, at=_points(options), objective=objective, **rows, **more)

    done = each(runs, options.by, options.runs, of_group)
    return groups_text(_told(done.found, options), done.refused)


def _points(options: ArmOptions) -> pd.DataFrame | None:
    """The points of --at, at which gains are asked for."""
    import numpy as np
    import pandas as pd

    from parscale.cli.option_values import axis_values
    from scaling.data.query import values

    given = {axis: values(",".join(texts), "--at") for axis, texts in axis_values(options.at, "--at").items()}
    if len({x.size for x in given.values()} - {1}) > 1:
        raise ValueError(f"--at {options.at}: give as many values of each axis, or one")
    return (
        pd.DataFrame(dict(zip(given, np.broadcast_arrays(*given.values()), strict=True))) if given else None
    )


def _told(found: dict[str, ArmComparison], options: ArmOptions) -> str:
    """The comparisons in the form that was asked for."""
    from parscale.cli.output import as_json, marked_up

    if options.form == "json":
        return as_json({name: arms_content(one) for name, one in found.items()})
    if options.form != "text":
        return "\n".join(
            marked_up(
                part.reset_index(), f"{name}: {title}", one.verdict if title == "gains" else "", options.form
            )
            for name, one in found.items()
            for title, part in _tables(one).items()
        )
    return "\n\n".join(f"== {name} ==\n{arms_text(one)}" for name, one in found.items())


def _tables(one: ArmComparison) -> dict[str, pd.DataFrame]:
    """What is printed, by its title: tests, own and shared parameters, gains by the laws and by pairs."""
    known = one.fit.intervals() if one.fit.determined else one.fit.params.to_frame()
    parts = {"parameters": known, "shared or own": one.table, "gains": _set(one.gains, one)}
    return parts | ({"paired runs": _set(one.paired, one)} if len(one.paired) else {})


def _set(frame: pd.DataFrame, one: ArmComparison) -> pd.DataFrame:
    """A table of gains with its arms as the index."""
    return frame.set_index(one.fit.form.whole.by)


def arms_text(one: ArmComparison) -> str:
    """A comparison of arms for the terminal."""
    from scaling import terminal_text

    room = terminal_text.width()
    titles = {
        "parameters": f"{one.fit.form.__name__}: {one.fit.status}, rmse {one.fit.rmse:.3g} {one.fit.reading.loss_unit}",
        "shared or own": "F test of one value for all arms. delta_aicc: of giving each arm its own",
        "gains": "compute-equivalent gains: the factor that the reference needs to have the arm's loss",
        "paired runs": "the same by runs that differ in the arm alone",
    }
    parts = [
        f"{titles[title]}\n{terminal_text.table(part, room, float_format=lambda x: f'{x:.4g}', na_rep='')}"
        for title, part in _tables(one).items()
    ]
    return "\n\n".join([*parts, terminal_text.fold(one.verdict, room)])


def arms_content(one: ArmComparison) -> dict[str, Any]:
    """A comparison of arms as JSON values."""
    return {
        "law": one.fit.form.__name__,
        "status": str(one.fit.status),
        "parameters": _tables(one)["parameters"].to_dict("index"),
        "tests": one.table.to_dict("index"),
        "gains": one.gains.to_dict("records"),
        "paired": one.paired.to_dict("records"),
        "verdict": one.verdict,
    }
