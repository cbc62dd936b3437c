"""How fast the Housekeep world steps, scene by scene, on one core: prints a table.

    python benchmarks/housekeep_env.py                                # the built-in homes
    python benchmarks/housekeep_env.py --episodes FILE... --seconds 5 --size 84

`rendering` counts a primitive step and an RGB, semantic and depth image; `seeing` a step and the set of visible
instances, which is what training by skills asks for; `first` load infers the apartment and builds its model, `next`
puts another episode into it. The agent walks, turns and looks at random. Times are of the process's own CPU, so that
waiting for a core does not count (busy neighbours still slow it); `--wall` counts by the clock on the wall.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

import apps.housekeep
from apps.housekeep.episode import Episode
from apps.housekeep.episodes import load_many
from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.simulator.protocol import Action
from lmgt_core.errors import UserError

ACTIONS = [Action.MOVE_FORWARD] * 3 + [Action.TURN_LEFT, Action.TURN_RIGHT, Action.LOOK_UP, Action.LOOK_DOWN]


@dataclass(frozen=True)
class Speed:
    """One apartment's figures; loads in milliseconds."""

    scene: str
    receptacles: int
    geoms: int
    first_load: float
    next_load: float
    rendering: float  # steps a second
    seeing: float


def apartments(episodes: Iterable[Episode]) -> list[list[Episode]]:
    """The episodes by apartment: those that share their furniture."""
    groups: dict[int, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault(id(episode.receptacles), []).append(episode)
    return list(groups.values())


def steps_a_second(
    simulator: MujocoSimulator, look: Callable[[], object], seconds: float, clock: Callable[[], float], seed: int = 0
) -> float:
    """Random steps, each followed by `look`, a second."""
    actions = np.random.default_rng(seed).integers(len(ACTIONS), size=4096)
    count, begin = 0, clock()
    while (spent := clock() - begin) < seconds:
        simulator.step(ACTIONS[actions[count % len(actions)]])
        look()
        count += 1
    return count / spent


def measure(group: list[Episode], size: int, seconds: float, clock: Callable[[], float]) -> Speed:
    """The figures of one apartment."""
    simulator = MujocoSimulator((size, size))
    begin = clock()
    simulator.load(group[0])
    first = clock() - begin
    loads = (group[1:] + group[:1])[:20]
    begin = clock()
    for episode in loads:
        simulator.load(episode)
    following = (clock() - begin) / len(loads)
    simulator.load(group[0])
    seeing = steps_a_second(simulator, simulator.visible, seconds, clock)
    rendering = steps_a_second(simulator, simulator.render, seconds, clock)
    geoms = simulator._scene.built.first_item
    return Speed(group[0].scene, len(group[0].receptacles), geoms, 1000 * first, 1000 * following, rendering, seeing)


def table_of(speeds: Iterable[Speed], size: int) -> Table:
    """The figures as a table."""
    table = Table(title=f"Housekeep world on one core, {size}x{size}")
    table.add_column("scene", no_wrap=True)
    for name in ("receptacles", "geoms", "first ms", "next ms", "rendering/s", "seeing/s"):
        table.add_column(name, justify="right", no_wrap=True)
    for s in speeds:
        table.add_row(
            s.scene,
            str(s.receptacles),
            str(s.geoms),
            f"{s.first_load:.0f}",
            f"{s.next_load:.2f}",
            f"{s.rendering:,.0f}",
            f"{s.seeing:,.0f}",
        )
    return table


def main() -> None:
    builtin = sorted((Path(apps.housekeep.__file__).parent / "data" / "builtin").glob("*.json.gz"))
    parser = argparse.ArgumentParser(description="Speed of the Housekeep world.")
    parser.add_argument("--episodes", nargs="+", type=Path, default=builtin, help="episode files (default: built-in)")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds for each figure")
    parser.add_argument("--size", type=int, default=84, help="width and height of the image in pixels")
    parser.add_argument(
        "--wall", action="store_true", help="count by the clock on the wall, not the process's CPU time"
    )
    arguments = parser.parse_args()
    clock = time.perf_counter if arguments.wall else time.process_time
    try:
        groups = apartments(load_many(arguments.episodes))
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    speeds = [measure(g, arguments.size, arguments.seconds, clock) for g in track(groups, description="measuring")]
    Console(width=None if sys.stdout.isatty() else 110).print(table_of(speeds, arguments.size))


if __name__ == "__main__":
    main()
