"""Whole loss curves under a learning-rate schedule: laws of them, fits, and forecasts of runs in training."""
