"""Where scripts that load a saved Monte Carlo model import its layers from: their place is `dtrain.layers`."""

from dtrain.layers import always_on as always_on
