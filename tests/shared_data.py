"""Where the real benchmark data lies, for the tests that use it."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
HOUSEKEEP = SHARED / "housekeep"
needs_shared = pytest.mark.skipif(
    not HOUSEKEEP.is_dir(), reason="needs the real Housekeep files in ../shared/housekeep"
)
