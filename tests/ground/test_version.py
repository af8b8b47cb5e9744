"""There is one version, be it asked of dtrain or of what is installed."""

from __future__ import annotations

import tomllib

import dtrain
from tests.pages import ROOT


def test_it_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert dtrain.__version__ == project["version"]
