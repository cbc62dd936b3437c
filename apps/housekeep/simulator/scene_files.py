"""Where the benchmark keeps its 3D models, under a folder laid out as its repository is.

    ROOT/data/scene_datasets/igibson/scenes/<Scene>.glb               room shell (stage)
    ROOT/data/scene_datasets/igibson/assets_assemble/<Scene>/<key>/   furniture: <key>.object_config.json, model.obj
    ROOT/data/{google_object_dataset,amazon-berkeley,objects,...}     objects, as the episodes' objs_files name them
    ROOT/data/scene_datasets/igibson/scenes/<Scene>_approx.navmesh    navigation meshes; <Scene> as in the episodes
    ROOT/navmesh/<Scene>_<receptacles>_approx.navmesh                 the same, one for a set of furniture
    ROOT/cos_eor/scripts/dump/scale_rots_all.npy                      scales of objects

Nothing here imports a simulator: `lmgt housekeep data` and both worlds ask the same questions.
"""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from apps.housekeep.agent.array_pickle import PickleError, read_object_npy
from apps.housekeep.episodes.episode import Episode, Item, Receptacle
from lmgt_core.errors import UserError

IGIBSON = "data/scene_datasets/igibson"
CONFIG = ".object_config.json"
POINTER = b"version https://git-lfs"  # a Git LFS pointer in place of a file
PARTS = ("wall", "floor", "ceiling")  # the meshes that a stage is made of


