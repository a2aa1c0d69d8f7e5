"""Slurm, by its own commands: what is queued or running there, and submitting what is due."""
