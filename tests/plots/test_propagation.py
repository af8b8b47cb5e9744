"""The picture of a probe has a line for each initializer, which ends where numbers do."""

from __future__ import annotations

import numpy as np

from dtrain.diagnosis.at_rest import Probed
from dtrain.diagnosis.propagation import LayerAtRest, Verdict
from dtrain.plots.propagation import propagation_figure


def test_every_initializer_has_a_line_in_both_directions() -> None:
    layers = tuple(
        LayerAtRest(f"dense_{number}", 0.0, 1.0, gradient, 0.0) for number, gradient in enumerate((0.0, 0.5))
    )
    found = [Probed(name, Verdict("keeps", 1.0, None, ""), 2.3, layers) for name in ("$he", "zeros")]
    forward, backward = propagation_figure(found, "title").axes
    assert [str(line.get_label()) for line in forward.get_lines()] == ["$he: keeps", "zeros: keeps"]
    heights = np.asarray(backward.get_lines()[0].get_ydata(), np.float64)
    assert np.isnan(heights[0]) and heights[1] == 0.5 and backward.get_yscale() == "log"
