"""Language-model guided reward tuning: judges, their audit, and the shifts that agents learn from."""

from typing import TYPE_CHECKING, Any

from lmgt_core.old_names import install as _install_old_names

if TYPE_CHECKING:
    from lmgt_core.guidance.guide import guide as guide

__all__ = ["guide"]
_install_old_names()


def __getattr__(name: str) -> Any:
    """`from lmgt_core import guide` loads Gymnasium; the package itself loads nothing."""
    if name == "guide":
        from lmgt_core.guidance.guide import guide

        return guide
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
