"""From loss to accuracy: a sigmoid with its floor at chance, and the accuracy at other losses."""

from __future__ import annotations

from dataclasses import dataclass

from parscale.cli.options import argument, option
from parscale.cli.table_options import LevelOptions

FILE = "results/published/tables/loss_and_accuracy.csv"
EXAMPLES = (
    f"accuracy {FILE} --where tasks=code --at 0.95,1.0",
    f"accuracy {FILE} --where tasks=general,P=1 --chance 0.3333 --groups size --at 1.8",
)


@dataclass(frozen=True, kw_only=True)
class Options(LevelOptions):
    """Options of `parscale accuracy`."""

    file: str = argument("table with a loss and an accuracy per model", metavar="TABLE")
    loss: str = option("loss", "column of the loss, nats per token", metavar="COLUMN")
    accuracy: str = option("accuracy", "column of the accuracy, shares or per cent", metavar="COLUMN")
    chance: float = option(0.0, "accuracy of a guess, 0.25 for four choices (default 0)", type=float)
    ceiling: float = option(1.0, "accuracy of the best model (default 1)", type=float)
    groups: str | None = option(None, "column of rows that share an offset, e.g. size", metavar="COLUMN")
    where: str | None = option(None, "only these rows, e.g. tasks=code", metavar="COLUMN=VALUE,...")
    at: str | None = option(None, "losses to give the accuracy of", metavar="X,...")


def run(options: Options) -> str:
    """The sigmoid, and accuracies at --at."""
    from parscale.cli.fit.curves_command import narrowed
    from parscale.cli.output import as_json
    from scaling.accuracy import accuracy_by_loss
    from scaling.data.query import values
    from scaling.terminal_text import table, width

    options.check_level()
    made = accuracy_by_loss(
        narrowed(options.file, options.where), loss=options.loss, accuracy=options.accuracy,
        chance=options.chance, ceiling=options.ceiling, groups=options.groups, level=options.level,
    )  # fmt: skip
    there = made.predict(values(options.at, "--at")) if options.at else None
    if options.json:
        found = {"status": made.status.value, "table": made.table.reset_index().to_dict("records")}
        return as_json(
            found | {"at": [] if there is None else there.to_dict("records"), "verdict": made.verdict}
        )
    if there is None:
        return repr(made)
    shown = table(there, width(), float_format="{:.4g}".format)
    return f"{made!r}\n\nat --at ({options.level:.0%} intervals of one new model)\n{shown}"
