"""The text of an experiment file: read, checked, explained and written."""
