"""One training run: a configuration in, one row of the runs table out."""
