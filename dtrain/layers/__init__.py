"""The layers and the optimizer that Keras lacks."""
