"""Networks that are deeper than Python lets calls be within each other."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from dtrain.engine.depth import any_depth
from dtrain.engine.model import build_model, stock_model
from dtrain.experiment.spec import Experiment


def test_a_network_deeper_than_python_lets_calls_be() -> None:
    deep = {"network": {"depth": 300, "width": 2}, "normalization": "none"}
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(500)
    try:
        model = build_model(Experiment.model_validate(deep), (3, 3), 2, seed=1)
        copy = stock_model(model)
        assert sys.getrecursionlimit() == 500
    finally:
        sys.setrecursionlimit(before)
    assert len(copy.layers) > 600
    for one, other in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_bound_comes_back_whatever_happens() -> None:
    before = sys.getrecursionlimit()
    with pytest.raises(KeyError), any_depth():
        raise KeyError
    assert sys.getrecursionlimit() == before
