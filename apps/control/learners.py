"""Stable-Baselines3's learners, imported when something is trained and not before."""

from types import ModuleType

from lmgt_core.quick_import import import_stable_baselines3


def load_learners() -> ModuleType:
    """The module `apps.control.agents`, with Stable-Baselines3 behind it."""
    import_stable_baselines3()
    from apps.control import agents

    return agents
