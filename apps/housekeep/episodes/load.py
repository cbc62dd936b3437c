"""Episode files: the Housekeep benchmark's <Scene>.json.gz, or files of that format from anywhere else."""

import re
import sys
from collections.abc import Callable, Sequence
from multiprocessing import parent_process
from pathlib import Path
from typing import TypeVar

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.read_file import LeftOut, read_file
from lmgt_core.errors import UserError

BUILTIN = "builtin"
BUILTIN_FOLDER = Path(__file__).parent / "builtin"
ENDING = ".json.gz"
Entry = TypeVar("Entry")
Say = Callable[[str], None]


def load_episodes(path: Path, strict: bool = False) -> list[Episode]:
    """The usable episodes of a .json.gz or .json file, in the file's order; UserError where there is none.

    `strict` gives a UserError for the first thing that is wrong instead. Episodes set in the same furniture share one
    `receptacles` tuple, so `is` tells whether an apartment changed.
    """
    return _usable(_selected(path, None, strict, _say))


def load_many(paths: Sequence[str | Path], which: str | None = None, strict: bool = False) -> list[Episode]:
    """The selected episodes of every file, in order; what cannot be used is left out, with a line on standard error.

    `builtin` stands for the generated files that come with the project, `builtin:train` and `builtin:val` for those of
    the training and of the evaluation apartments, a folder for all its *.json.gz. UserError for a file that cannot be
    read or of which nothing usable is selected; under `strict` for the first problem.
    """
    return _usable(load_entries(paths, which, strict))


def load_entries(
    paths: Sequence[str | Path], which: str | None = None, strict: bool = False
) -> list[Episode | LeftOut]:
    """The same with the episodes that are left out in their places, so that positions are those in the files."""
    return [entry for path in episode_files(paths) for entry in _selected(path, which, strict, _say)]


def load_readable(paths: Sequence[str | Path], strict: bool = False) -> tuple[list[Episode], list[str]]:
    """(the usable episodes of the files that hold any, one line about each file that is not as it should be)."""
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
                episodes += _usable(_selected(file, None, strict, problems.append))
            except UserError as error:
                problems.append(str(error))
    return episodes, problems


def _selected(path: Path, which: str | None, strict: bool, say: Say) -> list[Episode | LeftOut]:
    """The entries at the positions `which` of a file, at least one of them usable, after what there is to say of it."""
    file = read_file(path, strict)
    chosen = select(file.entries, which, str(path))
    if not _usable(chosen):
        first = next(entry for entry in chosen if isinstance(entry, LeftOut))
        where = "" if which is None else f" at the positions --select {which}"
        raise UserError(f"{path}: holds no usable episode{where}; the first of {len(chosen)}: {first.reason}")
    if file.summary:
        say(file.summary)
    return chosen


def _usable(entries: Sequence[Episode | LeftOut]) -> list[Episode]:
    return [entry for entry in entries if isinstance(entry, Episode)]


def select(entries: Sequence[Entry], which: str | None, name: str = "the episodes") -> list[Entry]:
    """The entries at the positions `which`: 0:800, 800:, -50:, 0:100:2 or 7, as Python counts; None: all.

    UserError when it cannot be read or takes nothing of `name`.
    """
    if which is None:
        return list(entries)
    number = r"\s*([+-]?\d{1,9})?\s*"
    match = re.fullmatch(f"{number}(?:(:){number}(?::{number})?)?", which)
    if match is None or not which.strip() or int(match[4] or 1) == 0:
        raise UserError(f"--select {which!r}: give positions like 0:800, 800: or 7")
    start, colon, stop, step = match.groups()
    if colon:
        parts = [int(part) if part else None for part in (start, stop, step)]
        taken = list(entries[slice(*parts)])
    else:
        taken = list(entries[int(start) :][:1]) if -len(entries) <= int(start) else []
    if not taken:
        raise UserError(f"--select {which}: takes nothing of {name}, which holds {len(entries)} episodes")
    return taken


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


def _say(line: str) -> None:
    """Prints a line about a file, once: processes that share a command's work leave it to the one that has begun."""
    if line not in _said and parent_process() is None:
        _said.add(line)
        print(line, file=sys.stderr, flush=True)


_said: set[str] = set()
