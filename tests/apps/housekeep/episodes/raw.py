"""Episodes as files hold them: JSON of a small home, and files of it."""

import gzip
import json
from pathlib import Path
from typing import Any

UNREAD = ("default_matrix_shape", "misplaced_count", "objects_count", "oracle_steps_solve", "oracle_paths")
KEYS = ["kitchen_0-counter_0_0.urdf", "bedroom_1-bed_1_0.urdf", "None-window_2_0.urdf"]


def raw_episode(episode_id: int = 7, objects: tuple[str, ...] = ("toaster", "pillow")) -> dict[str, Any]:
    """A valid episode: the first object on the counter, the others on the bed, where everything belongs."""
    count = len(objects)
    return {
        "episode_id": episode_id,
        "scene_id": "data/scenes/Home_0_int.glb",
        "start_position": [0.5, 0.15, 1.0],
        "start_rotation": [0.0, 0.6, 0.0, 0.8],
        "default_matrix_shape": [3, 0],
        "start_matrix": [[1.0] + [0.0] * (count - 1), [0.0] + [1.0] * (count - 1), [0.0] * count],
        "end_matrix": [[0.0] * count, [1.0] * count, [0.0] * count],
        "objs_keys": [f"{name}_1" for name in objects],
        "objs_cats": list(objects),
        "objs_pos": [[0.1, 0.9, 0.2]] * count,
        "objs_rot": [[0.0, 0.0, 0.0, 1.0]] * count,
        "objs_files": [f"models/{name}.obj" for name in objects],
        "recs_keys": list(KEYS),
        "recs_cats": ["counter", "bed", "window"],
        "recs_pos": [[0.5, 0.45, 0.3], [3.0, 0.3, 2.0], [2.0, 1.4, 0.0]],
        "recs_rot": [[0.0, 0.0, 0.0, 1.0]] * 3,
        "nav_recs_pos": [[0.5, 0.15, 1.0], [2.0, 0.15, 2.0], [2.0, 0.15, 0.5]],
        "recs_packers": {
            key: {"bottom_left": [float(i), 0.0], "size": [1.2, 0.6], "shelves": [], "matches": []}
            for i, key in enumerate(KEYS)
        },
        "misplaced_count": 1.0,
        "objects_count": count,
        "oracle_steps_solve": 123,
        "oracle_paths": None,
    }


def write(path: Path, *episodes: Any) -> Path:
    text = json.dumps({"episodes": list(episodes)}).encode()
    path.write_bytes(gzip.compress(text, 1) if path.suffix == ".gz" else text)
    return path
