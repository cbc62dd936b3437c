"""Minari datasets: their decisions, and a copy that differs in rewards and infos alone."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lmgt_core.errors import UserError
from lmgt_core.extras import need
from lmgt_core.files import read_json, write_json_atomic

RECORD = "lmgt"  # the metadata's field that says what was done
UNFINISHED = ".{}.lmgt-unfinished"
Rewards = NDArray[np.floating[Any]]  # [decision]


class Shifted(NamedTuple):
    """An episode's shifted rewards, and its shifts."""

    rewards: Rewards
    shifts: Rewards


class Decisions(NamedTuple):
    """An episode: the observation before each action, the action, and the reward, in order."""

    observations: list[Any]
    actions: list[Any]
    rewards: Rewards


def open_dataset(name: str) -> Any:
    """The local dataset of this id, or in this folder; UserError for none, one not in HDF5, or one scored already."""
    minari = _minari()
    try:
        folder = Path(name)
        data = folder / "data" if (folder / "data").is_dir() else folder
        found = minari.MinariDataset(data) if folder.is_dir() else minari.load_dataset(name)
    except (ValueError, FileNotFoundError, AttributeError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{name}: cannot be read ({reason}); name an id of `minari list local`, or a folder") from None
    if found.storage.FORMAT != "hdf5":
        raise UserError(f"{name}: is kept in the format {found.storage.FORMAT}; only hdf5 can be scored")
    if RECORD in found.storage.metadata:
        raise UserError(f"{name}: has a judge's shifts already; score what it was made of")
    return found


def decisions(dataset: Any) -> Iterator[Decisions]:
    """The episodes of the dataset, in order."""
    for episode in dataset.iterate_episodes():
        steps = len(episode.rewards)
        seen = [_at(dataset.observation_space, episode.observations, i) for i in range(steps)]
        taken = [_at(dataset.action_space, episode.actions, i) for i in range(steps)]
        yield Decisions(seen, taken, np.asarray(episode.rewards))


def new_folder(name: str) -> Path:
    """Where Minari keeps a new dataset of this id; UserError for a malformed id, or one that is there already."""
    _minari()
    from minari.dataset.minari_dataset import parse_dataset_id
    from minari.namespace import create_namespace, list_local_namespaces
    from minari.storage.datasets_root_dir import get_dataset_path

    try:
        namespace, _, _ = parse_dataset_id(name)
    except (ValueError, TypeError):
        raise UserError(f"--out {name}: is no id of a dataset; like cartpole/shifted-v0") from None
    folder = Path(get_dataset_path(name))
    if folder.exists():
        raise UserError(f"--out {name}: is there already ({folder}); name a new dataset")
    if namespace is not None and namespace not in list_local_namespaces():
        create_namespace(namespace)
    return folder


def write_shifted(
    dataset: Any,
    folder: Path,
    name: str,
    rewards: Iterator[Shifted],
    record: Callable[[], Mapping[str, Any]],
) -> None:
    """A copy of `dataset` in `folder`, called `name`: `rewards` are those of its episodes, in order.

    `infos` of an episode get `unshifted_reward` and `shift` [decision]; the metadata get what `record` says once all
    rewards were taken. The folder appears when it is whole; what a killed command left is begun anew.
    """
    import h5py

    unfinished = folder.with_name(UNFINISHED.format(folder.name))
    shutil.rmtree(unfinished, ignore_errors=True)
    data = unfinished / "data"
    shutil.copytree(dataset.storage.data_path, data)
    with h5py.File(data / "main_data.hdf5", "a") as file:
        for number, found in zip(dataset.episode_indices.tolist(), rewards, strict=True):
            episode = file[f"episode_{number}"]
            before = episode["rewards"][()]
            del episode["rewards"]
            episode.create_dataset("rewards", data=found.rewards, chunks=True, maxshape=(None,))
            infos = episode.require_group("infos")
            for key, values in {"unshifted_reward": before, "shift": found.shifts}.items():
                if key in infos:
                    raise UserError(f"{dataset.id}: its infos hold {key} already; score what it was made of")
                infos.create_dataset(key, data=values, chunks=True, maxshape=(None,))
    about = read_json(data / "metadata.json")
    write_json_atomic(data / "metadata.json", {**about, "dataset_id": name, RECORD: record()})
    unfinished.rename(folder)


def _at(space: gym.Space[Any], values: Any, i: int) -> Any:
    """Number `i` of the values of a space, which lie in arrays as the space is built."""
    if isinstance(space, gym.spaces.Dict):
        return {name: _at(inner, values[name], i) for name, inner in space.items()}
    if isinstance(space, gym.spaces.Tuple):
        return tuple(_at(inner, part, i) for inner, part in zip(space, values, strict=True))
    return values[i]


def _minari() -> Any:
    need("a Minari dataset", "minari", "h5py")
    import minari

    return minari
