"""`lmgt housekeep data`: what of the benchmark's 3D data is there, what is not, and for which episodes it matters."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.housekeep.config import DataConfig
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import load_many
from apps.housekeep.simulator.glb import Mesh, glb
from apps.housekeep.simulator.habitat_files import stage_config
from apps.housekeep.simulator.scene_files import SceneFiles
from apps.housekeep.simulator.wavefront import read_obj
from lmgt_core.errors import UserError
from lmgt_core.files import write_atomic
from lmgt_core.terminal.tables import print_table, write_rows

EPISODES = "data/datasets/cos_eor_v11_pruned"
SOURCES = {  # beginning of an object's path -> where it comes from; the scripts are the benchmark's own, run in ROOT
    "data/google_object_dataset": "python cos_eor/scripts/gso_downloader.py",
    "data/amazon-berkeley": (
        "curl -LO https://amazon-berkeley-objects.s3.amazonaws.com/archives/abo-3dmodels.tar && "
        "tar -xf abo-3dmodels.tar -C data/amazon-berkeley && python cos_eor/scripts/ab_objects_viz.py"
    ),
    "data/objects": "./cos_eor/scripts/ycb/full_setup.sh",
    "data/replica-cad": "python -m habitat_sim.utils.datasets_download --uids replica_cad_dataset --data-path data/",
    "data/urdf_obj_cache": "git lfs pull --include 'data/urdf_obj_cache/**'",
}
SCENES_SOURCE = "git lfs pull --include 'data/scene_datasets/**' --include 'navmesh/**'   (the benchmark's repository)"
GENERATED = "generated from the episodes"


@dataclass(frozen=True)
class SceneState:
    """What is there for one scene's episodes."""

    scene: str
    episodes: int
    stage: str  # there | built | can be built | generated ...
    furniture: str  # models there / receptacles
    navmesh: str
    objects: str  # models there / different models named
    complete: int  # episodes of which every model is there


def main(config: DataConfig) -> dict[str, Any]:
    """Prints the state of --root and how to mend it; with --build, builds the stages that can be built."""
    layout = SceneFiles(config.root.absolute())
    episodes = load_many(config.episodes or found_episodes(layout.root))
    built = build_stages(layout, sorted({e.scene for e in episodes})) if config.build else []
    for path in built:
        print(f"built {path}", flush=True)
    states = [state_of(layout, scene, here) for scene, here in by_scene(episodes).items()]
    rows = [asdict(state) for state in states]
    print_table(rows, title=f"{config.root}: 3D data of {len(episodes)} episodes")
    missing = missing_objects(layout, episodes)
    report(layout, states, missing)
    if config.json is not None:
        write_rows(config.json, rows)
    return {"scenes": rows, "missing": missing, "built": [str(path) for path in built]}


def found_episodes(root: Path) -> list[str]:
    """The benchmark's episode files under the root."""
    found = sorted((root / EPISODES).glob("*/*.json.gz"))
    if not found:
        raise UserError(f"{root / EPISODES}: holds no */*.json.gz; download the episodes or name some with --episodes")
    return [str(path) for path in found]


def by_scene(episodes: Sequence[Episode]) -> dict[str, list[Episode]]:
    """The episodes of every scene, in the order of the scenes' names."""
    groups: dict[str, list[Episode]] = {}
    for episode in sorted(episodes, key=lambda e: e.scene):
        groups.setdefault(episode.scene, []).append(episode)
    return groups


def state_of(layout: SceneFiles, scene: str, episodes: Sequence[Episode]) -> SceneState:
    """What is there for `episodes`, all of one scene."""
    receptacles = {r.key: r for e in episodes for r in e.receptacles}
    furnished = {key for key, r in receptacles.items() if layout.furniture(scene, r) is not None}
    items = {item.file: item for e in episodes for item in e.items}
    modelled = {file for file, item in items.items() if layout.item(item) is not None}
    stage = stage_state(layout, scene)
    whole = [
        e
        for e in episodes
        if {r.key for r in e.receptacles} <= furnished and {item.file for item in e.items} <= modelled
    ]
    return SceneState(
        scene,
        len(episodes),
        stage,
        f"{len(furnished)}/{len(receptacles)}",
        "there" if layout.navmesh(episodes[0]) else "computed when loaded",
        f"{len(modelled)}/{len(items)}",
        len(whole) if stage in ("there", "built") else 0,
    )


def stage_state(layout: SceneFiles, scene: str) -> str:
    """Where the scene's room shell comes from."""
    stage = layout.stage(scene)
    if stage is None:
        return "can be built (--build)" if layout.shell_meshes(scene) else GENERATED
    return "built" if stage == layout.built_stage(scene) else "there"


def missing_objects(layout: SceneFiles, episodes: Sequence[Episode]) -> dict[str, dict[str, int]]:
    """Source -> how many of its models are missing, and how many episodes name one of them."""
    absent: dict[str, bool] = {}
    for item in {i.file: i for e in episodes for i in e.items}.values():
        absent[item.file] = layout.item(item) is None
    found = {}
    for source in dict.fromkeys([*SOURCES, *(_source(file) for file in absent)]):
        models = {file for file, gone in absent.items() if gone and _source(file) == source}
        touched = sum(any(item.file in models for item in e.items) for e in episodes)
        if models:
            found[source] = {"models": len(models), "episodes": touched}
    return found


def _source(file: str) -> str:
    return next((source for source in SOURCES if file.startswith(source + "/")), "/".join(file.split("/")[:2]))


def report(layout: SceneFiles, states: Sequence[SceneState], missing: dict[str, dict[str, int]]) -> None:
    """Says what a missing part becomes, and the command that brings it."""
    for source, counts in missing.items():
        print(f"{source}: {counts['models']} models missing, named by {counts['episodes']} episodes; each is a box")
        print(f"    {SOURCES.get(source, 'no source of these models is known')}")
    if poor := [s.scene for s in states if s.stage not in ("there", "built") or not s.furniture.startswith(_all(s))]:
        print(f"stage or furniture incomplete: {', '.join(poor)}; a missing stage is {GENERATED}, furniture is boxes")
        print(f"    {SCENES_SOURCE}")
    if not layout.scales:
        print("cos_eor/scripts/dump/scale_rots_all.npy: missing; models without a scale of their own keep scale 1")


def _all(state: SceneState) -> str:
    total = state.furniture.partition("/")[2]
    return f"{total}/{total}"


def build_stages(layout: SceneFiles, scenes: Sequence[str]) -> list[Path]:
    """Stages built of iGibson's walls, floors and ceilings, where there is no stage yet."""
    built = []
    for scene in scenes:
        meshes = layout.shell_meshes(scene)
        if layout.stage(scene) is None and meshes:
            path = layout.built_stage(scene)
            content = glb([y_up(mesh) for source in meshes for mesh in read_obj(source)])
            write_atomic(path.with_name(f"{scene}.stage_config.json"), stage_config(path.name))
            write_atomic(path, content)  # last: without its configuration a stage is tipped over
            built.append(path)
    return built


def y_up(mesh: Mesh) -> Mesh:
    """iGibson's axes (z up) as Habitat's: (x, y, z) -> (x, z, -y)."""
    x, y, z = mesh.points.T
    return Mesh(np.stack([x, z, -y], axis=1), mesh.triangles, mesh.colour)
