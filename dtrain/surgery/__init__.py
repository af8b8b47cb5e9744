"""Surgery: the lower layers of a base with new ones on top, in a model of its own; the base is only looked at."""
