"""Fitting a law to a table; the fit as a value, as text and as a file."""
