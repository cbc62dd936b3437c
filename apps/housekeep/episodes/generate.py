"""Generated episodes: furnished apartments with things in wrong places, in the Housekeep benchmark's file format.

For machines without the benchmark's data, for tests and for the demo. Everything follows from a seed. Training
apartments hold the common-sense table's train objects, evaluation apartments its test objects.

`python -m apps.housekeep.episodes.generate` writes the built-in files anew.
"""

import gzip
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.config import GenerateConfig
from apps.housekeep.episodes.floor_plan import draw_plan
from apps.housekeep.episodes.furnish import furnish
from apps.housekeep.episodes.load import BUILTIN_FOLDER
from apps.housekeep.knowledge.common_sense import SIZE, SPLITS, belongs
from apps.housekeep.knowledge.places import place_name
from apps.housekeep.simulator.grid import steps_graph
from apps.housekeep.simulator.protocol import FORWARD_METRES
from apps.housekeep.standing import Floor, Piece
from lmgt_core.errors import check_least
from lmgt_core.files import write_atomic

FEET = 0.146  # metres, y of standing places and of the start: the benchmark's navigation meshes lie that high
OBJECTS = (7, 10)  # in an episode
MISPLACED = (3, 5)
MARGIN = 0.01  # metres around an object on its receptacle
TWO_FROM = 0.7  # metres of width from which a receptacle holds two objects at the start
TURNS = 18  # starting directions
LEG_EXTRA = 10  # steps that the oracle spends on turning (half a turn) and on the grab, besides walking a way
PLAN_TRIES = 100
VAL_SHARE = 3  # every third scene is for evaluation
BUILTIN_SET = GenerateConfig(out=BUILTIN_FOLDER, scenes=4, episodes=100, seed=12)  # what comes with the project


@dataclass(frozen=True)
class Home:
    """A furnished apartment: `pieces` in the order of the file, `start`, and walking metres [piece + start, piece]."""

    name: str
    pieces: tuple[Piece, ...]
    keys: tuple[str, ...]
    start: tuple[float, float]
    metres: NDArray[np.float64]

    @property
    def places(self) -> list[str]:
        """`room|receptacle` of every piece."""
        return [place_name(p.category, p.room_id.rsplit("_", 1)[0]) for p in self.pieces]


@dataclass
class Packer:
    """A receptacle's top as a strip along x, filled from left to right."""

    piece: Piece
    objects: list[tuple[str, float, float, float, bool]] = field(default_factory=list)  # key, x, width, depth, turned


def main(config: GenerateConfig) -> list[Path]:
    """Writes the files and says which."""
    check_least(1, {"scenes": config.scenes, "episodes": config.episodes})
    check_least(0, {"seed": config.seed})
    paths = generate(config.out, config.scenes, config.episodes, config.seed)
    print("\n".join(map(str, paths)))
    return paths


