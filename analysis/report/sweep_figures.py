"""Which figures there are for the paper or for a sweep, and drawing some of them into files.

save_figures(out=Path("results/figures"), only=["fig2"])                 # the paper's
save_figures("results/sweeps/demo", out=Path("results/sweeps/demo/figures"))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis import figures
from analysis.figures.panel_parts import LOSS_LABEL, in_short
from analysis.output import figure_style
from analysis.paper.paper_figures import RIVALS, figure_set
from analysis.paper.published_numbers import FOLDER, read_published
from analysis.paper.refit import Inputs, fit_all
from analysis.sweep import figure_tables, recipe_tables
from analysis.sweep.results import SweepResults, equivalent_tables, read_sweep
from scaling import Status, Verdict
from scaling.allocation.searched_minimum import searched_along, searched_minima
from scaling.data.levels import size_levels
from scaling.data.query import WHOLE, Asked, slug
from scaling.optimise.objectives import Objective
from scaling.selection import gains_by_context, paired_gains
from scaling.uncertainty.interval_methods import t_quantile

Drawing = Callable[[], Figure]
Titles = Callable[[], dict[str, Verdict]]

BARS = "bars: 95% of one run's loss, from its validation text"


def save_figures(
    source: Path | str | None = None,
    *,
    out: Path | str,
    only: Sequence[str] | None = None,
    command: str = "parscale figures",
    objective: Objective | None = None,
    asked: Asked = WHOLE,
) -> list[Path]:
    """Draw the figures named in `only` (by default all) as PNG, PDF and SVG. Return the paths.

    source: a sweep folder or runs table. The paper's published numbers where it is None. objective: of a
    sweep's fits, that of `scaling.fit` unless given. asked: which of the table's columns and rows.
    """
    if source is None and (objective is not None or asked.words):
        option = "--objective" if objective is not None else asked.words[0]
        raise ValueError(f"{option} is of a table of runs: the paper's figures have the paper's")
    if source is None:
        given = read_published(FOLDER)
        known: Mapping[str, Drawing] = figure_set(Inputs(given, fit_all(given.losses)))
        data = str(given.folder)
    else:
        known, data = sweep_figures(read_sweep(source, objective, asked)), str(source)
    unknown = [name for name in only or () if name not in known]
    if unknown:
        raise ValueError(f"no figure {unknown[0]!r}; there are {', '.join(known)}")
    files: list[Path] = []
    for name in only or known:
        files += figure_style.save_figure(known[name](), Path(out) / name, command=command, data=data)
    return files


def sweep_figures(sweep: SweepResults, *, titled: bool = True) -> dict[str, Drawing]:
    """Every figure that a runs table gives something for: name -> a function that draws it.

    titled: whether the verdict is the title of the figures, and fig2 says what its law is. On a page that begins with
    both they would appear twice.
    """
    told = _titles(sweep, titled)
    known = _of_losses(sweep, told, captioned=not titled) | _of_search(sweep) | _of_laws(sweep, told)
    known |= _of_gains(sweep, told) | _of_doubt(sweep, told)
    for corpus in sweep.determined:
        name = "rivals" if len(sweep.determined) == 1 else f"rivals-{slug(corpus)}"
        known[name] = lambda corpus=corpus: _rivals(sweep, corpus)  # type: ignore[misc]
    return known | _of_training(sweep) | _of_streams(sweep)


def _of_laws(sweep: SweepResults, told: Titles) -> dict[str, Drawing]:
    """Figures of a law that the runs determine: without one they would be empty."""
    if not sweep.determined:
        return {}
    laws = {corpus: fitted.law for corpus, fitted in sweep.determined.items()}
    runs = {corpus: sweep.of(corpus) for corpus in sweep.determined}
    return {
        "excess": lambda: figures.excess(sweep.runs, laws),
        "observed": lambda: figures.observed_expected(sweep.runs, laws, sweep.rejected),
        "fig3": lambda: figures.fig3(sweep.runs, laws),
        "residuals": lambda: figures.residuals(figure_tables.residual_table(sweep.determined, runs)),
        "equivalents": lambda: figures.equivalent_parameters(*equivalent_tables(sweep), verdicts=told()),
    }


def _of_gains(sweep: SweepResults, told: Titles) -> dict[str, Drawing]:
    """What each pair of runs says."""
    if not len(gained := _gained(sweep)):
        return {}
    one = paired_gains.one_stream_fits(sweep.runs)
    doubts = {str(fitted.status) for fitted in one.values() if fitted.status != Status.CONVERGED}
    words = f" (law of $P = 1$ {', '.join(sorted(doubts))})" if doubts else ""
    law = {corpus: fitted.law for corpus, fitted in one.items()}
    known: dict[str, Drawing] = {
        "gains": lambda: figures.draw_gains(gained, law, words, paired_gains.pairs(sweep.runs))
    }
    if np.isfinite(gained["k"]).any():
        known["pair_k"] = lambda: figures.pair_k(
            paired_gains.k_of_pairs(sweep.runs), figure_tables.fitted_k(sweep.sound), words, told()
        )
    return known


def _of_doubt(sweep: SweepResults, told: Titles) -> dict[str, Drawing]:
    """How far to trust the fits."""
    known: dict[str, Drawing] = {}
    tested = figure_tables.backtest_table(sweep.sound, {corpus: sweep.of(corpus) for corpus in sweep.sound})
    if len(tested):
        known["backtest"] = lambda: figures.draw_backtest(tested, told())
    if sweep.sound:
        known["intervals"] = lambda: figures.intervals(figure_tables.interval_table(sweep.sound))
        known["profiles"] = lambda: figures.profiles(
            figure_tables.profile_table(sweep.sound), _threshold(sweep)
        )
    return known


def _of_losses(sweep: SweepResults, told: Titles, captioned: bool) -> dict[str, Drawing]:
    """Loss against N, where some corpus has finished runs of two sizes; without a law where the runs do not determine one."""
    sizes = [size_levels(sweep.of(corpus)) for corpus in sweep.fits if len(sweep.of(corpus))]
    if all(level.max() < 1 for level in sizes):
        return {}
    laws = {corpus: fitted.law for corpus, fitted in sweep.determined.items()}
    bars = BARS if "loss_se" in sweep.runs and sweep.runs["loss_se"].notna().any() else ""

    def notes() -> dict[str, str]:
        short = {corpus: in_short(found) for corpus, found in told().items()}
        return {c: "\n".join(filter(None, (short.get(c), sweep.notes.get(c), bars))) for c in sweep.fits}

    bands = {corpus: fitted.predict for corpus, fitted in sweep.sound.items()}
    return {
        "fig2": lambda: figures.fig2(
            sweep.runs, laws, notes=notes(), bands=bands, rejected=sweep.rejected, captioned=captioned
        )
    }


def _of_search(sweep: SweepResults) -> dict[str, Drawing]:
    """Loss against each setting that the sweep searched, where it is a positive number."""
    names = searched_along(sweep.table)
    minima = searched_minima(sweep.table) if names else pd.DataFrame()
    return {
        "searched" if len(names) == 1 else f"searched-{name}":
            lambda name=name: figures.loss_against_setting(sweep.table, minima, name)  # type: ignore[misc]
        for name in names
    }  # fmt: skip


def _titles(sweep: SweepResults, titled: bool) -> Titles:
    """The verdicts on fits that say something, made where a figure is drawn. None unless `titled`."""
    return lambda: {c: found for c, found in sweep.verdicts.items() if titled and c in sweep.determined}


def _gained(sweep: SweepResults) -> pd.DataFrame:
    """The table of gains. Empty where runs cannot be paired, which the report says."""
    try:
        return sweep.gained
    except ValueError:
        return pd.DataFrame()


def _of_training(sweep: SweepResults) -> dict[str, Drawing]:
    """Curves: P against one stream, of the training loss, and of the validation loss where it was read on the way."""
    if sweep.curves is None or not len(sweep.curves):
        return {}
    curves, absent = recipe_tables.panelled(sweep), recipe_tables.without_curves(sweep)
    beside = recipe_tables.gaps_to_one_stream(sweep)
    known: dict[str, Drawing] = {}
    if len(beside):
        staged = recipe_tables.staged(sweep)
        known["beside-one"] = lambda: figures.beside_one(beside, staged=staged, absent=absent)
    known["training"] = lambda: figures.training_curves(curves, panel="panel", absent=absent)
    if recipe_tables.evaluated(sweep):
        known["held-out"] = lambda: figures.training_curves(curves, column="val_loss", panel="panel")
    return known


def _of_streams(sweep: SweepResults) -> dict[str, Drawing]:
    """What averaging streams gains, where in the text P changes the loss, and P chosen on one backbone."""
    known: dict[str, Drawing] = {}
    context = sweep.context
    if context is not None and len(changed := gains_by_context.changes(context)):
        known["context"] = lambda: figures.by_context(changed, gains_by_context.context_pairs(context))
    streams = sweep.streams
    if streams is not None:
        known["ensemble"] = lambda: figures.ensemble(figure_tables.ensemble_rho_table(streams, sweep.sound))
    table, words, measured = recipe_tables.loss_by_P(sweep)
    if len(table):
        apart = "bars: 95% of each loss alone;\nthe text is the same for all"
        remark = "bars: 95% of the difference\nfrom $P = 1$ on the same text" if measured else apart
        frozen = set(sweep.runs["recipe"]) == {"peft"}
        known["by-P"] = lambda: figures.against_streams(
            table,
            words,
            label=f"validation {LOSS_LABEL}",
            title="one frozen backbone, $P$ chosen" if frozen else "tuned from one checkpoint",
            errors={name: f"{name} bar" for name in words},
            form=".4f",
            remark=remark,
        )
    return known


def _threshold(sweep: SweepResults) -> dict[str, float]:
    """The rise at which a 95% profile interval ends."""
    first = next(iter(sweep.sound.values()), None)
    return {} if first is None else {"95%": float(t_quantile(first, 0.95) ** 2)}


def _rivals(sweep: SweepResults, corpus: str) -> Figure:
    """Rival laws of one corpus at its smallest, middle and largest size."""
    fits = sweep.fits[corpus]
    known = {
        f"{name} (rejected)" if corpus in sweep.rejected and law == "parallel" else name: fits[law]
        for name, law in RIVALS.items()
        if law in fits
    }
    if compared := sweep.verdicts[corpus].comparison:
        best = str(compared.table.index[0])
        if best not in {fitted.form.__name__ for fitted in known.values()}:
            known[f"{best} (lowest AICc)"] = compared.fits[best]
    laws = {name: fitted.law for name, fitted in known.items() if fitted.status != Status.FLAT}
    runs = sweep.of(corpus)
    band = sweep.sound[corpus].predict if corpus in sweep.sound and corpus not in sweep.rejected else None
    sizes = np.sort(runs.loc[runs["P"] == runs["P"].min(), "N"].unique())
    chosen = sorted({float(sizes[0]), float(sizes[len(sizes) // 2]), float(sizes[-1])})
    return figures.rivals(runs, laws, sizes=chosen, up_to=float(8 * runs["P"].max()), band=band)
