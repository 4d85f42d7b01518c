"""Intervals of parameters and predictions, and tests of what they rest on."""
