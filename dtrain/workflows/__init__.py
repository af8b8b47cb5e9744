"""One workflow per command, each callable from Python and returning a frozen result object."""
