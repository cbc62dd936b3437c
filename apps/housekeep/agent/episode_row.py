"""What episodes.csv says of an episode that its home alone knows."""

from dataclasses import dataclass

from apps.housekeep.metrics import METRICS, episode_metrics
from apps.housekeep.task import Task


@dataclass(frozen=True)
class EpisodeRow:
    """Plain numbers and words, so that it travels between processes; `metrics` are those that are defined."""

    scene: str
    episode_id: int
    steps: int
    skills: int
    metrics: dict[str, float]


def row_of(task: Task, skills: int) -> EpisodeRow:
    """The task's running episode as it stands, after so many skills."""
    metrics = episode_metrics(task)
    known = {name: value for name in METRICS if (value := metrics[name]) is not None}
    return EpisodeRow(task.episode.scene, task.episode.episode_id, task.steps, skills, known)
