"""How often forecasts hold, on public tables and on simulated runs."""
