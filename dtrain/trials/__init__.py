"""One experiment with one seed, trained into a run folder."""
