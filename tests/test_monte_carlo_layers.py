"""The name that scripts import before they load a saved Monte Carlo model."""

from __future__ import annotations

import keras

from dtrain import monte_carlo_layers


def test_importing_it_registers_the_layers_that_are_always_on() -> None:
    found = keras.saving.get_registered_object("dtrain>MCDropout")
    assert found is monte_carlo_layers.always_on.MCDropout
