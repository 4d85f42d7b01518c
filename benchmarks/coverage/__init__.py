"""How often intervals cover the truth, measured on simulated runs."""
