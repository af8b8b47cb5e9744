"""The families of techniques that an experiment names."""
