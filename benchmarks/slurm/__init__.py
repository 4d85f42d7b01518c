"""The Slurm launcher against a real Slurm on this machine, fault by fault."""
