"""Fixtures of the workflows' tests."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def hasty_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes files without waiting for the disk: tests that make up many runs need not survive a loss of power."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
