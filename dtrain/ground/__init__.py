"""What every room stands on: files, errors, printable text and signals."""
