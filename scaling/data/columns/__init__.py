"""What the columns of a table stand for: axes, units, states of runs."""
