"""Modules are still importable by the names they had before 0.2."""

import importlib

import pytest

from lmgt_core.old_names import NAMES


@pytest.mark.parametrize(("old", "now"), NAMES.items())
def test_an_old_name_gives_the_same_objects_and_tells_the_present_one(old: str, now: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"lmgt_core.{now}"):
        spec = importlib.util.find_spec(f"lmgt_core.{old}")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
    present = importlib.import_module(f"lmgt_core.{now}")
    public = [name for name in vars(present) if not name.startswith("__")]
    assert public and all(getattr(module, name) is getattr(present, name) for name in public)


def test_an_unknown_name_is_still_missing() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("lmgt_core.juge")
