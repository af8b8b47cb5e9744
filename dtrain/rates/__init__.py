"""The learning-rate search: sweep, rules, range, suggestion and grid."""
