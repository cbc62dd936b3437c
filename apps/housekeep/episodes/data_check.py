"""`lmgt housekeep data`: what of the benchmark's 3D data is there, what is not, and for which episodes it matters."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.housekeep.config import DataConfig
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import load_many, load_readable
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
    """Prints the state of --root and how to mend it; with --build, builds the stages that can be built.

    Files, episodes and meshes that cannot be used are named, and the table is printed all the same.
    """
    layout = SceneFiles(config.root.absolute(), scaled=False)
    episodes = read_episodes(config, layout.root)
    built = list(build_stages(layout, sorted({e.scene for e in episodes}))) if config.build else []
    states = [state_of(layout, scene, here) for scene, here in by_scene(episodes).items()]
    rows = [asdict(state) for state in states]
    print_table(rows, title=f"{config.root}: 3D data of {len(episodes)} episodes")
    missing = missing_objects(layout, episodes)
    report(layout, states, missing)
    if config.json is not None:
        write_rows(config.json, rows)
    if not episodes:
        raise UserError(f"--root {config.root}: none of the episode files holds a usable episode; see the lines above")
    return {"scenes": rows, "missing": missing, "built": [str(path) for path in built]}


def found_episodes(root: Path) -> list[str]:
    """The benchmark's episode files under the root; UserError for none."""
    found = sorted((root / EPISODES).glob("*/*.json.gz"))
    if not found:
        raise UserError(f"{root / EPISODES}: holds no */*.json.gz; download the episodes or name some with --episodes")
    return [str(path) for path in found]


def read_episodes(config: DataConfig, root: Path) -> list[Episode]:
    """The usable episodes of the files that can be read, after a line about each file that is not as it should be."""
    files = config.episodes or found_episodes(root)
    if config.strict:
        return load_many(files, strict=True)
    episodes, problems = load_readable(files)
    for problem in problems:
        print(problem, file=sys.stderr, flush=True)
    return episodes


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
        navmeshes(layout, episodes),
        f"{len(modelled)}/{len(items)}",
        len(whole) if stage in ("there", "built") else 0,
    )


def navmeshes(layout: SceneFiles, episodes: Sequence[Episode]) -> str:
    """The names of the navigation meshes that the episodes' furniture has, and what becomes of furniture without."""
    furnished = {len(e.receptacles): e for e in episodes}  # a mesh is chosen by the number of receptacles
    found = {layout.navmesh(furnished[count]) for count in sorted(furnished)}
    names = sorted("computed when loaded" if path is None else path.name for path in found)
    return ", ".join(names)


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
        absent[item.file] = item.file != "" and layout.item(item) is None
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
    try:
        if not SceneFiles(layout.root).scales:
            print("cos_eor/scripts/dump/scale_rots_all.npy: missing; models without a scale of their own keep scale 1")
    except UserError as error:
        print(error)


def _all(state: SceneState) -> str:
    total = state.furniture.partition("/")[2]
    return f"{total}/{total}"


def build_stages(layout: SceneFiles, scenes: Sequence[str]) -> Iterator[Path]:
    """Builds stages of iGibson's walls, floors and ceilings where there is none yet, says so, and yields them.

    A scene whose meshes cannot be read, or whose stage cannot be written, is named and goes without.
    """
    for scene in scenes:
        meshes = layout.shell_meshes(scene)
        if layout.stage(scene) is not None or not meshes:
            continue
        path = layout.built_stage(scene)
        try:
            content = glb([y_up(mesh) for source in meshes for mesh in read_obj(source)])
            write_atomic(path.with_name(f"{scene}.stage_config.json"), stage_config(path.name))
            write_atomic(path, content)  # last: without its configuration a stage is tipped over
        except UserError as error:
            print(f"{scene}: no stage could be built: {error}", file=sys.stderr, flush=True)
            continue
        print(f"built {path}", flush=True)
        yield path


def y_up(mesh: Mesh) -> Mesh:
    """iGibson's axes (z up) as Habitat's: (x, y, z) -> (x, z, -y)."""
    x, y, z = mesh.points.T
    return Mesh(np.stack([x, z, -y], axis=1), mesh.triangles, mesh.colour)
