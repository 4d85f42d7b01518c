"""What training and inference cost, and which (N, P) to build for it."""
