"""Assertions of the contract classes explain themselves."""

import pytest

pytest.register_assert_rewrite("lmgt_core.testing", "captioners.testing")
