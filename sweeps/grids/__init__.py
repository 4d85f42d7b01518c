"""Grids: functions that return complete configurations."""

from sweeps.grids.axes import Axes
from sweeps.grids.grids import GRIDS, Grid, find

__all__ = ["GRIDS", "Axes", "Grid", "find"]
