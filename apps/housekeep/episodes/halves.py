"""The halves of an episode file: the benchmark's seen and unseen objects."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from apps.housekeep.episodes.episode import Episode

SEEN, UNSEEN = "seen", "unseen"


@dataclass(frozen=True, eq=False)
class FileEpisode(Episode):
    """An episode, and whether it lies in the part of its file that has the unseen objects."""

    unseen: bool = False


def marked(episodes: Sequence[Episode]) -> list[Episode]:
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
