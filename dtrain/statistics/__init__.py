"""Intervals, significance, power, calibration and uncertainty, in NumPy alone."""
