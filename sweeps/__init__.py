"""Training: grids of models, the corpora they read, and the sweeps that train them."""