@dataclass(frozen=True)
class Model:
    """A 3D model that is there: its configuration file, or only its mesh; `scale` where the configuration has none."""

    path: Path
    mesh: Path
    scale: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class SceneFiles:
    """The files under `root`; `scaled` False finds models without asking for the table of scales."""

    root: Path
    scaled: bool = True

    def __post_init__(self) -> None:
        if not (self.root / "data").is_dir():
            raise UserError(
                f"--root {self.root}: there is no folder {self.root / 'data'}; name a clone of the benchmark's "
                "repository, which holds data/ (lmgt housekeep data --root DIR then tells what is missing in it)"
            )

    def stage(self, scene: str) -> Path | None:
        """The room shell: the benchmark's, or one that was built from walls, floor and ceiling."""
        folder = self.root / IGIBSON / "scenes"
        return next((path for path in (folder / f"{scene}.glb", self.built_stage(scene)) if there(path)), None)

    def built_stage(self, scene: str) -> Path:
        """Where a stage that is built goes; beside the benchmark's own, never in its place."""
        return self.root / IGIBSON / "scenes" / "built" / f"{scene}.glb"

    def shell_meshes(self, scene: str) -> list[Path]:
        """iGibson's meshes of walls, floors and ceiling of a scene, where all three kinds are there; else []."""
        for folder in (
            self.root / IGIBSON / "scenes" / scene,
            self.root / "iGibson/gibson2/data/ig_dataset/scenes" / scene,
        ):
            found = sorted(p for p in folder.glob("shape/visual/*_vm.obj") if there(p))
            kinds = {part for part in PARTS for p in found if p.name.startswith(part)}
            if kinds == set(PARTS):
                return [p for p in found if p.name.startswith(PARTS)]
        return []

    def furnished(self, scene: str) -> bool:
        """Whether there is any furniture of the scene."""
        return (self.root / IGIBSON / "assets_assemble" / scene).is_dir()

    def require(self, episode: Episode, shell_suffices: bool) -> None:
        """UserError when nothing is there of the episode's scene: no furniture, nor (where that will do) a shell."""
        if self.furnished(episode.scene) or (shell_suffices and self.stage(episode.scene) is not None):
            return
        raise UserError(
            f"--root {self.root}: nothing is there of the scene {episode.scene} ({episode.source}); "
            "lmgt housekeep data --root DIR tells what to download, and without --root it is made of boxes"
        )

    def furniture(self, scene: str, receptacle: Receptacle) -> Model | None:
        """The model of a receptacle: `room-name.urdf` lies in a folder `name`."""
        name = receptacle.key.partition("-")[2].removesuffix(".urdf")
        folder = self.root / IGIBSON / "assets_assemble" / scene / name
        model = self._configured(folder / f"{name}{CONFIG}")
        mesh = folder / "model.obj"
        return model or (Model(mesh, mesh) if there(mesh) else None)

    def item(self, item: Item) -> Model | None:
        """The model of an object, at the benchmark's scale."""
        path = self.root / item.file
        return self._configured(path) if self._inside(path) else None

    def navmesh(self, episode: Episode) -> Path | None:
        """The navigation mesh of the episode's furniture (of several, that of the nearest number of receptacles), else
        that of its scene. Its largest island can be the roof: take the one where the episode is."""
        wanted, found = len(episode.receptacles), []
        for folder in (self.root / "navmesh", self.root / "data/navmesh"):
            for path in folder.glob(f"{episode.scene}_*.navmesh"):
                if (match := re.fullmatch(re.escape(episode.scene) + r"_(\d+)(?:_approx)?", path.stem)) and there(path):
                    # The benchmark counts the agent as a receptacle, or not, by the moment at which it asks.
                    found.append((abs(int(match[1]) - wanted), path))
        if found:
            return min(found)[1]
        folder, scene = self.root / IGIBSON / "scenes", episode.scene
        beside = (folder / f"{scene}_approx.navmesh", folder / f"{scene}.navmesh")
        return next((path for path in beside if there(path)), None)

    @property
    def physics(self) -> Path | None:
        """The physics configuration."""
        path = self.root / "data/default.physics_config.json"
        return path if there(path) else None

    def _inside(self, path: Path) -> bool:
        """Whether an episode's path stays under the root: episodes are downloads."""
        return path.resolve().is_relative_to(self.root.resolve())

    def _configured(self, path: Path) -> Model | None:
        """A model with a readable configuration whose mesh is there."""
        try:
            config = json.loads(path.read_text()) if there(path) else None
        except (ValueError, RecursionError):
            return None
        if not isinstance(config, dict) or not isinstance(config.get("render_asset"), str):
            return None
        mesh = path.parent / config["render_asset"]
        if not there(mesh):
            return None
        known = {} if "scale" in config or not self.scaled else self.scales
        return Model(path, mesh, known.get(path.name.removesuffix(CONFIG)))

    @cached_property
    def scales(self) -> dict[str, tuple[float, float, float]]:
        """Scales by the name of a model; {} without the benchmark's table. Read without unpickling anything."""
        path = self.root / "cos_eor/scripts/dump/scale_rots_all.npy"
        if not there(path):
            return {}
        try:
            table = read_object_npy(path.read_bytes(), floats=True)
        except PickleError as error:
            raise UserError(f"{path}: is not read: {error}; download the benchmark's file again") from None
        return {name: scale for name, entry in table.items() if (scale := _scale(entry)) is not None}


def there(path: Path) -> bool:
    """Whether a file is there and is itself, not a Git LFS pointer to it."""
    try:
        with open(path, "rb") as file:
            return not file.read(len(POINTER)).startswith(POINTER)
    except OSError:  # no such file, a folder, or one that may not be read
        return False


def _scale(entry: Any) -> tuple[float, float, float] | None:
    """A table entry's scale, given as one number or three; None where there is none."""
    scale = entry.get("scale") if isinstance(entry, dict) else None
    scale = getattr(scale, "value", scale)  # an array inside an entry
    values = list(scale) if hasattr(scale, "__len__") else [scale] * 3
    if len(values) == 1:
        values *= 3
    if len(values) != 3 or not all(isinstance(v, int | float) and 0 < v < 1e4 for v in map(_number, values)):
        return None
    x, y, z = map(_number, values)
    return (x, y, z)


def _number(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
