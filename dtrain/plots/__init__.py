"""Results to pictures; the only room that imports matplotlib."""
