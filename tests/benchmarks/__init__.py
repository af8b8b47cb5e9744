"""Measurements that anyone can repeat, one command each; none of them is a test."""
