"""Launchers of clusters: Slurm, Ray, and what runs on their nodes."""
