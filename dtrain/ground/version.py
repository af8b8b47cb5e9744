"""The version of dtrain, which is part of what a run depends on."""

__version__ = "0.1.0"
