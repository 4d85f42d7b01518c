"""Figures: pure functions from tables, laws and fits to a matplotlib Figure. They load, fit and save nothing."""

from analysis.figures.activation_growth import activation_growth
from analysis.figures.answer_costs import accuracy_against_cost
from analysis.figures.arm_budgets import arm_budgets
from analysis.figures.cost_figures import draw_frontier, fig1_cost, fig4, measured, ratio_map
from analysis.figures.fit_diagnostics import draw_backtest, intervals, profiles, residuals
from analysis.figures.law_views import draw_residuals, excess, observed_expected, plot_fit, rivals
from analysis.figures.paper_forms import fig1_law, fig2, fig3
from analysis.figures.recipe_training import against_streams, beside_one, training_curves
from analysis.figures.searched_setting import loss_against_setting
from analysis.figures.stream_gains import by_context, draw_gains, ensemble, equivalent_parameters, pair_k
from analysis.figures.turned import surface

__all__ = [
    "accuracy_against_cost",
    "activation_growth",
    "against_streams",
    "arm_budgets",
    "beside_one",
    "by_context",
    "draw_backtest",
    "draw_frontier",
    "draw_gains",
    "draw_residuals",
    "ensemble",
    "equivalent_parameters",
    "excess",
    "fig1_cost",
    "fig1_law",
    "fig2",
    "fig3",
    "fig4",
    "intervals",
    "loss_against_setting",
    "measured",
    "observed_expected",
    "pair_k",
    "plot_fit",
    "profiles",
    "ratio_map",
    "residuals",
    "rivals",
    "surface",
    "training_curves",
]
