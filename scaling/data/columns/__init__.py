"""What the columns of a table mean: axes, units, states of runs."""
