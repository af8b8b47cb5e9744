"""Tests of `dtrain.bases`."""
