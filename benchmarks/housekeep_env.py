"""How fast the Housekeep world steps, scene by scene, on one core: prints a table.

    python benchmarks/housekeep_env.py                                # the built-in homes
    python benchmarks/housekeep_env.py --episodes FILE... --seconds 5 --size 84
    python benchmarks/housekeep_env.py --simulator mujoco,mujoco-worker,habitat --habitat-python PATH --root DIR

`rendering` counts a primitive step and an RGB, semantic and depth image; `seeing` a step and the set of visible
instances, which is what training by skills asks for, and which rays find without an image; `first` load infers the
apartment and builds its model, `next` puts another episode into it. The agent walks, turns and looks at random. Times
are of the process's own CPU, so that
waiting for a core does not count (busy neighbours still slow it); `--wall` counts by the clock on the wall, and so does
every simulator that lives in a worker process. `mujoco-worker` is the MuJoCo world behind the worker: the difference
from `mujoco --wall` is what the worker costs.

`--poses 200` measures in a second table how well the rays and the image agree, at so many random poses a scene: each
thing at each pose at which either shows it is shown by `both`, by the `image only` or by the `rays only`. Intervals are
95 % bootstrap intervals over poses. An image of few pixels misses what is small, so say which --size it was.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from apps.housekeep.config import SimulatorConfig
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import BUILTIN_FOLDER, load_many
from apps.housekeep.simulator.factory import check_simulator, make_simulator
from apps.housekeep.simulator.protocol import Action, Simulator
from apps.housekeep.simulator.remote import RemoteSimulator
from lmgt_core.errors import UserError

SIMULATORS = ("mujoco", "mujoco-worker", "habitat")
ACTIONS = [Action.MOVE_FORWARD] * 3 + [Action.TURN_LEFT, Action.TURN_RIGHT, Action.LOOK_UP, Action.LOOK_DOWN]


@dataclass(frozen=True)
class Speed:
    """One apartment's figures; loads in milliseconds."""

    scene: str
    simulator: str
    receptacles: int
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
    simulator: Simulator, look: Callable[[], object], seconds: float, clock: Callable[[], float], seed: int = 0
) -> float:
    """Random steps, each followed by `look`, a second."""
    actions = np.random.default_rng(seed).integers(len(ACTIONS), size=4096)
    count, begin = 0, clock()
    while (spent := clock() - begin) < seconds:
        simulator.step(ACTIONS[actions[count % len(actions)]])
        look()
        count += 1
    return count / spent


def agreement(simulator: Simulator, group: list[Episode], poses: int, seed: int = 0) -> NDArray[np.int64]:
    """[pose, (both, image only, rays only)] how many things each shows, at poses spread over the apartment's episodes,
    up to 20 random steps from their starts."""
    rng, counts = np.random.default_rng(seed), np.zeros((poses, 3), np.int64)
    for row in counts:
        simulator.load(group[int(rng.integers(len(group)))])
        for action in rng.integers(len(ACTIONS), size=rng.integers(21)):
            simulator.step(ACTIONS[action])
        rays, image = simulator.visible(), set(np.unique(simulator.render().semantic).tolist()) - {0}
        row[:] = len(rays & image), len(image - rays), len(rays - image)
    return counts


def shares(counts: NDArray[np.int64], resamples: int = 2000) -> list[str]:
    """The share of each column in all, with the interval that resampling rows gives."""
    picks = np.random.default_rng(0).integers(len(counts), size=(resamples, len(counts)))
    drawn = counts[picks].sum(axis=1)
    low, high = np.nanpercentile(drawn / drawn.sum(axis=1, keepdims=True), (2.5, 97.5), axis=0)
    middle = counts.sum(axis=0) / counts.sum()
    return [f"{m:.3f} [{a:.3f}, {b:.3f}]" for m, a, b in zip(middle, low, high, strict=True)]


def make(name: str, size: int, world: SimulatorConfig) -> Simulator:
    """The simulator called `name`."""
    if name == "mujoco-worker":
        return RemoteSimulator((size, size))
    return make_simulator(replace(world, simulator=name), (size, size))  # type: ignore[arg-type]


