"""benchmarks/housekeep_env.py as a user calls it: what it cannot measure is one line, not a trace."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.housekeep.episodes.load import BUILTIN_FOLDER, load_many
from apps.housekeep.simulator.scene_files import IGIBSON

PROJECT = Path(__file__).parents[3]
HOME = BUILTIN_FOLDER / "val_home_3.json.gz"


def benchmark(*flags: str | Path) -> "subprocess.CompletedProcess[str]":
    """The benchmark without a display."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    command = [sys.executable, "benchmarks/housekeep_env.py", "--seconds", "0.01", "--size", "8", *map(str, flags)]
    environment["PYTHONPATH"] = str(PROJECT)
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere OpenGL needs no display")
def test_furniture_meshes_without_a_display_are_one_line_with_the_way_out(tmp_path: Path) -> None:
    scene = load_many([HOME], "0")[0].scene
    (tmp_path / IGIBSON / "assets_assemble" / scene).mkdir(parents=True)
    done = benchmark("--episodes", HOME, "--root", tmp_path)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and "no OpenGL context" in line and "MUJOCO_GL=egl" in line


def test_a_root_without_the_scene_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = benchmark("--episodes", HOME, "--root", tmp_path)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and line.startswith(f"--root {tmp_path}: nothing is there of the scene")


def test_boxes_are_measured_and_rays_compared_with_images_without_a_display() -> None:
    done = benchmark("--episodes", HOME, "--poses", "4")
    assert done.returncode == 0 and done.stderr == "" and "rendering/s" in done.stdout
    assert "4 poses each" in done.stdout and "image only" in done.stdout
