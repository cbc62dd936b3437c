"""The MuJoCo simulator as worker.py serves it: this is how the worker's protocol is tested where habitat_sim is not."""

from typing import Any

from apps.housekeep.episodes.episode import Item
from apps.housekeep.simulator.episode_wire import from_wire
from apps.housekeep.simulator.mujoco_world import MujocoSimulator


class ServedMujoco(MujocoSimulator):
    """`MujocoSimulator` whose episodes come as JSON."""

    @property
    def items(self) -> tuple[Item, ...]:
        """The loaded episode's objects."""
        return self.episode.items

    def load_message(self, message: dict[str, Any]) -> None:
        """Loads the episode of a load request."""
        self.load(from_wire(message["episode"]))


def make(size: tuple[int, int], **options: Any) -> ServedMujoco:
    """The world for worker.py; `options` are those of `MujocoSimulator`."""
    return ServedMujoco(size, **options)
