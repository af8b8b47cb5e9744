"""Import matplotlib whatever backend somebody else has chosen: pictures that go into files need none."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

VARIABLE = "MPLBACKEND"


def import_matplotlib() -> None:
    """Imports it as it imports itself, but that a backend which it does not know is none."""
    if "matplotlib" in sys.modules:
        return
    chosen = os.environ.pop(VARIABLE, "")
    import matplotlib

    if chosen:
        os.environ[VARIABLE] = chosen
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = chosen
