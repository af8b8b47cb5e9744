"""A probe for people to read: what could not be measured, and what was not learnt."""

from __future__ import annotations

from dtrain.diagnosis.at_rest import ByHeart, Probed
from dtrain.diagnosis.propagation import LayerAtRest, Verdict
from dtrain.workflows.probe import ProbeReport


def test_what_is_beyond_numbers_is_said() -> None:
    layer = LayerAtRest("dense_1", None, None, None, None)
    probed = Probed("random_normal stddev=9.0", Verdict("explodes", None, None, "beyond"), None, (layer,))
    text = str(ProbeReport((probed,), 2.303, ByHeart(16, None, None, (0.1, 1.0, 0.01)), None))
    assert "random_normal stddev=9.0 explodes: beyond" in text
    assert "first loss not finite; guessing has 2.303: far from it" in text
    assert "16 images cannot be learnt by heart at any rate tried: 0.1, 1 and 0.01" in text


def test_a_rate_that_had_to_be_looked_for_is_told_with_those_that_failed() -> None:
    layer = LayerAtRest("dense_1", 0.0, 1.0, 1.0, 0.5)
    probed = Probed("he_normal", Verdict("keeps", 1.02, 0.98, "x0.98 a layer"), 2.4, (layer,))
    text = str(ProbeReport((probed,), 2.303, ByHeart(16, 0.1, 41, (0.01, 0.1)), None))
    assert "16 images are learnt by heart in 41 steps at rate 0.1, but not at 0.01" in text
    assert "x1.02" in text and "50%" in text and "far from it" not in text
