"""Importing Stable-Baselines3 quickly and quietly."""

import contextlib
import importlib
import io
import sys
from types import ModuleType

STUB = "tensorboard.compat.notf"  # where it lies, TensorBoard does without TensorFlow


def import_stable_baselines3() -> ModuleType:
    """The package `stable_baselines3`, to be called before anything imports it the usual way.

    It imports TensorBoard's writer, which imports all of TensorFlow where that is installed (10 s of CPU) unless it
    finds its own stub; and it tries `import gym`, which prints a notice about its age that is no business of whoever
    trains here. Where TensorFlow is loaded already, no stub is laid: what uses it may need TensorBoard's own way to it.
    """
    if "tensorflow" not in sys.modules:
        sys.modules.setdefault(STUB, ModuleType(STUB))
    with contextlib.redirect_stderr(io.StringIO()):
        return importlib.import_module("stable_baselines3")
