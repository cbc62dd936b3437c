"""What all episodes of one apartment share: shape, walk map, MuJoCo model, sight, sample points."""

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.simulator.apartment import Apartment, ShapeKey, apartment_of
from apps.housekeep.simulator.appearance import Part, furniture_parts
from apps.housekeep.simulator.mujoco_model import build, part_box, set_shape
from apps.housekeep.simulator.navigation import WalkMap
from apps.housekeep.simulator.sight import Samples, Sight

SPACING = 0.3  # metres between sample points on a face
MOST = 4  # sample points along one side of a face
UNDERSIDE_METRES = 1.2  # the underside of what hangs higher than this can be seen


class Scene:
    """An apartment made ready for rays. `bottoms` and `tops` [receptacle] are heights now: `shape` fits them to an
    episode."""

    def __init__(self, apartment: Apartment, walk: WalkMap, items: int) -> None:
        self.apartment, self.walk = apartment, walk
        self.built = build(apartment, items)
        furniture = apartment.furniture
        self.parts = [(k, part) for k, f in enumerate(furniture) for part in furniture_parts(f)]
        self.first_part = self.built.first_item - len(self.parts)
        self.bottoms, self.tops = np.array([f.bottom for f in furniture]), np.array([f.top for f in furniture])
        self.centre = np.array(self.built.model.geom_pos)  # [geom, 3]
        self.half = np.array(self.built.model.geom_size)[:, [0, 2, 1]]  # [geom, 3] of boxes: MuJoCo's y is our -z
        for g, (k, part) in enumerate(self.parts, self.first_part):
            self._measure(g, k, part)
        self.samples = self._samples()
        owner = np.full(self.built.model.ngeom, -1, np.int32)
        owner[self.first_part : self.built.first_item] = [k for k, _ in self.parts]
        owner[self.built.first_item :] = len(furniture)  # objects are never in a view: they move
        self.sight = Sight(apartment.walls, self.samples, walk.cells, owner, self.built.wall_of)

    def _measure(self, geom: int, k: int, part: Part) -> None:
        furniture = self.apartment.furniture[k]
        centre, half = part_box(part, furniture.rect, float(self.bottoms[k]), float(self.tops[k]))
        if part[0] == "cylinder":
            half = (min(half[0], half[2]), half[1], min(half[0], half[2]))
        self.centre[geom], self.half[geom] = centre, half

    def _samples(self) -> Samples:
        places = [
            face_points(self.half[g], part[0], self.apartment.furniture[k].bottom > UNDERSIDE_METRES)
            for g, (k, part) in enumerate(self.parts, self.first_part)
        ]
        counts = [len(unit) for unit, _ in places]
        self._unit = np.concatenate([unit for unit, _ in places]) if places else np.zeros((0, 3))
        self._sampled = self.first_part + np.repeat(np.arange(len(places)), counts)  # [point] geom
        normal = np.concatenate([n for _, n in places]) if places else np.zeros((0, 3))
        owner = np.repeat(np.array([k for k, _ in self.parts], np.intp), counts)
        return Samples(self.centre[self._sampled] + self._unit * self.half[self._sampled], normal, owner)

    def shape(self, bottoms: NDArray[np.float64], tops: NDArray[np.float64]) -> None:
        """Gives furniture new vertical extents, inside the apartment's own: rays rely on the compiled bounds."""
        changed = set(np.flatnonzero((tops != self.tops) | (bottoms != self.bottoms)).tolist())
        if not changed:
            return
        self.bottoms[:], self.tops[:] = bottoms, tops
        for g, (k, part) in enumerate(self.parts, self.first_part):
            if k in changed:
                self._measure(g, k, part)
                set_shape(self.built, g, part[0], self.half[g])
                self.built.model.geom_pos[g] = self.centre[g]
        self.samples.at[:] = self.centre[self._sampled] + self._unit * self.half[self._sampled]


def face_points(
    half: NDArray[np.float64], primitive: str, underside: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(points in units of the half extents, outward normals), [point, 3] each, on the faces of a primitive.

    A box gets a grid on every face, its underside only where that can be seen. Round things get points just inside
    their surface, so that a ray at them hits the thing itself.
    """
    if primitive != "box":
        directions = np.array([(0, 1, 0), (1, 0, 0), (-1, 0, 0), (0, 0, 1), (0, 0, -1)], float)
        if primitive == "ellipsoid":
            return np.vstack([0.6 * directions, np.zeros((1, 3))]), np.vstack([directions, np.zeros((1, 3))])
        sides = np.vstack([0.95 * directions[1:] + (0, h, 0) for h in (-0.6, 0.6)])
        return np.vstack([directions[:1] * 0.98, sides]), np.vstack([directions[:1], directions[1:], directions[1:]])
    points, normals = [], []
    for axis, sign in ((1, 1), (0, 1), (0, -1), (2, 1), (2, -1), (1, -1)):
        if (axis, sign) == (1, -1) and not underside:
            continue
        others = [a for a in range(3) if a != axis]
        grids = [_spread(2 * half[a]) for a in others]
        first, second = (g.ravel() for g in np.meshgrid(*grids))
        face = np.zeros((len(first), 3))
        face[:, axis], face[:, others[0]], face[:, others[1]] = sign, first, second
        normal = np.zeros_like(face)
        normal[:, axis] = sign
        points.append(face)
        normals.append(normal)
    return np.vstack(points), np.vstack(normals)


def _spread(length: float) -> NDArray[np.float64]:
    """Places in [-1, 1] along a side of `length` metres: its middle, or up to MOST of them spread out."""
    count = min(MOST, max(1, round(length / SPACING)))
    return np.array([0.0]) if count == 1 else np.linspace(-1 + 0.3 / count, 1 - 0.3 / count, count)


_SHAPES: OrderedDict[ShapeKey, tuple[Apartment, WalkMap]] = OrderedDict()  # by shape_key, for all simulators
SHAPES_KEPT = 64


def shape_of(key: ShapeKey, episode: Episode) -> tuple[Apartment, WalkMap]:
    """The apartment and walk map of `episode`, whose shape_key is `key`; inferred once per process."""
    if key not in _SHAPES:
        apartment = apartment_of(episode)
        _SHAPES[key] = (apartment, WalkMap(apartment))
        if len(_SHAPES) > SHAPES_KEPT:
            _SHAPES.popitem(last=False)
    _SHAPES.move_to_end(key)
    return _SHAPES[key]
