"""What the tests of surgery share: the reader of model files in this process."""

from __future__ import annotations

from tests.bases.conftest import reader_in_this_process as reader_in_this_process
