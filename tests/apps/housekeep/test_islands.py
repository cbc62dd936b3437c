"""Which island of a navigation mesh an episode is on, on a mesh with a roof larger than the floor."""

import numpy as np

from apps.housekeep.simulator.islands import island_of

FLOOR, ROOF, TABLE = 4, 0, 7
SURFACES = {  # island -> x0, z0, x1, z1, height
    FLOOR: (0.0, 0.0, 4.0, 5.0, 0.15),
    ROOF: (-2.0, -2.0, 8.0, 8.0, 2.6),
    TABLE: (5.0, 0.0, 6.0, 1.0, 0.5),
}
STANDING = [(1.0, 0.15, 1.0), (3.0, 0.15, 4.0), (3.5, 0.15, 0.5)]


class Finder:
    """Rectangles as islands, with the calls of habitat-sim's PathFinder."""

    def _nearest(self, at: np.ndarray) -> tuple[int, np.ndarray]:
        points = {
            island: np.array([np.clip(at[0], x0, x1), y, np.clip(at[2], z0, z1)])
            for island, (x0, z0, x1, z1, y) in SURFACES.items()
        }
        return min(points.items(), key=lambda pair: float(np.linalg.norm(pair[1] - at)))

    def snap_point(self, at: np.ndarray) -> np.ndarray:
        point = self._nearest(at)[1]
        return point if np.linalg.norm(point - at) < 5 else np.full(3, np.nan)

    def get_island(self, at: np.ndarray) -> int:
        return self._nearest(at)[0]


def test_the_floor_under_the_start_is_taken_though_the_roof_is_larger() -> None:
    assert island_of(Finder(), (2.0, 0.15, 2.0), STANDING) == (FLOOR, 0.15)
    assert island_of(Finder(), (2.0, 0.0, 2.0), []) == (FLOOR, 0.15)


def test_a_start_that_snaps_to_the_roof_or_to_a_table_is_on_the_floor_before_the_furniture() -> None:
    for start in ((7.5, 0.15, 7.5), (5.5, 0.15, 0.5)):
        assert Finder().get_island(np.array(start)) != FLOOR
        assert island_of(Finder(), start, STANDING) == (FLOOR, 0.15)


def test_an_episode_above_and_beside_the_mesh_is_on_no_island() -> None:
    assert island_of(Finder(), (2.0, 1.3, 2.0), [(50.0, 0.15, 50.0), (np.nan, 0.0, 0.0)]) is None
