"""Somebody else's model files, read safely, cut and grafted."""
