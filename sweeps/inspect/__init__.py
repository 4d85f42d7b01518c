"""Reading trained runs: streams, ensembles, loss by context, generation."""