def measure(name: str, group: list[Episode], size: int, seconds: float, wall: bool, world: SimulatorConfig) -> Speed:
    """The figures of one apartment in one simulator; its construction counts as part of the first load."""
    clock = time.process_time if name == "mujoco" and not wall else time.perf_counter
    begin = clock()
    simulator = make(name, size, world)
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
    simulator.close()
    return Speed(group[0].scene, name, len(group[0].receptacles), 1000 * first, 1000 * following, rendering, seeing)


def table_of(speeds: Iterable[Speed], size: int) -> Table:
    """The figures as a table."""
    table = Table(title=f"Housekeep world on one core, {size}x{size}")
    table.add_column("scene", no_wrap=True)
    table.add_column("simulator", no_wrap=True)
    for name in ("receptacles", "first ms", "next ms", "rendering/s", "seeing/s"):
        table.add_column(name, justify="right", no_wrap=True)
    for s in speeds:
        table.add_row(
            s.scene,
            s.simulator,
            str(s.receptacles),
            f"{s.first_load:.0f}",
            f"{s.next_load:.2f}",
            f"{s.rendering:,.0f}",
            f"{s.seeing:,.0f}",
        )
    return table


def agreement_table(jobs: Iterable[tuple[str, list[Episode]]], size: int, poses: int, world: SimulatorConfig) -> Table:
    """How well rays and image agree, in each simulator and apartment."""
    table = Table(title=f"What rays find and what an image of {size}x{size} shows, {poses} poses each")
    for name in ("scene", "simulator", "receptacles", "both", "image only", "rays only"):
        table.add_column(name, no_wrap=True)
    for name, group in jobs:
        simulator = make(name, size, world)
        counts = agreement(simulator, group, poses)
        simulator.close()
        table.add_row(group[0].scene, name, str(len(group[0].receptacles)), *shares(counts))
    return table


def main() -> None:
    """Prints the table; ends with one line and code 2 where something cannot be used, as OpenGL without display."""
    try:
        measure_all()
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def measure_all() -> None:
    """Reads the flags, measures, and prints the table."""
    builtin = sorted(BUILTIN_FOLDER.glob("*.json.gz"))
    parser = argparse.ArgumentParser(description="Speed of the Housekeep world.")
    parser.add_argument("--episodes", nargs="+", type=Path, default=builtin, help="episode files (default: built-in)")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds for each figure")
    parser.add_argument("--poses", type=int, default=0, help="compare rays with images at so many poses a scene")
    parser.add_argument("--size", type=int, default=84, help="width and height of the image in pixels")
    parser.add_argument(
        "--wall", action="store_true", help="count by the clock on the wall, not the process's CPU time"
    )
    parser.add_argument("--simulator", default="mujoco", help=f"one or more of {','.join(SIMULATORS)}")
    parser.add_argument("--habitat-python", type=Path, help="the interpreter that has habitat_sim")
    parser.add_argument("--root", type=Path, help="a folder with the benchmark's 3D data")
    arguments = parser.parse_args()
    names = arguments.simulator.split(",")
    world = SimulatorConfig(habitat_python=arguments.habitat_python, root=arguments.root)
    if unknown := [name for name in names if name not in SIMULATORS]:
        raise UserError(f"--simulator {unknown[0]}: choose of {', '.join(SIMULATORS)}")
    if "habitat" in names:
        check_simulator(replace(world, simulator="habitat"))
    groups = apartments(load_many(arguments.episodes))
    jobs = [(name, group) for group in groups for name in names]
    speeds = [
        measure(name, group, arguments.size, arguments.seconds, arguments.wall, world)
        for name, group in track(jobs, description="measuring")
    ]
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table_of(speeds, arguments.size))
    if arguments.poses > 0:
        comparing = track(jobs, description="comparing rays with images")
        console.print(agreement_table(comparing, arguments.size, arguments.poses, world))


if __name__ == "__main__":
    main()
