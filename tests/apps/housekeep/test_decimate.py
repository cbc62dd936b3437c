"""Coarser meshes: fewer triangles, the same shape."""

import numpy as np

from apps.housekeep.simulator.decimate import FACES, decimated
from apps.housekeep.simulator.glb import Mesh, boxes


def ball(rings: int, radius: float = 0.5) -> Mesh:
    """A sphere of 2 * rings ** 2 triangles, its faces outwards."""
    turn, tilt = np.meshgrid(np.linspace(0, 2 * np.pi, rings + 1), np.linspace(0.001, np.pi - 0.001, rings + 1))
    points = radius * np.stack([np.cos(turn) * np.sin(tilt), np.cos(tilt), np.sin(turn) * np.sin(tilt)], axis=-1)
    at = (np.arange(rings)[:, None] * (rings + 1) + np.arange(rings)).ravel()
    upper = np.stack([at, at + 1, at + rings + 2], axis=1)
    lower = np.stack([at, at + rings + 2, at + rings + 1], axis=1)
    return Mesh(
        points.reshape(-1, 3).astype(np.float32), np.concatenate([upper, lower]).astype(np.uint32), (0.2, 0.4, 0.6)
    )


def volume(mesh: Mesh) -> float:
    """Of what the triangles enclose, in cubic metres; negative for faces that look inwards."""
    a, b, c = (mesh.points[mesh.triangles[:, i]].astype(float) for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def test_a_mesh_of_few_triangles_is_left_as_it_is() -> None:
    table = boxes([(0, 0, 0)], [(0.4, 0.4, 0.3)], (1, 0, 0))
    assert decimated([table])[0] is table


def test_a_mesh_of_many_triangles_keeps_its_shape_and_its_colour() -> None:
    fine = ball(200)
    (coarse,) = decimated([fine])
    assert len(fine.triangles) == 80_000 and FACES / 3 < len(coarse.triangles) <= FACES
    assert coarse.colour == fine.colour and coarse.triangles.max() == len(coarse.points) - 1
    assert np.isclose(volume(coarse), volume(fine), rtol=0.1)
    for side in (np.min, np.max):
        assert np.allclose(side(coarse.points, axis=0), side(fine.points, axis=0), atol=0.04)


def test_materials_share_the_triangles_by_their_sizes() -> None:
    large, small = decimated([ball(100), ball(20, radius=0.1)], 2000)
    assert len(large.triangles) + len(small.triangles) <= 2000
    assert len(large.triangles) > 5 * len(small.triangles) > 0


def test_the_smallest_mesh_is_not_lost() -> None:
    (coarse,) = decimated([ball(50, radius=0.002)])
    assert FACES / 3 < len(coarse.triangles) <= FACES and np.isclose(np.ptp(coarse.points), 0.004, rtol=0.1)


def test_a_point_far_away_does_not_end_the_program() -> None:
    fine = ball(50, radius=0.002)
    far = Mesh(np.vstack([fine.points, [[1e6, 0, 0]]]).astype(np.float32), fine.triangles, fine.colour)
    assert 0 < len(decimated([far])[0].triangles) <= len(fine.triangles)


def test_triangles_without_an_area_are_left_as_they_are() -> None:
    flat = Mesh(np.zeros((3, 3), np.float32), np.zeros((2 * FACES, 3), np.uint32), (1, 0, 0))
    assert decimated([flat])[0] is flat
