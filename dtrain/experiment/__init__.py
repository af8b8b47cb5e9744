"""What an experiment is: its specification, techniques, file, and what the lesson advises."""
