"""Assertions of the contract classes explain themselves; what audits keep is kept apart from the user's."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite("lmgt_core.testing", "captioners.testing")


@pytest.fixture(autouse=True)
def kept(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which audits keep their judgments, for one test."""
    folder = tmp_path_factory.mktemp("kept")
    monkeypatch.setattr("lmgt_core.audit.commands.home", lambda: folder)
    return folder / "audited.sqlite"
