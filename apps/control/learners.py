"""Importing Stable-Baselines3 quickly and quietly."""

import contextlib
import io
import sys
import types
from types import ModuleType


def load_learners() -> ModuleType:
    """The module `apps.control.agents`, with Stable-Baselines3 behind it.

    Stable-Baselines3 imports TensorBoard, which imports all of TensorFlow where that is installed (10 s of CPU), unless
    it finds its own stub, tensorboard.compat.notf; and it imports gym, which prints a paragraph about its age.
    """
    if "stable_baselines3" not in sys.modules:
        stub = "tensorflow" not in sys.modules and "tensorboard.compat.notf" not in sys.modules
        if stub:
            sys.modules["tensorboard.compat.notf"] = types.ModuleType("tensorboard.compat.notf")
        with contextlib.redirect_stderr(io.StringIO()):
            import stable_baselines3  # noqa: F401
    from apps.control import agents

    return agents
