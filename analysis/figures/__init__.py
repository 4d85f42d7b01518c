"""Figures: pure functions from tables (and laws) to a matplotlib Figure. They load, fit and save nothing."""

from analysis.figures.against import against_streams
from analysis.figures.by_context import by_context
from analysis.figures.costs import frontier, measured, ratio_map
from analysis.figures.diagnostics import intervals, profiles, residuals
from analysis.figures.ensemble import ensemble
from analysis.figures.equivalents import equivalent_parameters
from analysis.figures.fig1 import fig1_cost, fig1_law
from analysis.figures.fig2 import fig2
from analysis.figures.fig3 import fig3
from analysis.figures.fig4 import fig4
from analysis.figures.gains import gains
from analysis.figures.pair_k import pair_k
from analysis.figures.tests_of_laws import backtest, rivals
from analysis.figures.training import beside_one, training_curves

__all__ = [
    "against_streams",
    "backtest",
    "beside_one",
    "by_context",
    "ensemble",
    "equivalent_parameters",
    "fig1_cost",
    "fig1_law",
    "fig2",
    "fig3",
    "fig4",
    "frontier",
    "gains",
    "intervals",
    "measured",
    "pair_k",
    "profiles",
    "ratio_map",
    "residuals",
    "rivals",
    "training_curves",
]
