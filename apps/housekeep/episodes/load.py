"""Episode files: the Housekeep benchmark's <Scene>.json.gz, or files of that format from anywhere else."""

import gzip
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.fields import FieldError, FurnitureCache, parse_episode
from lmgt_core.errors import UserError

BUILTIN = "builtin"
BUILTIN_FOLDER = Path(__file__).parent / "builtin"
ENDING = ".json.gz"
MAX_BYTES = 2**28  # of JSON; the benchmark's largest file here has 28 MB, but a small gzip can hold far more
MAX_EPISODES = 100_000
SEEN, UNSEEN = "seen", "unseen"


@dataclass(frozen=True, eq=False)
class FileEpisode(Episode):
    """An episode, and whether it lies in the part of its file that has the unseen objects."""

    unseen: bool = False


def load_episodes(path: Path) -> list[Episode]:
    """Every episode of a .json.gz or .json file, in the file's order; UserError for the first thing that is wrong.

    Episodes set in the same furniture share one `receptacles` tuple, so `is` tells whether an apartment changed.
    """
    raw = _raw_episodes(path)
    cache = FurnitureCache()
    episodes = [_parse(one, position, path, cache) for position, one in enumerate(raw)]
    positions: dict[int, int] = {}
    for position, episode in enumerate(episodes):
        first = positions.setdefault(episode.episode_id, position)
        if first != position:
            raise UserError(f"{_where(path, episode.episode_id, position)}: episode_id: position {first} has it too")
    return _marked(episodes)


def _parse(raw: Any, position: int, path: Path, cache: FurnitureCache) -> Episode:
    name = raw.get("episode_id") if isinstance(raw, dict) else None
    where = _where(path, name if isinstance(name, int) else "without a readable id", position)
    if not isinstance(raw, dict):
        raise UserError(f"{where}: is not a JSON object")
    try:
        return parse_episode(raw, str(path), cache)
    except FieldError as error:
        raise UserError(f"{where}: {error}") from None


def _where(path: Path, name: int | str, position: int) -> str:
    return f"{path}: episode {str(name)[:40]} (position {position})"


def _raw_episodes(path: Path) -> list[Any]:
    try:
        content = json.loads(_read(path))
    except (ValueError, RecursionError) as error:  # ValueError: bad JSON, bad UTF-8, a number of thousands of digits
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:120]
        raise UserError(f"{path}: is not readable JSON ({reason}); download the file again") from None
    if not isinstance(content, dict) or "episodes" not in content:
        raise UserError(f"{path}: field episodes is missing; the file must read {{'episodes': [...]}}")
    episodes = content["episodes"]
    if not isinstance(episodes, list) or not 1 <= len(episodes) <= MAX_EPISODES:
        raise UserError(f"{path}: field episodes must be a list of 1 to {MAX_EPISODES} episodes")
    return episodes


