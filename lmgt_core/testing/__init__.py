"""Contracts: classes of tests that every implementation inherits, here and in packages of others.

They need pytest. `pytest.register_assert_rewrite("lmgt_core.testing")` in a conftest lets their assertions explain
themselves.
"""
