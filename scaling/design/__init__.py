"""What to train next: suggested runs and compute-optimal allocations."""
