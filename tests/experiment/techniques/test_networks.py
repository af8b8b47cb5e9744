"""Networks: branches are whole, and where residual convolutions are pooled."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from dtrain.experiment.techniques.networks import ConvNetwork, Network


def network(**written: Any) -> Network:
    found: Network = TypeAdapter(Network).validate_python(written)
    return found


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"depth": 7, "width": 5, "residual": True}, "got 7 with residual: true; expected an even number, .* 6 or 8"),
        ({"hidden": [5], "residual": True}, "got 1 with residual: true; expected an even number, such as 2"),
        ({"filters": [4, 4, 4], "residual": True}, "got 3 with residual: true"),
        ({"depth": 4, "width": 5, "fixup": True}, "got true without branches; expected residual: true"),
    ],
)
def test_what_makes_no_whole_branches_is_refused(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        network(**written)


@pytest.mark.parametrize(
    ("residual", "pooled"),
    [(False, (True,) * 6), (True, (False, False, False, True, False, True))],
)
def test_residual_convolutions_are_pooled_only_where_channels_change(residual: bool, pooled: tuple[bool, ...]) -> None:
    found = network(filters=[8, 8, 8, 8, 16, 16], residual=residual)
    assert isinstance(found, ConvNetwork) and found.pooled == pooled
