"""How furniture and objects look: a few coloured primitives each, recognisable by shape, colour and pattern.

Every part is given in the furniture's own box: fractions of its width (x), height (y) and depth (z). Seats and
headboards are on the side away from the standing place. Patterns (shelf boards, drawers, window bars) are painted by
the camera.
"""

import colorsys
import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.simulator.geometry import Furniture

Primitive = Literal["box", "cylinder", "ellipsoid"]
Colour = tuple[float, float, float]  # red, green, blue in [0, 1]
Part = tuple[Primitive, float, float, float, float, float, float]  # primitive, x0, y0, z0, x1, y1, z1 as fractions


class Pattern(IntEnum):
    """What is painted on a surface."""

    PLAIN = 0
    TILES = 1  # floor
    BOARDS = 2  # shelf: dark openings between boards
    DRAWERS = 3  # cabinet: lines with a knob
    BARS = 4  # window, mirror: a frame and a cross
    FRAME = 5  # picture, television, door: a darker border
    ROUND = 6  # washer, dryer, oven: a round window in front
    STRIPES = 7  # carpet, bed: stripes


FLOOR: Colour = (0.62, 0.52, 0.42)
CEILING: Colour = (0.92, 0.92, 0.90)
WALL: Colour = (0.84, 0.81, 0.75)

_FURNITURE: dict[str, tuple[Colour, Pattern]] = {
    "bathtub": ((0.93, 0.95, 0.97), Pattern.PLAIN),
    "bed": ((0.75, 0.30, 0.35), Pattern.STRIPES),
    "bottom_cabinet": ((0.50, 0.33, 0.20), Pattern.DRAWERS),
    "bottom_cabinet_no_top": ((0.58, 0.44, 0.30), Pattern.DRAWERS),
    "carpet": ((0.35, 0.25, 0.50), Pattern.STRIPES),
    "chair": ((0.70, 0.48, 0.22), Pattern.PLAIN),
    "chest": ((0.40, 0.24, 0.12), Pattern.DRAWERS),
    "coffee_table": ((0.42, 0.28, 0.16), Pattern.PLAIN),
    "counter": ((0.45, 0.47, 0.50), Pattern.PLAIN),
    "cushion": ((0.80, 0.60, 0.75), Pattern.PLAIN),
    "dishwasher": ((0.70, 0.73, 0.76), Pattern.FRAME),
    "door": ((0.48, 0.30, 0.14), Pattern.FRAME),
    "dryer": ((0.88, 0.90, 0.86), Pattern.ROUND),
    "floor_lamp": ((0.95, 0.88, 0.55), Pattern.PLAIN),
    "fridge": ((0.78, 0.82, 0.86), Pattern.FRAME),
    "guitar": ((0.75, 0.42, 0.12), Pattern.PLAIN),
    "heater": ((0.95, 0.93, 0.88), Pattern.STRIPES),
    "mirror": ((0.70, 0.82, 0.86), Pattern.FRAME),
    "monitor": ((0.12, 0.13, 0.16), Pattern.FRAME),
    "microwave": ((0.30, 0.31, 0.33), Pattern.FRAME),
    "office_chair": ((0.18, 0.20, 0.24), Pattern.PLAIN),
    "oven": ((0.28, 0.28, 0.30), Pattern.ROUND),
    "picture": ((0.30, 0.50, 0.65), Pattern.FRAME),
    "plant": ((0.18, 0.48, 0.20), Pattern.PLAIN),
    "shelf": ((0.66, 0.50, 0.32), Pattern.BOARDS),
    "shower": ((0.62, 0.80, 0.86), Pattern.BARS),
    "sink": ((0.86, 0.88, 0.90), Pattern.DRAWERS),
    "sofa": ((0.28, 0.38, 0.55), Pattern.PLAIN),
    "sofa_chair": ((0.36, 0.46, 0.36), Pattern.PLAIN),
    "standing_tv": ((0.10, 0.11, 0.13), Pattern.FRAME),
    "table": ((0.60, 0.40, 0.22), Pattern.PLAIN),
    "toilet": ((0.96, 0.96, 0.93), Pattern.PLAIN),
    "top_cabinet": ((0.55, 0.38, 0.25), Pattern.DRAWERS),
    "towel_rack": ((0.70, 0.75, 0.90), Pattern.STRIPES),
    "trash_can": ((0.32, 0.36, 0.34), Pattern.PLAIN),
    "wall_mounted_tv": ((0.10, 0.11, 0.14), Pattern.FRAME),
    "washer": ((0.92, 0.92, 0.95), Pattern.ROUND),
    "window": ((0.60, 0.80, 0.98), Pattern.BARS),
}


