"""Figures: pure functions from tables, laws and fits to a matplotlib Figure. They load, fit and save nothing."""

from analysis.figures.cost_figures import draw_frontier, measured, ratio_map
from analysis.figures.fit_diagnostics import (
    draw_backtest,
    draw_residuals,
    intervals,
    plot_fit,
    profiles,
    residuals,
    rivals,
)
from analysis.figures.paper_forms import fig1_cost, fig1_law, fig2, fig3, fig4
from analysis.figures.recipe_training import against_streams, beside_one, training_curves
from analysis.figures.stream_gains import by_context, draw_gains, ensemble, equivalent_parameters, pair_k

__all__ = [
    "against_streams",
    "beside_one",
    "by_context",
    "draw_backtest",
    "draw_frontier",
    "draw_gains",
    "draw_residuals",
    "ensemble",
    "equivalent_parameters",
    "fig1_cost",
    "fig1_law",
    "fig2",
    "fig3",
    "fig4",
    "intervals",
    "measured",
    "pair_k",
    "plot_fit",
    "profiles",
    "ratio_map",
    "residuals",
    "rivals",
    "training_curves",
]
