"""Figures: pure functions from tables (and laws) to a matplotlib Figure. They load, fit and save nothing."""

from analysis.figures.equivalents import equivalent_parameters
from analysis.figures.fig2 import fig2

__all__ = ["equivalent_parameters", "fig2"]
