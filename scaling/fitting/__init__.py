"""Fitting a law to a table, and the fit as a value, as text and as a file."""