def _read(path: Path) -> bytes:
    """The JSON text; a name that ends in .gz is unpacked."""
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give an episode file, a folder of them, or {BUILTIN}") from None
    except gzip.BadGzipFile as error:
        hint = "is it a page or a Git LFS pointer that was saved in place of the file?"
        raise UserError(f"{path}: is not a sound gzip file ({error}); {hint}") from None
    except (EOFError, zlib.error) as error:
        raise UserError(f"{path}: the gzip file is cut off or damaged ({error}); download it again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"{path}: holds more than {MAX_BYTES // 2**20} MB of JSON; split it into several files")
    return content


def _marked(episodes: Sequence[Episode]) -> list[Episode]:
    """The episodes with `unseen` set.

    The benchmark numbered a file's episodes so that the first half of the ids has seen objects and the second unseen
    ones, and then dropped different numbers of episodes from the two. So the border is where no kind of object occurs
    on both sides, near the middle; files of the training scenes have no such border, and all their objects are seen.
    """
    ordered = sorted(episodes, key=lambda e: e.episode_id)
    last = {item.category: i for i, episode in enumerate(ordered) for item in episode.items}
    borders, reach = [], -1
    for i, episode in enumerate(ordered):
        if reach == i - 1 and len(ordered) <= 4 * i <= 3 * len(ordered):
            borders.append(i)
        reach = max(reach, *(last[item.category] for item in episode.items))
    border = min(borders, key=lambda i: abs(i - len(ordered) / 2), default=len(ordered))
    unseen = {episode.episode_id for episode in ordered[border:]}
    return [
        FileEpisode(**{f.name: getattr(e, f.name) for f in fields(Episode)}, unseen=e.episode_id in unseen)
        for e in episodes
    ]


def object_split(episodes: Sequence[Episode]) -> dict[str, list[int]]:
    """{"seen": positions in `episodes`, "unseen": positions}, by the halves of the files that they were read from.

    A selection keeps the halves of the whole file. An episode that was not read from a file counts as seen.
    """
    split: dict[str, list[int]] = {SEEN: [], UNSEEN: []}
    for position, episode in enumerate(episodes):
        split[UNSEEN if isinstance(episode, FileEpisode) and episode.unseen else SEEN].append(position)
    return split


def select(episodes: Sequence[Episode], which: str | None) -> list[Episode]:
    """The episodes at the positions `which`: 0:800, 800:, -50:, 0:100:2 or 7, as Python counts; None: all.

    UserError when it cannot be read or takes nothing.
    """
    if which is None:
        return list(episodes)
    number = r"\s*([+-]?\d{1,9})?\s*"
    match = re.fullmatch(f"{number}(?:(:){number}(?::{number})?)?", which)
    if match is None or not which.strip() or int(match[4] or 1) == 0:
        raise UserError(f"--select {which!r}: give positions like 0:800, 800: or 7")
    start, colon, stop, step = match.groups()
    if colon:
        parts = [int(part) if part else None for part in (start, stop, step)]
        taken = list(episodes[slice(*parts)])
    else:
        taken = list(episodes[int(start) :][:1]) if -len(episodes) <= int(start) else []
    if not taken:
        name = episodes[0].source if episodes else "no file"
        raise UserError(f"--select {which}: takes nothing of {name}, which holds {len(episodes)} episodes")
    return taken


def load_many(paths: Sequence[str | Path], which: str | None = None) -> list[Episode]:
    """The selected episodes of every file, in order.

    `builtin` stands for the generated files that come with the project, `builtin:train` and `builtin:val` for those of
    the training and of the evaluation apartments, a folder for all its *.json.gz. UserError for the first problem.
    """
    return [episode for path in episode_files(paths) for episode in select(load_episodes(path), which)]


def load_readable(paths: Sequence[str | Path], which: str | None = None) -> tuple[list[Episode], list[str]]:
    """(the selected episodes of the files that are sound, one line about each file that is not)."""
    episodes: list[Episode] = []
    problems: list[str] = []
    for path in paths:
        try:
            files = episode_files([path])
        except UserError as error:
            problems.append(str(error))
            continue
        for file in files:
            try:
                episodes += select(load_episodes(file), which)
            except UserError as error:
                problems.append(str(error))
    return episodes, problems


def episode_files(paths: Sequence[str | Path]) -> list[Path]:
    """The files that `paths` (files, folders, `builtin`) stand for; UserError for none, or for the same one twice."""
    files = [file for path in paths for file in _files_of(path)]
    if not files:
        raise UserError(f"--episodes: names no file; give an episode file, a folder of them, or {BUILTIN}")
    for i, file in enumerate(files):
        if file in files[:i]:
            raise UserError(f"--episodes: {file} is named twice")
    return files


def _files_of(path: str | Path) -> list[Path]:
    word, _, group = str(path).partition(":")
    if word == BUILTIN:
        return _in_folder(BUILTIN_FOLDER, f"{group}*{ENDING}", str(path))
    path = Path(path)
    return _in_folder(path, f"*{ENDING}", str(path)) if path.is_dir() else [path]


def _in_folder(folder: Path, pattern: str, name: str) -> list[Path]:
    files = sorted(folder.glob(pattern))
    if not files:
        raise UserError(f"{name}: holds no {pattern}")
    return files
