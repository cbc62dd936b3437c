"""The simulator that a command's flags name."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence

from apps.housekeep.config import SimulatorConfig
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.simulator.protocol import Simulator
from apps.housekeep.simulator.scene_files import SceneFiles
from lmgt_core.errors import UserError
from lmgt_core.extras import need

SIZE = (84, 84)
CHECK_SECONDS = 120  # habitat_sim takes seconds to import, on a cold disk many


def make_simulator(config: SimulatorConfig | None = None, size: tuple[int, int] = SIZE) -> Simulator:
    """The world of `config` (default: MuJoCo) with images of (height, width) = `size`; close it when done."""
    config = config or SimulatorConfig()
    if config.simulator == "mujoco":
        from apps.housekeep.simulator.mujoco_world import MujocoSimulator

        return MujocoSimulator(size) if config.root is None else MujocoSimulator(size, "opengl", root=config.root)
    from apps.housekeep.simulator.habitat_remote import HabitatSimulator

    return HabitatSimulator(size, config.root, habitat_python(config))


def habitat_python(config: SimulatorConfig) -> str:
    """The interpreter of the habitat-sim worker: --habitat-python, or this one where habitat_sim is installed."""
    if config.habitat_python is not None:
        return str(config.habitat_python)
    if importlib.util.find_spec("habitat_sim") is None:
        raise UserError(
            "--simulator habitat: habitat_sim is not installed here; name an interpreter that has it with "
            "--habitat-python PATH (environment.yml says how to make one)"
        )
    return sys.executable


def check_scenes(config: SimulatorConfig, episodes: Sequence[Episode]) -> None:
    """Refuses episodes of whose scenes nothing is under --root, before anything is written."""
    if config.root is not None:
        layout = SceneFiles(config.root.absolute())
        for episode in {episode.scene: episode for episode in episodes}.values():
            layout.require(episode, shell_suffices=config.simulator == "habitat")


def check_simulator(config: SimulatorConfig) -> None:
    """Refuses what cannot be simulated, naming the flag, before anything is written."""
    if config.root is not None:
        SceneFiles(config.root)
    need(f"--simulator {config.simulator}", "mujoco")  # habitat-sim's views are found by rays against its boxes
    if config.simulator != "habitat":
        if config.habitat_python is not None:
            raise UserError("--habitat-python goes with --simulator habitat")
        return
    python = habitat_python(config)
    try:
        tried = subprocess.run(
            [python, "-c", "import habitat_sim"], capture_output=True, text=True, timeout=CHECK_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"--habitat-python {python}: cannot be run ({error})") from None
    if tried.returncode:
        reason = (tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"])[-1]
        raise UserError(f"--habitat-python {python}: does not import habitat_sim ({reason})")
