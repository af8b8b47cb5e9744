"""The stochastic passes of mc-predict."""
