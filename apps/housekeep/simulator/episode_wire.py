"""An episode as JSON and back, for a simulator in another process: every number survives, to the last bit."""

from typing import Any

import numpy as np

from apps.housekeep.episodes.episode import Episode, Item, Receptacle


def to_wire(episode: Episode) -> dict[str, Any]:
    """The episode as plain JSON values; `on` [object] stands for the start matrix, `right` [object] for the end's."""
    return {
        "episode_id": episode.episode_id,
        "scene": episode.scene,
        "source": episode.source,
        "start_position": list(episode.start_position),
        "start_rotation": list(episode.start_rotation),
        "receptacles": [vars(receptacle) for receptacle in episode.receptacles],
        "items": [vars(item) for item in episode.items],
        "on": [np.flatnonzero(column).tolist() for column in episode.start.T],
        "right": [np.flatnonzero(column).tolist() for column in episode.end.T],
    }


def from_wire(message: dict[str, Any]) -> Episode:
    """The episode that `to_wire` wrote."""
    receptacles = tuple(Receptacle(**_tuples(fields)) for fields in message["receptacles"])
    items = tuple(Item(**_tuples(fields)) for fields in message["items"])
    shape = (len(receptacles), len(items))
    return Episode(
        episode_id=message["episode_id"],
        scene=message["scene"],
        source=message["source"],
        start_position=tuple(message["start_position"]),
        start_rotation=tuple(message["start_rotation"]),
        receptacles=receptacles,
        items=items,
        start=_matrix(message["on"], shape),
        end=_matrix(message["right"], shape),
    )


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def _matrix(columns: list[list[int]], shape: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    matrix = np.zeros(shape, bool)
    for n, rows in enumerate(columns):
        matrix[rows, n] = True
    return matrix
