"""Results and progress for people to read; the only package that imports Rich."""
