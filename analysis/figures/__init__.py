"""Figures: pure functions from tables, laws and fits to a matplotlib Figure. They load, fit and save nothing."""

from analysis.figures.cost_figures import frontier, measured, ratio_map
from analysis.figures.fit_diagnostics import (
    backtest,
    intervals,
    plot_fit,
    plot_residuals,
    profiles,
    residuals,
    rivals,
)
from analysis.figures.paper_forms import fig1_cost, fig1_law, fig2, fig3, fig4
from analysis.figures.recipe_training import against_streams, beside_one, training_curves
from analysis.figures.stream_gains import by_context, ensemble, equivalent_parameters, gains, pair_k

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
    "plot_fit",
    "plot_residuals",
    "profiles",
    "ratio_map",
    "residuals",
    "rivals",
    "training_curves",
]