def generate(out: Path, scenes: int, episodes: int, seed: int) -> list[Path]:
    """Writes `scenes` files of `episodes` episodes each into `out`: train_home_0.json.gz, ..., val_home_N.json.gz.

    The last third of the scenes (of one scene none, of two the second) is for evaluation, with objects of its own. The
    same arguments give the same bytes.
    """
    evaluation = 0 if scenes == 1 else max(1, scenes // VAL_SHARE)
    paths = []
    for scene in range(scenes):
        val = scene >= scenes - evaluation
        name = f"{'val' if val else 'train'}_home_{scene}"
        rng = np.random.default_rng([seed, scene])
        home = build_home(f"Home_{scene}_int", rng)
        content = {"episodes": draw_episodes(home, SPLITS["test" if val else "train"], episodes, rng)}
        text = json.dumps(content, separators=(",", ":"), allow_nan=False)
        path = out / f"{name}.json.gz"
        write_atomic(path, gzip.compress(text.encode(), compresslevel=9, mtime=0))
        paths.append(path)
    return paths


def build_home(name: str, rng: np.random.Generator) -> Home:
    """A random furnished apartment."""
    for _ in range(PLAN_TRIES):
        plan = draw_plan(rng)
        furnished = furnish(plan, rng)
        if furnished is not None:
            break
    else:
        raise RuntimeError(f"{name}: no floor plan of {PLAN_TRIES} could be furnished")
    pieces, start = sorted(furnished[0], key=lambda p: (p.category, p.room_id, p.rect.x0, p.rect.z0)), furnished[1]
    keys = tuple(f"{p.room_id or None}-{p.category}_{i}_0.urdf" for i, p in enumerate(pieces))
    floor = Floor(plan)
    metres = _walking_metres(floor, floor.free(pieces), [*(p.standing for p in pieces), start])
    return Home(name, tuple(pieces), keys, start, metres[:, :-1])


def _walking_metres(
    floor: Floor, free: NDArray[np.bool_], points: Sequence[tuple[float, float]]
) -> NDArray[np.float64]:
    """[point, point] metres of the shortest way on the free floor."""
    from scipy.sparse.csgraph import dijkstra

    graph, node = steps_graph(free, np.ones(free.shape))
    nodes = [int(node[floor.grid.cell(*point)]) for point in points]
    metres: NDArray[np.float64] = dijkstra(graph, indices=nodes)[:, nodes] * floor.grid.step
    return np.round(metres, 6)  # so that the last bit, which differs between machines, decides nothing


def draw_episodes(home: Home, objects: Sequence[str], count: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """`count` episodes of a home, as the file's JSON objects."""
    correct = np.array([[belongs(name, place) for name in objects] for place in home.places])  # [piece, object]
    fits = np.array([[_fit(piece, name) is not None for name in objects] for piece in home.pieces])
    usable = np.flatnonzero((correct & fits).any(axis=0))
    return [_draw_episode(home, i, objects, correct, fits, usable, rng) for i in range(count)]


def _draw_episode(
    home: Home,
    episode_id: int,
    objects: Sequence[str],
    correct: NDArray[np.bool_],
    fits: NDArray[np.bool_],
    usable: NDArray[np.int64],
    rng: np.random.Generator,
) -> dict[str, Any]:
    count = int(rng.integers(*OBJECTS, endpoint=True))
    misplaced = int(rng.integers(*MISPLACED, endpoint=True))
    wrong = (rng.permutation(count) < misplaced).tolist()
    packers = [Packer(piece) for piece in home.pieces]
    chosen: list[int] = []
    on: list[int] = []
    for n in rng.permutation(usable).tolist():
        if len(on) == count:
            break
        room_left = np.array([len(p.objects) < _capacity(p.piece) for p in packers])
        possible = np.flatnonzero(fits[:, n] & (correct[:, n] != wrong[len(on)]) & room_left)
        if len(possible):  # else every place of the object is taken: another object comes instead
            chosen.append(n)
            on.append(int(rng.choice(possible)))
            _put(packers[on[-1]], objects[n], rng)
    return _as_json(home, episode_id, [objects[n] for n in chosen], on, correct[:, chosen], packers, rng)


def _fit(piece: Piece, name: str) -> tuple[float, float, bool] | None:
    """(width along x, depth along z, turned) of the object on the piece; None where it does not fit."""
    width, depth, _ = SIZE[name]
    room_x, room_z = (side / _capacity(piece) if i == 0 else side for i, side in enumerate(piece.rect.size))
    for turned in (False, True):
        x, z = (depth, width) if turned else (width, depth)
        if piece.kind.top > 0 and x + 2 * MARGIN <= room_x and z + 2 * MARGIN <= room_z:
            return x, z, turned
    return None


def _capacity(piece: Piece) -> int:
    return 2 if piece.rect.size[0] >= TWO_FROM else 1


def _put(packer: Packer, name: str, rng: np.random.Generator) -> None:
    """Lays the object at a random place of the receptacle's next free part."""
    fit = _fit(packer.piece, name)
    assert fit is not None  # only receptacles where the object fits are drawn
    width, depth, turned = fit
    part = packer.piece.rect.size[0] / _capacity(packer.piece)
    low = packer.piece.rect.x0 + part * len(packer.objects) + MARGIN
    x = round(float(rng.uniform(low, low + part - width - 2 * MARGIN)), 3)
    packer.objects.append((f"{name}_1", x, width, depth, turned))


def _as_json(
    home: Home,
    episode_id: int,
    names: Sequence[str],
    on: Sequence[int],
    correct: NDArray[np.bool_],
    packers: Sequence[Packer],
    rng: np.random.Generator,
) -> dict[str, Any]:
    start_matrix = np.zeros(correct.shape)
    start_matrix[on, np.arange(len(names))] = 1
    yaw = 2 * math.pi * int(rng.integers(TURNS)) / TURNS
    laid = {key: (k, x, w, d, turned) for k, p in enumerate(packers) for key, x, w, d, turned in p.objects}
    objects = [_object_pose(home.pieces[laid[f"{n}_1"][0]], n, *laid[f"{n}_1"][1:]) for n in names]
    misplaced = [bool(correct[k, n] == 0) for n, k in enumerate(on)]
    return {
        "episode_id": episode_id,
        "scene_id": f"generated/scenes/{home.name}.glb",
        "start_position": [home.start[0], FEET, home.start[1]],
        "start_rotation": _about_y(yaw),
        "default_matrix_shape": [len(home.pieces), 0],
        "start_matrix": start_matrix.tolist(),
        "end_matrix": correct.astype(float).tolist(),
        "objs_keys": [f"{name}_1" for name in names],
        "objs_cats": list(names),
        "recs_keys": list(home.keys),
        "recs_cats": [p.category for p in home.pieces],
        "objs_pos": [pose for pose, _ in objects],
        "objs_rot": [rotation for _, rotation in objects],
        "recs_pos": [_centre(p) for p in home.pieces],
        "recs_rot": [_about_y(_facing(p)) for p in home.pieces],
        "nav_recs_pos": [[p.standing[0], FEET, p.standing[1]] for p in home.pieces],
        "misplaced_count": float(sum(misplaced)),
        "objects_count": len(names),
        "objs_files": [f"generated/{name}.obj" for name in names],
        "recs_packers": {key: _packer_json(p) for key, p in zip(home.keys, packers, strict=True)},
        "oracle_steps_solve": _oracle_steps(home, on, correct, misplaced),
        "oracle_paths": None,
    }


def _object_pose(
    piece: Piece, name: str, x: float, width: float, depth: float, turned: bool
) -> tuple[list[float], list[float]]:
    """(position of the object's middle, rotation): it rests on the receptacle, in the middle of its depth."""
    y = piece.kind.top + SIZE[name][2] / 2
    at = [round(x + width / 2, 3), round(y, 3), round(piece.rect.centre[1], 3)]
    return at, _about_y(math.pi / 2 if turned else 0.0)


def _centre(piece: Piece) -> list[float]:
    x, z = piece.rect.centre
    return [round(x, 3), piece.kind.y, round(z, 3)]


def _facing(piece: Piece) -> float:
    """The angle about y, in quarter turns, by which the piece looks at its standing place."""
    (x, z), (to_x, to_z) = piece.rect.centre, piece.standing
    return round(math.atan2(x - to_x, z - to_z) / (math.pi / 2)) * math.pi / 2


def _about_y(angle: float) -> list[float]:
    """The quaternion x, y, z, w of a turn about y."""
    return [0.0, round(math.sin(angle / 2), 6), 0.0, round(math.cos(angle / 2), 6)]


def _packer_json(packer: Packer) -> dict[str, Any]:
    """Footprint, and (where objects lie) one shelf of free and occupied strips along x with the objects' rectangles."""
    rect = packer.piece.rect
    corner, size = [rect.x0, rect.z0], [round(side, 3) for side in rect.size]
    out: dict[str, Any] = {"shelves": [], "bottom_left": corner, "size": size, "matches": []}
    if not packer.objects:
        return out
    spaces, end = [], rect.x0
    for key, x, width, depth, turned in packer.objects:
        low, high = round(x - MARGIN, 3), round(x + width + MARGIN, 3)
        if low > end:
            spaces.append({"kind": "free", "dims": [end, low]})
        spaces.append({"kind": "occupied", "dims": [max(low, end), high]})
        end = high
        laid = {"id": key, "size": [width, depth], "bottom_left": [x, round(rect.centre[1] - depth / 2, 3)]}
        out["matches"].append(
            {"rect": laid | {"is_rotated": turned}, "score": 0.0, "space_idx": len(spaces) - 1, "shelf_idx": 0}
        )
    if rect.x1 > end:
        spaces.append({"kind": "free", "dims": [end, rect.x1]})
    out["shelves"] = [{"size": size, "bottom_left": corner, "max_height": size[1], "spaces": spaces, "idx": 0}]
    return out


def _oracle_steps(home: Home, on: Sequence[int], correct: NDArray[np.bool_], misplaced: Sequence[bool]) -> int:
    """Steps of an oracle that always fetches the nearest misplaced object and brings it to the nearest right place."""
    at, steps = len(home.pieces), 0
    left = [n for n, wrong in enumerate(misplaced) if wrong]
    while left:
        n = min(left, key=lambda n: home.metres[at, on[n]])
        left.remove(n)
        goal = min(np.flatnonzero(correct[:, n]).tolist(), key=lambda k: home.metres[on[n], k])
        metres = (home.metres[at, on[n]], home.metres[on[n], goal])
        steps += sum(math.ceil(m / FORWARD_METRES - 1e-6) + LEG_EXTRA for m in metres)
        at = goal
    return steps


if __name__ == "__main__":
    main(BUILTIN_SET)
