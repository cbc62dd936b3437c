"""The benchmark's metrics of a finished episode, and net success."""

from typing import TYPE_CHECKING

import numpy as np

from apps.housekeep.simulator.protocol import path_length
from apps.housekeep.task import Task

if TYPE_CHECKING:
    from apps.housekeep.knowledge.votes import Votes

# Names, in the order of tables; every value is a float, or None where it is undefined for this episode.
METRICS = (
    "object_success",
    "net_success",
    "episode_success",
    "misplaced_found",
    "map_coverage",
    "all_objects_right",
    "soft_score",
    "rearrange_quality",
    "pick_place_efficiency",
    "path_efficiency",
    "failed_grabs",
    "steps",
    "return",
)


def episode_metrics(task: Task, votes: "Votes | None" = None) -> dict[str, float | None]:
    """Every metric of the episode as it stands now (Kant et al. 2022, section 4, and the benchmark's code).

    object_success counts the objects misplaced at the start and those placed at the start *and touched*: doing nothing
    scores 0. net_success = (right at the end - right at the start) / misplaced at the start, negative when more was
    broken than mended. all_objects_right is ELLM's number: doing nothing already scores about half.
    """
    misplaced = task.episode.misplaced
    counted = misplaced.copy()
    counted[list(task.tally.touched)] = True
    right = task.right
    n_misplaced = int(misplaced.sum())
    found = [item for item in task.memory.item_on if misplaced[item]]
    metrics: dict[str, float | None] = {
        "object_success": float(right[counted].mean()) if counted.any() else None,
        "net_success": (int(right.sum()) - task.right_at_start) / n_misplaced if n_misplaced else None,
        "episode_success": float(right.all()),
        "misplaced_found": len(found) / n_misplaced if n_misplaced else None,
        "map_coverage": float(task.memory.explored.mean()),
        "all_objects_right": float(right.mean()),
        "pick_place_efficiency": _pick_place_efficiency(task),
        "path_efficiency": _path_efficiency(task),
        "failed_grabs": float(task.tally.failures),
        "steps": float(task.steps),
        "return": float(int(right.sum()) - task.right_at_start),
    }
    metrics |= _vote_metrics(task, np.flatnonzero(counted), votes)
    return {name: metrics[name] for name in METRICS}


def _pick_place_efficiency(task: Task) -> float:
    """Mean over touched objects of 2 / interactions for a mended object, else 0; 0 when none was touched."""
    touched = task.tally.touched
    gains = [
        2 / task.tally.interactions[item] if task.episode.misplaced[item] and task.right[item] else 0.0
        for item in touched
    ]
    return float(np.mean(gains)) if gains else 0.0


def _path_efficiency(task: Task) -> float | None:
    """Mean over carried objects of shortest / walked path while carried; None when nothing was carried anywhere."""
    x, _, z = task.simulator.pose.position
    ratios = []
    for marks in task.tally.carried.values():
        ends = marks if len(marks) % 2 == 0 else [*marks, (task.tally.walked, x, z)]
        walked = sum(b[0] - a[0] for a, b in zip(ends[::2], ends[1::2], strict=True))
        if walked < 1e-6:
            continue
        corners = task.simulator.path((ends[-1][1], 0.0, ends[-1][2]), (ends[0][1], 0.0, ends[0][2]))
        shortest = path_length(corners)
        ratios.append(min(shortest, walked) / walked)
    return float(np.mean(ratios)) if ratios else None


def _vote_metrics(task: Task, items: np.ndarray, votes: "Votes | None") -> dict[str, float | None]:
    """soft_score: mean share of annotators who would put the object where it ended; rearrange_quality: mean of 1/rank
    (over the annotators who would) of the objects that ended right. Both None without votes."""
    if votes is None:
        return {"soft_score": None, "rearrange_quality": None}
    place_index = {place: i for i, place in enumerate(votes.places)}
    object_index = {name: i for i, name in enumerate(votes.objects)}
    soft, quality = [], []
    for item in items:
        if (on := task.on[item]) < 0:  # in the hand: the benchmark leaves it out
            continue
        place = place_index.get(task.episode.receptacles[on].place)
        name = object_index.get(task.episode.items[item].category)
        ranks = votes.ranks[place, name] if place is not None and name is not None else np.zeros(1, np.int64)
        soft.append(float((ranks > 0).mean()))
        if task.right[item]:
            quality.append(float((1.0 / ranks[ranks > 0]).mean()) if (ranks > 0).any() else 0.0)
    return {
        "soft_score": float(np.mean(soft)) if soft else None,
        "rearrange_quality": float(np.mean(quality)) if quality else None,
    }
