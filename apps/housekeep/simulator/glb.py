"""Triangle meshes with one colour a part, as binary glTF (.glb) files that every simulator and viewer reads.

Format: glTF 2.0, https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html (sections 3.6 and 4.4). Axes as there: y up.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]
FLOAT, UINT = 5126, 5125  # component types
VERTICES, INDICES = 34962, 34963  # buffer view targets
CUBE_FACES = (  # axis of the normal, its sign
    (0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1)
)  # fmt: skip


@dataclass(frozen=True)
class Mesh:
    """Triangles of one colour: `points` float [point, 3] in metres, `triangles` int [triangle, 3], counterclockwise."""

    points: NDArray[np.float32]
    triangles: NDArray[np.uint32]
    colour: Colour

    @property
    def flat(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(corners, normals) [3 * triangle, 3]: corners are not shared, so that faces stay flat."""
        corners = self.points[self.triangles]  # [triangle, corner, 3]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        length = np.linalg.norm(normal, axis=1, keepdims=True)
        normal = np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)
        return corners.reshape(-1, 3).astype(np.float32), np.repeat(normal, 3, axis=0).astype(np.float32)


def boxes(centres: Sequence[Sequence[float]], halves: Sequence[Sequence[float]], colour: Colour) -> Mesh:
    """Axis-aligned boxes: centres and half extents, [box, 3] in metres."""
    unit, triangles = _cube()
    points = np.concatenate([np.asarray(c) + unit * np.asarray(h) for c, h in zip(centres, halves, strict=True)])
    offsets = len(unit) * np.arange(len(centres))[:, None, None]
    return Mesh(points.astype(np.float32), (triangles[None] + offsets).reshape(-1, 3).astype(np.uint32), colour)


def _cube() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(points [24, 3] with coordinates -1 and 1, triangles [12, 3])."""
    points, triangles = [], []
    for axis, sign in CUBE_FACES:
        first, second = (axis + 1) % 3, (axis + 2) % 3  # first x second = axis
        face = np.zeros((4, 3))
        face[:, axis] = sign
        face[:, first], face[:, second] = sign * np.array([-1, 1, 1, -1]), [-1, -1, 1, 1]
        start = len(points) * 4
        points.append(face)
        triangles += [(start, start + 1, start + 2), (start, start + 2, start + 3)]
    return np.concatenate(points), np.array(triangles)


def glb(meshes: Sequence[Mesh]) -> bytes:
    """The content of a .glb file with one node, a primitive a mesh."""
    binary, views, accessors, primitives = bytearray(), [], [], []

    def add(array: NDArray[Any], target: int, kind: str, component: int) -> int:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": array.nbytes, "target": target})
        accessor = {"bufferView": len(views) - 1, "componentType": component, "count": len(array), "type": kind}
        if kind == "VEC3":
            accessor |= {"min": array.min(axis=0).tolist(), "max": array.max(axis=0).tolist()}
        accessors.append(accessor)
        binary.extend(array.tobytes())
        return len(accessors) - 1

    for material, mesh in enumerate(meshes):
        corners, normals = mesh.flat
        primitives.append(
            {
                "attributes": {
                    "POSITION": add(corners, VERTICES, "VEC3", FLOAT),
                    "NORMAL": add(normals, VERTICES, "VEC3", FLOAT),
                },
                "indices": add(np.arange(len(corners), dtype=np.uint32), INDICES, "SCALAR", UINT),
                "material": material,
            }
        )
    content = {
        "asset": {"version": "2.0", "generator": "lmgt"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": primitives}],
        "materials": [_material(mesh.colour) for mesh in meshes],
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": views,
        "accessors": accessors,
    }
    return _packed(json.dumps(content).encode(), bytes(binary))


def _material(colour: Colour) -> dict[str, Any]:
    surface = {"baseColorFactor": [*colour, 1.0], "metallicFactor": 0.0, "roughnessFactor": 1.0}
    return {"pbrMetallicRoughness": surface, "doubleSided": True}


def _packed(text: bytes, binary: bytes) -> bytes:
    """Header and the two chunks, each padded to four bytes."""
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    total = 12 + 8 + len(text) + 8 + len(binary)
    return b"".join(
        [
            struct.pack("<4sII", b"glTF", 2, total),
            struct.pack("<I4s", len(text), b"JSON"),
            text,
            struct.pack("<I4s", len(binary), b"BIN\0"),
            binary,
        ]
    )
