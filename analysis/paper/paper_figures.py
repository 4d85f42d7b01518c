"""The figures of the paper's numbers: which there are, how each is drawn, its caption."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis import figures
from analysis.costs.cost_ratios import cost_ratio, ratio_grid
from analysis.costs.cost_table import cost_table
from analysis.figures.panel_parts import in_short
from analysis.paper.published_numbers import STACK
from analysis.paper.refit import Inputs
from analysis.sweep import figure_tables
from scaling.selection import paired_gains
from scaling.selection.equivalent_size import equivalents, equivalents_by_points
from scaling.uncertainty.interval_methods import t_quantile

RIVALS = {
    "Eq 5: log P": "parallel",
    r"Eq 4: constant $\rho$": "diversity",
    "power of P": "power",
    "additive": "additive",
}
CAPTIONS = {
    "fig1_2": "Equal loss with fewer parameters: the law's saving from P = 1 to P = 8 (form of Figure 1(2)).",
    "fig1_3": "What each way of scaling adds, batch 1, mean over 64 to 512 tokens (form of Figure 1(3)).",
    "fig2": "Loss against non-embedding parameters with the refitted law (form of Figure 2) and, as bands, the "
    "95% prediction interval, beyond the runs a forecast.",
    "excess": "Loss above the fitted floor E on two logarithms: a power law in N is straight.",
    "observed": "Observed loss against the loss the law expects, run by run.",
    "fig3": "Contours of the fitted loss; circles are runs, filled with their own loss (form of Figure 3).",
    "fig4": "Loss against memory and latency at four batch sizes (form of Figure 4).",
    "fig6c": "A frozen backbone with trained streams: the two published points (form of Figure 6(c)).",
    "intervals": "Constants with intervals; the printed ones as bars.",
    "residuals": "What the law of Eq 5 misses, run by run.",
    "profiles": "Profiles: how much worse the fit gets with one constant held away from its best value.",
    "backtest": "Predictions of runs held out: without the largest P, without the largest third of sizes.",
    "rivals": "Rival laws agree on the runs and diverge beyond them; band: 95% prediction interval by the law of Eq 5.",
    "gains": "Change of the loss from P = 1 at each size: it hardly shrinks with N; by Eq 5 it should.",
    "pair_k": "The k that explains each pair of runs: the same for every P, and rising with N. By Eq 5 it is one number.",
    "equivalents": "What P streams are worth in parameters, by the law and read off the points.",
    "ratio_latency": "How many times less latency streams add than parameters, 1.6B; framed: they add more.",
    "ratio_memory": "How many times less memory streams add than parameters, 1.6B; framed: they add more.",
}


def figure_set(inputs: Inputs) -> dict[str, Callable[[], Figure]]:
    """Every figure, in the order of CAPTIONS: name -> a function that draws it."""
    known = _of_laws(inputs) | _of_doubt(inputs) | _of_costs(inputs)
    return {name: known[name] for name in CAPTIONS}


def _of_laws(inputs: Inputs) -> dict[str, Callable[[], Figure]]:
    """Figures of losses and the laws fitted to them."""
    given, fits, runs = inputs.published, inputs.parallel, inputs.runs
    stack, losses, laws = given.corpus(STACK), given.losses, inputs.laws
    notes = {corpus: in_short(found) for corpus, found in inputs.verdicts.items()}
    bands = {corpus: fitted.predict for corpus, fitted in fits.items()}
    one = {corpus: fitted.law for corpus, fitted in paired_gains.one_stream_fits(losses).items()}
    fitted_k = figure_tables.fitted_k(fits)
    return {
        "fig1_2": lambda: figures.fig1_law(stack, laws[STACK]),
        "fig2": lambda: figures.fig2(losses, laws, notes=notes, bands=bands),
        "excess": lambda: figures.excess(losses, laws),
        "observed": lambda: figures.observed_expected(losses, laws),
        "fig3": lambda: figures.fig3(losses, laws),
        "residuals": lambda: figures.residuals(figure_tables.residual_table(fits, runs)),
        "gains": lambda: figures.draw_gains(paired_gains.gains(losses).table, one),
        "pair_k": lambda: figures.pair_k(paired_gains.k_of_pairs(losses), fitted_k, verdicts=inputs.verdicts),
        "equivalents": lambda: figures.equivalent_parameters(
            *_equivalent_curves(inputs), verdicts=inputs.verdicts
        ),
    }


def _of_doubt(inputs: Inputs) -> dict[str, Callable[[], Figure]]:
    """How far to trust the fits: intervals, profiles, hold-outs, rivals."""
    given, fits, runs = inputs.published, inputs.parallel, inputs.runs
    stack = given.corpus(STACK)
    rise = {"95%": float(t_quantile(fits[STACK], 0.95) ** 2)}
    laws = {name: inputs.fits[STACK, law].law for name, law in RIVALS.items()}
    dense = stack.loc[stack["P"] == 1, "N"].sort_values().tolist()
    return {
        "intervals": lambda: figures.intervals(figure_tables.interval_table(fits, given.constants)),
        "profiles": lambda: figures.profiles(figure_tables.profile_table(fits), rise),
        "backtest": lambda: figures.draw_backtest(figure_tables.backtest_table(fits, runs), inputs.verdicts),
        "rivals": lambda: figures.rivals(
            stack, laws, sizes=[dense[0], dense[3], dense[-1]], band=fits[STACK].predict
        ),
    }


def _of_costs(inputs: Inputs) -> dict[str, Callable[[], Figure]]:
    """Figures of costs, and of scores at each P."""
    given = inputs.published
    stack, shapes = given.corpus(STACK), given.architectures
    costs, grid = cost_table(stack, shapes), ratio_grid(stack, shapes)
    scores = {"code_avg_pass1_pct": "pass@1", "code_avg_pass10_pct": "pass@10"}
    return {
        "fig1_3": lambda: figures.fig1_cost(costs[costs["batch"] == 1], cost_ratio(stack, shapes)),
        "fig4": lambda: figures.fig4(costs),
        "fig6c": lambda: figures.against_streams(
            given.peft, scores, label="code average (%)", title="Qwen2.5-3B, frozen"
        ),
        "ratio_latency": lambda: figures.ratio_map(grid),
        "ratio_memory": lambda: figures.ratio_map(grid, column="memory_ratio", what="memory"),
    }


def _equivalent_curves(inputs: Inputs) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Curves out to P = 64 at the size 1.6B, and the points alone, by corpus."""
    streams = np.geomspace(1, 64, 25)  # holds every power of two
    curves, points = {}, {}
    for corpus, fitted in inputs.parallel.items():
        runs = inputs.published.corpus(corpus)
        size = float(runs.loc[(runs["size"] == "1.6B") & (runs["P"] == 1), "N"].iloc[0])
        curves[corpus] = equivalents(fitted, N=size, P=streams, data=runs)
        points[corpus] = equivalents_by_points(runs)
    return curves, points
