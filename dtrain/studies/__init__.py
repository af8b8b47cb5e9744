"""Experiments that are trained or compared together."""
