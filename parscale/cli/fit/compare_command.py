"""Rank laws on the same runs by AICc, BIC, leave-one-out and hold-out, with a verdict. Or compare arms by one law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parscale.cli.fit.compared_arms import ArmOptions, compared_by_arms
from parscale.cli.options import option

if TYPE_CHECKING:
    import pandas as pd

    from parscale.cli.output import Partly
    from scaling.fitting.result import Fit
    from scaling.selection.compare import Comparison

EXAMPLES = (
    "compare results/published/losses.csv --by corpus",
    "compare runs.csv --laws parallel,dense:E=1.6",
    "compare shapes.csv --laws depth.py:DepthLaw,chinchilla --holdout depth",
    "compare runs.csv --arms optimizer --laws chinchilla --shared alpha,E --reference adam",
)


@dataclass(frozen=True, kw_only=True)
class Options(ArmOptions):
    """Options of `parscale compare`."""

    holdout: str | None = option(
        None, "axis whose largest levels are held out (default N, or the first law's first)", metavar="AXIS"
    )


def run(options: Options) -> str | Partly:
    """Rank laws on each group of a runs table, or compare its arms."""
    if options.arms:
        return compared_by_arms(options, options.holdout)
    if given := [name for name in ("shared", "reference", "at") if getattr(options, name)]:
        raise ValueError(f"--{given[0]} is of --arms. Name the column of the arms as well.")
    from parscale.cli.option_values import named_laws
    from parscale.cli.output import groups_text
    from scaling.data.query import check_axis, each
    from scaling.laws import by_name
    from scaling.selection.compare import compare, laws_of

    named = [by_name(name) for name in named_laws(options.laws)] if options.laws else []
    runs, objective = options.read(named), options.fitted_by
    if options.holdout:
        check_axis(runs, options.holdout, "--holdout", options.runs)
    rows = options.of_rows(runs)

    def rank(part: pd.DataFrame) -> Comparison:
        return compare(named or laws_of(part), part, objective, options.holdout, **rows)

    done = each(runs, options.by, options.runs, rank)
    return groups_text(_told(done.found, runs, options), done.refused)


def _told(found: dict[str, Comparison], runs: pd.DataFrame, options: Options) -> str:
    """The comparisons of all groups in the form that was asked for."""
    from parscale.cli.output import as_json, marked_up

    if options.form == "json":
        return as_json({name: compared(one) for name, one in found.items()})
    if options.form != "text":
        tables = {name: shown_comparison(one).reset_index() for name, one in found.items()}
        return "\n".join(
            marked_up(table, name, found[name].verdict, options.form) for name, table in tables.items()
        )
    told = [f"== {name} ==\n{ranking(one)}" for name, one in found.items()]
    return "\n\n".join(told) + _why(runs, options)


def _why(runs: pd.DataFrame, options: Options) -> str:
    """Which laws were compared and why, if none was named."""
    from scaling import terminal_text
    from scaling.selection.compare import law_choice

    if options.laws:
        return ""
    return terminal_text.fold(f"\n\nnote: {law_choice(runs).why}", terminal_text.width())


def compared(one: Comparison) -> dict[str, Any]:
    """A comparison as JSON values."""
    rows = one.table.to_dict("index")
    return {"laws": rows, "verdict": one.verdict, "adequacy": {n: doubts(f) for n, f in one.fits.items()}}


def doubts(one: Fit) -> dict[str, Any]:
    """What the residuals of a fit say."""
    from scaling.uncertainty.adequacy import adequacy

    found = adequacy(one)
    tests = {name: getattr(found, name) for name in ("structure_p", "replicate_p", "size_p", "verdict")}
    return tests | {"notes": one.notes}


def shown_comparison(one: Comparison) -> pd.DataFrame:
    """The columns of a comparison that are printed."""
    table = one.table[["status", "r2", "rmse", "delta_aicc", "delta_bic", "loo_rmse", "holdout_rmse"]]
    return table.assign(status=table["status"].where(table.index.isin(list(one.fits)), "too few runs"))


def ranking(one: Comparison) -> str:
    """A comparison for the terminal: table, verdict, and what the best law's residuals say."""
    from scaling import terminal_text
    from scaling.uncertainty.adequacy import adequacy

    best, room = str(one.table.index[0]), terminal_text.width()
    fit = one.fits[best]
    told = [*(doubt.action for doubt in fit.reading.doubts), *fit.certificate.table_notes]
    notes = "".join(f"\n\nnote: {note}" for note in told)
    words = f"{one.verdict}\nResiduals of {best}: {adequacy(fit).verdict}{notes}"
    ranks = terminal_text.table(terminal_text.aligned(shown_comparison(one)), room)
    return f"{ranks}\n\n{terminal_text.fold(words, room)}"
