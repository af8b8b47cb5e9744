"""The vocabulary: one file per family of techniques, each named like its key in an experiment file."""
