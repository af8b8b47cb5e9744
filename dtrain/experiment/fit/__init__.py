"""What fits together: rules of three severities over a whole experiment and what is known of its data."""
