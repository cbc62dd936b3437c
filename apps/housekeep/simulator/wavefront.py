"""Wavefront .obj files, as far as scenes need them: points, faces and the colours of their materials.

Textures are not read: a material's diffuse colour (Kd in the .mtl file) stands for them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from apps.housekeep.simulator.glb import Colour, Mesh
from lmgt_core.errors import UserError

GREY: Colour = (0.7, 0.7, 0.7)


def read_obj(path: Path) -> list[Mesh]:
    """A mesh for every material with faces in the file; UserError for a file that holds none or cannot be read."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    points: list[list[float]] = []
    faces: dict[str, list[tuple[int, int, int]]] = {}
    colours: dict[str, Colour] = {}
    material = ""
    try:
        for line in lines:
            word, _, rest = line.strip().partition(" ")
            if word == "v":
                points.append([float(number) for number in rest.split()[:3]])
            elif word == "f":
                faces.setdefault(material, []).extend(_triangles(rest.split(), len(points)))
            elif word == "usemtl":
                material = rest.strip()
            elif word == "mtllib":
                colours |= _colours(path.with_name(rest.strip()))
        where = np.array(points, np.float32).reshape(-1, 3)
        if not np.isfinite(where).all():
            raise ValueError("a point that is nowhere")
        found = [_mesh(where, np.array(f, np.int64), colours.get(name, GREY)) for name, f in faces.items() if f]
    except (ValueError, IndexError) as error:
        raise UserError(f"{path}: is no sound .obj file ({str(error)[:100]})") from None
    if not found:
        raise UserError(f"{path}: holds no faces; is it a pointer that was saved in place of the file?")
    return found


def _triangles(corners: list[str], count: int) -> Iterator[tuple[int, int, int]]:
    """A polygon as a fan; `3/1/2` names point 3, and -1 the last point so far."""
    numbers = [int(corner.split("/")[0]) for corner in corners]
    indices = [n - 1 if n > 0 else count + n for n in numbers]
    if not all(0 <= i < count for i in indices):
        raise ValueError("a face with a point that is not there")
    for i in range(1, len(indices) - 1):
        yield (indices[0], indices[i], indices[i + 1])


def _mesh(points: np.ndarray, faces: np.ndarray, colour: Colour) -> Mesh:
    """The faces with the points that they use."""
    used, renumbered = np.unique(faces, return_inverse=True)
    return Mesh(points[used], renumbered.reshape(-1, 3).astype(np.uint32), colour)


def _colours(path: Path) -> dict[str, Colour]:
    """The diffuse colour of every material of an .mtl file; {} when there is no such file."""
    if not path.is_file():
        return {}
    found: dict[str, Colour] = {}
    name = ""
    for line in path.read_text(errors="replace").splitlines():
        words = line.split()
        if words[:1] == ["newmtl"]:
            name = " ".join(words[1:])
        elif words[:1] == ["Kd"] and len(words) >= 4:
            found[name] = (float(words[1]), float(words[2]), float(words[3]))
    return found
