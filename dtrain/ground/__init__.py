"""What every room stands on: files, errors, printable text, random streams and signals."""