def furniture_look(category: str) -> tuple[Colour, Pattern]:
    """Colour and pattern of a receptacle; a muted colour of its own for a category that is not in the table."""
    return _FURNITURE.get(category) or (_hashed_colour(category, 0.35, 0.6), Pattern.PLAIN)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _hashed_colour(text: str, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(_digest(text)[0] / 256, saturation, value)
    return (red, green, blue)


def furniture_parts(furniture: Furniture) -> list[Part]:
    """The primitives that make up a piece of furniture, in fractions of its box; always the same number per piece."""
    category = furniture.category
    if category in ("table", "coffee_table"):  # open below: carpets lie there, with things on them
        legs = ((0.05, 0.42, 0.12, 0.58), (0.88, 0.42, 0.95, 0.58))
        if furniture.rect.size[1] > furniture.rect.size[0]:
            legs = ((0.42, 0.05, 0.58, 0.12), (0.42, 0.88, 0.58, 0.95))
        return [("box", 0, 0.9, 0, 1, 1, 1), *(("box", x0, 0, z0, x1, 0.9, z1) for x0, z0, x1, z1 in legs)]
    if category in ("chair", "office_chair"):
        return [
            ("box", 0, 0.42, 0, 1, 0.52, 1),
            ("box", 0.42, 0, 0.42, 0.58, 0.42, 0.58),
            _rear(furniture, 0.12, 0.52, 1.0),
        ]
    if category in ("sofa", "sofa_chair"):
        return [("box", 0, 0, 0, 1, 0.55, 1), _rear(furniture, 0.2, 0.55, 1.0)]
    if category == "bed":
        return [("box", 0, 0, 0, 1, 0.8, 1), _end(furniture, 0.06, 0.8, 1.0)]
    if category == "toilet":
        return [("cylinder", 0.05, 0, 0.05, 0.95, 0.55, 0.95), _rear(furniture, 0.3, 0.0, 1.0)]
    if category == "plant":
        return [("cylinder", 0.2, 0, 0.2, 0.8, 0.3, 0.8), ("ellipsoid", 0, 0.3, 0, 1, 1, 1)]
    if category == "floor_lamp":
        return [("cylinder", 0.44, 0, 0.44, 0.56, 0.75, 0.56), ("cylinder", 0.1, 0.75, 0.1, 0.9, 1, 0.9)]
    if category == "guitar":
        return [("ellipsoid", 0, 0, 0, 1, 0.5, 1), ("box", 0.42, 0.45, 0.42, 0.58, 1, 0.58)]
    if category in ("trash_can",):
        return [("cylinder", 0, 0, 0, 1, 1, 1)]
    if category == "cushion":
        return [("ellipsoid", 0, 0, 0, 1, 1, 1)]
    return [("box", 0, 0, 0, 1, 1, 1)]


def _rear(furniture: Furniture, depth: float, y0: float, y1: float) -> Part:
    """A panel on the side of the box away from the standing place."""
    (x, z), (cx, cz) = furniture.nav, furniture.rect.centre
    width, length = furniture.rect.size
    if abs(x - cx) / width > abs(z - cz) / length:
        return ("box", 0, y0, 0, depth, y1, 1) if x > cx else ("box", 1 - depth, y0, 0, 1, y1, 1)
    return ("box", 0, y0, 0, 1, y1, depth) if z > cz else ("box", 0, y0, 1 - depth, 1, y1, 1)


def _end(furniture: Furniture, depth: float, y0: float, y1: float) -> Part:
    """A panel at one end of the longer axis, away from the standing place."""
    (x, z), (cx, cz) = furniture.nav, furniture.rect.centre
    width, length = furniture.rect.size
    if width >= length:
        return ("box", 0, y0, 0, depth, y1, 1) if x > cx else ("box", 1 - depth, y0, 0, 1, y1, 1)
    return ("box", 0, y0, 0, 1, y1, depth) if z > cz else ("box", 0, y0, 1 - depth, 1, y1, 1)


@dataclass(frozen=True)
class ItemLook:
    """An object as one primitive: half extents in metres along width, height, depth."""

    primitive: Primitive
    half: tuple[float, float, float]
    colour: Colour


_SHAPE_WORDS = {  # words of object categories
    "round": "ball baseball softball racquetball orange apple peach pear plum lemon helmet",
    "cylinder": (
        "can cup cups mug bottle jar canister candle vase pitcher teapot bowl lamp lantern bulb pan pot skillet plate "
        "saucer oven tape ramekin dish lipstick mascara sprinkles cooker holder coaster container"
    ),
    "flat": "plate saucer skillet tray book pad tablet laptop folder mat coaster cloth towel dvd cd dish lid",
    "long": (
        "fork knife spoon spatula screwdriver wrench hammer marker scissors toothbrush umbrella flashlight pencil "
        "crayon dumbbell straightener chain cable opener remote"
    ),
    "soft": "toy toys cushion pillow figure animal hat gloves shoe backpack handbag bag sponge candy rest",
}
_WORDS = {shape: frozenset(words.split()) for shape, words in _SHAPE_WORDS.items()}
HALF_HEIGHTS = (0.03, 0.15)  # metres, the shortest and tallest object's half height


def item_look(category: str, half_height: float) -> ItemLook:
    """The look of an object: shape from the words of its category, colour and width from its hash, height as given."""
    words, digest = set(category.replace("-", "_").split("_")), _digest(category)
    height = min(max(half_height, HALF_HEIGHTS[0]), HALF_HEIGHTS[1])
    width = 0.05 + 0.05 * digest[1] / 255
    colour = _hashed_colour(category, 0.65 + 0.35 * digest[2] / 255, 0.75 + 0.25 * digest[3] / 255)
    if words & _WORDS["long"]:
        return ItemLook("box", (0.035, min(height, 0.05), 0.13), colour)
    if words & _WORDS["round"]:
        return ItemLook("ellipsoid", (width, height, width), colour)
    if words & _WORDS["cylinder"]:
        width = width + 0.03 if words & _WORDS["flat"] else width
        return ItemLook("cylinder", (width, height, width), colour)
    if words & _WORDS["soft"]:
        return ItemLook("ellipsoid", (width + 0.02, height, width), colour)
    depth = 0.04 + 0.06 * digest[4] / 255
    return ItemLook("box", (width + (0.03 if words & _WORDS["flat"] else 0.0), height, depth), colour)


def rgb(colours: list[Colour]) -> NDArray[np.float32]:
    """[n, 3] float32 colours."""
    return np.array(colours, np.float32).reshape(-1, 3)
