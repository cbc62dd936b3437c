"""A MuJoCo world that breaks on purpose, served by worker.py in the tests of worker processes."""

import ctypes
import os
from pathlib import Path
from typing import Any

from apps.housekeep.simulator.mujoco_served import ServedMujoco
from apps.housekeep.simulator.protocol import Action, StepResult


class FaultyWorld(ServedMujoco):
    """Breaks in the way `how` after `after` steps: dies, hangs (holding the interpreter's lock) or raises.

    With `once` (a file that must not exist yet) it breaks in one process only: the next one finds the file.
    """

    def __init__(self, size: tuple[int, int], how: str, after: int = 0, once: str | None = None) -> None:
        super().__init__(size)
        self.how, self.after, self.once = how, after, once
        self.steps = 0

    def step(self, action: Action) -> StepResult:
        self.steps += 1
        if self.steps > self.after and (self.once is None or not Path(self.once).exists()):
            if self.once is not None:
                Path(self.once).touch()
            self._break()
        return super().step(action)

    def _break(self) -> None:
        print(f"about to break: {self.how}", flush=True)
        if self.how == "die":
            os._exit(3)
        if self.how == "hang":
            ctypes.PyDLL(None).sleep(1000)
        raise KeyError("broken inside")


def make(size: tuple[int, int], **options: Any) -> FaultyWorld:
    """The world for worker.py."""
    return FaultyWorld(size, **options)
