"""Forecasts beyond the runs: laws pooled, size effects, drift, and forecasts registered and scored."""
