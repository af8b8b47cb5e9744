"""Tests of dtrain.surgery."""
