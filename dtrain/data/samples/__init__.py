"""Bundled subsets of MNIST and Fashion-MNIST, and the script that made them."""
