"""Figures, tables, costs and claims: everything that is shown of runs and fits.

May import `scaling`; never `sweeps`, but for `analysis.measure`, which times real models.
"""
