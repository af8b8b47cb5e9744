"""Real images: find them, verify them, download them, split them and scale them, with NumPy alone."""
