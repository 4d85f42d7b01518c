"""Commands that fit laws to a table of runs and test them."""
