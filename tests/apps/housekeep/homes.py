"""One episode of every distinct apartment: the built-in ones, and the real ones where they lie beside the project."""

from functools import cache
from pathlib import Path

import apps.housekeep
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import load_episodes
from tests.shared_data import HOUSEKEEP

BUILTIN = Path(apps.housekeep.__file__).parent / "episodes" / "builtin"


@cache
def episodes_of(path: Path) -> tuple[Episode, ...]:
    """All episodes of a file, read once."""
    return tuple(load_episodes(path))


def builtin_files() -> list[Path]:
    return sorted(BUILTIN.glob("*.json.gz"))


def real_files() -> list[Path]:
    return sorted((HOUSEKEEP / "episodes").glob("*/*.json.gz"))


def distinct_homes(paths: list[Path]) -> list[Episode]:
    """The first episode of each set of furniture."""
    homes: dict[int, Episode] = {}
    for path in paths:
        for episode in episodes_of(path):
            homes.setdefault(id(episode.receptacles), episode)  # episodes of one apartment share the tuple
    return list(homes.values())


def sample(paths: list[Path], each: int) -> list[Episode]:
    """`each` episodes of every file, spread over it."""
    return [e for p in paths for e in episodes_of(p)[:: max(1, len(episodes_of(p)) // each)][:each]]
