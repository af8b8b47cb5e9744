"""The run folder: its files, names, ownership, checkpoints and results, and the catalogue of all runs."""
