"""The end of a sweep on one terminal screen: its runs, the law, what P is worth, and where the files are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from scaling import Fit, Status
from scaling.data.query import slug
from scaling.fitting import printed_constants
from scaling.fitting.summary import baseline_r2, number
from scaling.selection.equivalent_size import equivalents
from scaling.terminal_text import blocks

LEVEL = 0.95
WORD, PADDING = 9, 3  # characters a column of words may shrink to, and what rich puts between columns
FIGURES = ("fig2", "equivalents", "training")


def terminal() -> Console:
    """The terminal; a file or pipe gets lines wide enough for any table."""
    return Console() if sys.stdout.isatty() else Console(width=160)


def show(frame: Any, title: str = "", keys: int = 1) -> None:
    """A DataFrame as a table on the terminal, no number broken: where that is too narrow, in several tables.

    Each of them begins with the first `keys` columns. Words are folded.
    """
    console = terminal()
    cells = [[f"{v:.5g}" if isinstance(v, float) else str(v) for v in frame[name]] for name in frame]
    whole = [frame[name].dtype.kind in "fiub" for name in frame]
    least = [
        max(map(len, (*str(name).split(), *column))) if one else WORD
        for name, column, one in zip(frame, cells, whole, strict=True)
    ]
    for places in blocks([PADDING + w for w in least], console.width - 1, keys):
        table = Table(box=SIMPLE_HEAD, title=title or None)
        for i in places:
            right = frame.iloc[:, i].dtype.kind in "fiu"
            table.add_column(
                str(frame.columns[i]), justify="right" if right else "left", overflow="fold",
                min_width=least[i] if whole[i] else None,
            )  # fmt: skip
        for row in zip(*(cells[i] for i in places), strict=True):
            table.add_row(*row)
        console.print(table)


def conclude(folder: Path, command: str) -> None:
    """Fit the sweep in `folder`, save fits and figures into it, and print what it says, doubts included."""
    from analysis.report import sweep_figures
    from analysis.sweep import results

    console = terminal()
    seen = results.read_sweep(folder)
    console.print(runs_table(seen.runs))
    (folder / "fits").mkdir(exist_ok=True)
    files = [folder / "runs.parquet"]
    for corpus, fit in seen.parallel.items():
        files.append(folder / "fits" / f"parallel-{slug(corpus)}.json")
        fit.save(files[-1])
        if fit.determined:
            console.print(law_table(corpus, fit))
        console.print(goodness(fit), highlight=False)
        if fit.determined:
            console.print(worth_table(fit))
        console.print(f"[bold]{verdict(fit)}[/]", highlight=False)
    for missing in seen.missing if not seen.parallel else ():
        console.print(missing, highlight=False)
    known = sweep_figures.sweep_figures(seen)
    only = [name for name in FIGURES if name in known]
    files += sweep_figures.save_figures(folder, out=folder / "figures", only=only, command=command)
    console.print("\n".join(["", *map(str, files)]), highlight=False, soft_wrap=True)


def runs_table(runs: pd.DataFrame) -> Table:
    """One row a run, sizes ascending."""
    table = Table(
        box=SIMPLE_HEAD,
        title="runs",
        caption="loss: nats per token over the held-out set, with its standard error",
    )
    for name in ("corpus", "size", "P", "N", "tokens", "loss", "s.e.", "tokens/s", "status"):
        table.add_column(name, justify="left" if name in ("corpus", "size", "status") else "right")
    rows: Any = runs.sort_values(["corpus", "N", "seed"]).itertuples()
    for run in rows:
        speed = f"{run.tokens_per_s:,.0f}"
        cells = (run.corpus, run.size, f"{run.P:.0f}", f"{run.N:,.0f}", f"{run.D:,.0f}", f"{run.loss:.4f}")
        table.add_row(*map(str, cells), f"{run.loss_se:.4f}", speed, str(run.status))
    return table


def law_table(corpus: str, fit: Fit) -> Table:
    """The law's parameters with intervals."""
    table = Table(box=SIMPLE_HEAD, title=f"{corpus}: L = E + (A / (N (k ln P + 1)))^alpha")
    for name in ("parameter", "estimate", f"lower {LEVEL:.0%}", f"upper {LEVEL:.0%}"):
        table.add_column(name, justify="left" if name == "parameter" else "right")
    intervals = fit.intervals(LEVEL)
    for name, values in zip(intervals.index, intervals.to_numpy(), strict=True):
        table.add_row(str(name), *map(number, values))
    return table


def goodness(fit: Fit) -> str:
    """R2 beside that of the law without P, the errors, the status."""
    baseline, error = baseline_r2(fit), f"rmse {fit.rmse:.1e}, largest error {fit.max_error:.1e} nats"
    without = "" if baseline is None else f" (without P {baseline:.4f})"
    return f"R2 {fit.r2:.4f}{without}, {error}\n{fit.status}: {fit.certificate.detail}"


def worth_table(fit: Fit) -> Table:
    """What every P that was run is worth in parameters."""
    streams = np.unique(fit.axes["P"])
    found = equivalents(fit, N=fit.axes["N"].max(), P=streams[streams > 1], level=LEVEL)
    table = Table(
        box=SIMPLE_HEAD, title="what P streams are worth", caption="k ln P + 1, the factor in N of equal loss"
    )
    for name in ("P", "parameters", f"lower {LEVEL:.0%}", f"upper {LEVEL:.0%}"):
        table.add_column(name, justify="right")
    rows: Any = found.itertuples()
    for row in rows:
        factors = (row.multiple, row.lower / row.N, row.upper / row.N)
        table.add_row(f"{row.P:.0f}", *(f"x {number(value)}" for value in factors))
    return table


def verdict(fit: Fit) -> str:
    """Whether these runs support the law, in words; never more than the interval of k says."""
    if fit.status in (Status.FLAT, Status.TOO_FEW):
        return f"These runs cannot say what P is worth: {fit.certificate.detail}."
    low, high = (float(fit.intervals(LEVEL)[end]["k"]) for end in ("lower", "upper"))
    interval = f"k = {fit.law.k:.3f}, {LEVEL:.0%} interval {number(low)} to {number(high)}"  # type: ignore[attr-defined]
    if "k" in fit.certificate.at_bound or low <= 1e-6:
        return f"These runs do not support the law: {interval}, so P may be worth nothing here."
    if not np.isfinite(high) or high > 4 * low:
        return f"P helps in these runs, but how much is not determined: {interval}."
    if fit.status != Status.CONVERGED:
        return f"The fit is in doubt ({fit.status}: {fit.certificate.detail}); {interval}."
    return (
        f"P helps in these runs: {interval}. The paper's k, at .5B to 4.4B: {printed_constants.printed_k()}."
    )
