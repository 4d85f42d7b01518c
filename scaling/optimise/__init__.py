"""Finding the optimum of a problem, and certifying it."""
