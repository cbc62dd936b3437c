"""The home from above, for videos: floor seen and unseen, furniture, objects right and wrong, the agent and its trail.

The map is drawn from the whole truth, which the agent does not have: whoever shows it says so.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from apps.housekeep.simulator.appearance import furniture_look
from apps.housekeep.simulator.geometry import Rect
from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.simulator.protocol import CELL_METRES, FIELD_OF_VIEW_DEGREES
from apps.housekeep.task import Task

Colour = tuple[int, int, int]
Point = tuple[float, float]

GROUND: Colour = (24, 27, 33)
UNSEEN: Colour = (52, 56, 64)
SEEN: Colour = (206, 201, 190)
WALL: Colour = (12, 13, 16)
TRAIL: Colour = (66, 135, 220)
OLD_TRAIL: Colour = (142, 166, 196)
AGENT: Colour = (255, 214, 10)
RIGHT: Colour = (52, 199, 89)
WRONG: Colour = (255, 69, 58)
OVERSAMPLED = 3  # marks are drawn larger and reduced, for smooth edges
MARGIN_METRES = 0.2
SPREAD_METRES = 0.34  # between the marks of objects that share a receptacle
RECENT = 60  # steps of the trail in the stronger colour


class HomeMap:
    """Draws one episode's home, always in the same frame of `size` x `size` pixels with `border` pixels left free above
    and below."""

    def __init__(self, simulator: MujocoSimulator, size: int, border: int = 0) -> None:
        self.simulator, self.size = simulator, size
        left, top, right, bottom = self._bounds()
        self.scale = min(size / (right - left), (size - 2 * border) / (bottom - top))  # pixels a metre
        self.corner = (
            (left + right) / 2 - size / (2 * self.scale),
            (top + bottom) / 2 - size / (2 * self.scale),
        )
        self._base: tuple[object, Image.Image] | None = None
        radius = max(0.17 * self.scale, 4.5)
        self._right, self._wrong = disc(radius, RIGHT), disc(radius, WRONG)
        self._unseen = {True: disc(radius, RIGHT, hollow=True), False: disc(radius, WRONG, hollow=True)}
        self._agent = disc(1.15 * radius, AGENT)

    def _bounds(self) -> tuple[float, float, float, float]:
        rects = [f.rect for f in self.simulator.apartment.furniture]
        rects += [wall.rect for wall in self.simulator.apartment.walls]
        cells = self.simulator.floor_cells()
        return (
            min([r.x0 for r in rects] + [cells[:, 0].min()]) - MARGIN_METRES,
            min([r.z0 for r in rects] + [cells[:, 1].min()]) - MARGIN_METRES,
            max([r.x1 for r in rects] + [cells[:, 0].max()]) + MARGIN_METRES,
            max([r.z1 for r in rects] + [cells[:, 1].max()]) + MARGIN_METRES,
        )

    def pixel(self, x: float, z: float) -> Point:
        """Where (x, z) lies on the map."""
        return ((x - self.corner[0]) * self.scale, (z - self.corner[1]) * self.scale)

    def draw(self, task: Task, trail: Sequence[Point], target: int | None = None) -> NDArray[np.uint8]:
        """The map now, uint8 [size, size, 3]; `target` is a receptacle to point out."""
        image = self._still(task).copy()
        canvas = ImageDraw.Draw(image)
        if target is not None:
            rect = self.simulator.apartment.furniture[target].rect
            canvas.rectangle([self.pixel(rect.x0, rect.z0), self.pixel(rect.x1, rect.z1)], None, AGENT, 2)
        points = [self.pixel(x, z) for x, z in trail]
        for part, colour in ((points[: -RECENT + 1], OLD_TRAIL), (points[-RECENT:], TRAIL)):
            if len(part) > 1:
                canvas.line(part, fill=colour, width=2, joint="curve")
        self._draw_agent(image, canvas)
        for item, place in self.marks(task).items():
            known = item in task.memory.item_on
            mark = (self._right if task.right[item] else self._wrong) if known else self._unseen[bool(task.right[item])]
            self._stamp(image, mark, place)
        return np.asarray(image)

    def _still(self, task: Task) -> Image.Image:
        """Floor, furniture, walls and rooms; drawn again only when something was seen for the first time."""
        key = (int(task.memory.explored.sum()), frozenset(task.memory.receptacles))
        if self._base is None or self._base[0] != key:
            image = Image.new("RGB", (2 * self.size, 2 * self.size), GROUND)
            canvas = ImageDraw.Draw(image)
            half = CELL_METRES / 2 + 0.01
            for (x, z), seen in zip(self.simulator.floor_cells(), task.memory.explored, strict=True):
                self._box(canvas, Rect(x - half, z - half, x + half, z + half), SEEN if seen else UNSEEN)
            pieces = self.simulator.apartment.furniture
            order = sorted(range(len(pieces)), key=lambda k: pieces[k].top)  # higher covers lower
            for k in order:
                if not pieces[k].flat:
                    self._box(canvas, pieces[k].rect, self._colour(task, k), WALL)
            for wall in self.simulator.apartment.walls:
                self._box(canvas, wall.rect, WALL)
            for k in order:
                if pieces[k].flat:  # it hangs on a wall
                    self._box(canvas, pieces[k].rect, self._colour(task, k))
            self._base = (key, image.reduce(2))
        return self._base[1]

    def _colour(self, task: Task, k: int) -> Colour:
        """A receptacle's own colour, dimmed while the agent does not know it."""
        look, _ = furniture_look(task.episode.receptacles[k].category)
        red, green, blue = (int(255 * (c if k in task.memory.receptacles else 0.3 * c + 0.1)) for c in look)
        return (red, green, blue)

    def _box(self, canvas: ImageDraw.ImageDraw, rect: Rect, fill: Colour, outline: Colour | None = None) -> None:
        (left, top), (right, bottom) = self.pixel(rect.x0, rect.z0), self.pixel(rect.x1, rect.z1)
        corners = [2 * left, 2 * top, max(2 * right, 2 * left + 3), max(2 * bottom, 2 * top + 3)]
        canvas.rectangle(corners, fill, outline, 2)

    def _draw_agent(self, image: Image.Image, canvas: ImageDraw.ImageDraw) -> None:
        pose = self.simulator.pose
        x, _, z = pose.position
        half, reach = math.radians(FIELD_OF_VIEW_DEGREES / 2), 0.9
        edges = [(x - reach * math.sin(pose.yaw + a), z - reach * math.cos(pose.yaw + a)) for a in (-half, half)]
        canvas.line([self.pixel(*edges[0]), self.pixel(x, z), self.pixel(*edges[1])], AGENT, 2)
        self._stamp(image, self._agent, (x, z))

    def marks(self, task: Task) -> dict[int, Point]:
        """Where each object's mark goes: beside each other on the middle of their receptacle, in the agent's hand."""
        x, _, z = self.simulator.pose.position
        sharing: dict[int, list[int]] = {}
        for item, receptacle in enumerate(task.on):
            sharing.setdefault(receptacle, []).append(item)
        places = {}
        for receptacle, items in sharing.items():
            middle = (x, z) if receptacle < 0 else self.simulator.apartment.furniture[receptacle].rect.centre
            for i, item in enumerate(items):
                places[item] = (middle[0] + SPREAD_METRES * (i - (len(items) - 1) / 2), middle[1])
        return places

    def _stamp(self, image: Image.Image, mark: Image.Image, at: Point) -> None:
        x, y = self.pixel(*at)
        image.paste(mark, (round(x - mark.width / 2), round(y - mark.height / 2)), mark)


def disc(radius: float, colour: Colour, hollow: bool = False) -> Image.Image:
    """A disc with a dark rim (or a ring of `colour`), smooth, on nothing."""
    large, middle = OVERSAMPLED * (radius + 1), OVERSAMPLED * (radius + 1)
    image = Image.new("RGBA", (math.ceil(2 * large), math.ceil(2 * large)), (*colour, 0))
    corners = [middle - OVERSAMPLED * radius, middle - OVERSAMPLED * radius] + [middle + OVERSAMPLED * radius] * 2
    fill, rim = ((*WALL, 90), colour) if hollow else (colour, WALL)
    ImageDraw.Draw(image).ellipse(corners, fill, rim, round((2.2 if hollow else 1.4) * OVERSAMPLED))
    return image.reduce(OVERSAMPLED)
