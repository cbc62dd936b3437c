"""What carries over while training goes on: the curves of two homes trained in and of one kept aside, as SVG figures.

    python -m benchmarks.housekeep_unseen DATA --judges preference minilm none --seeds 0 1 2 --steps 6000 --out FIGURES

Trains `--algorithm moves` in Benevolence_2 and Pomaria_2 (episodes 0:800) and plays, without any shift, evenly spread
episodes 800:1000 of both, and of Pomaria_0, in which nothing was trained. DATA holds human_votes.npy,
object_splits.yaml and episodes/train/. Where FIGURES/curves.json is there already, only the figures are drawn.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.housekeep import train
from apps.housekeep.agent.policies import play
from apps.housekeep.agent.seed_trainer import Numbers, mean_metrics
from apps.housekeep.agent.train_moves import MovesTrainer
from apps.housekeep.config import TrainConfig
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import load_many
from apps.housekeep.knowledge.judges import knowledge
from lmgt_core.files import to_json, write_atomic
from lmgt_core.report.figures import Curve, learning_curves
from lmgt_core.terminal.progress import progress
from lmgt_core.training.run_log import RunLog

HOMES = {"seen": ("Benevolence_2", "Pomaria_2"), "unseen": ("Pomaria_0",)}
METRICS = {"object_success": "object success", "net_success": "net success"}
Row = dict[str, Any]


class Log:
    """Keeps no run folder."""

    def load_checkpoint(self, seed: int) -> None:
        """There is none."""

    def save_checkpoint(self, seed: int, content: bytes) -> None:
        """Keeps none."""

    def record_episode(self, seed: int, row: Row) -> None:
        """Takes a finished episode's row."""


class Trainer(MovesTrainer):
    """Evaluates in each kind of home by itself; `kinds` are the episodes of each, `rows` what was found."""

    kinds: Mapping[str, Sequence[Episode]]
    rows: list[Row]

    def _evaluate(self, log: RunLog) -> Numbers:
        for kind, some in self.kinds.items():
            found, policy = [], self._policy(np.random.default_rng(self.seed))
            for episode in some:
                self.task.reset(episode)
                found.append(play(self.task, policy))
            means = mean_metrics(found)
            where = {"judge": self.config.judge, "seed": self.seed, "homes": kind, "decisions": self.skills}
            self.rows.append(where | {name: means[name] for name in METRICS})
        return {}


def files(data: Path, homes: Sequence[str]) -> tuple[str, ...]:
    """The episode files of train homes."""
    return tuple(str(data / f"episodes/train/{home}_int.json.gz") for home in homes)


def curve(given: argparse.Namespace, judge: str, seed: int) -> list[Row]:
    """A row for each point of one training and each kind of home."""
    pools = {kind: load_many(files(given.data, homes), "800:1000") for kind, homes in HOMES.items()}
    kinds = {
        k: [p[i] for i in np.linspace(0, len(p) - 1, given.episodes).round().astype(int)] for k, p in pools.items()
    }
    config = TrainConfig(
        judge=judge,
        algorithm="moves",
        rule=given.rule,
        episodes=files(given.data, HOMES["seen"]),
        select="0:800",
        steps=given.steps,
        evaluate_every=given.every,
        votes=given.data / "human_votes.npy",
        splits=given.data / "object_splits.yaml",
        out=given.out,
    )
    source = train.guidance(config).audited().shifts(seed, given.steps)
    everything = [episode for some in kinds.values() for episode in some]
    places = knowledge(config.votes, config.splits).places
    trainer = Trainer(config, seed, train.load(config)[0], everything, source, places=places)
    trainer.kinds, trainer.rows = kinds, []
    log: Any = Log()
    with progress(f"{judge}, seed {seed}", given.steps) as bar:
        trainer.train(log, bar.advance)
    trainer.close()
    for row in trainer.rows:  # an evaluation follows the episode in which its time came
        row["decisions"] = row["decisions"] // given.every * given.every
    return trainer.rows


def figure(rows: Sequence[Row], metric: str) -> bytes:
    """The curves of a metric: one for each judge and kind of home."""
    curves = []
    for number, judge in enumerate(dict.fromkeys(row["judge"] for row in rows)):
        for kind in ("seen", "unseen"):
            mine = [row for row in rows if row["judge"] == judge and row["homes"] == kind]
            x = sorted({row["decisions"] for row in mine})
            values = [[row[metric] for row in mine if row["decisions"] == at] for at in x]
            curves.append(Curve(f"{judge}, {kind} homes", x, values, kind == "unseen", number))
    return learning_curves(curves, "skills taken in training", METRICS[metric])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--judges", nargs="+", default=["preference", "minilm", "none"])
    parser.add_argument("--rule", default="continuous", help="how judgments become shifts")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--every", type=int, default=1500)
    parser.add_argument("--episodes", type=int, default=20, help="of each point and kind of home")
    parser.add_argument("--out", type=Path, default=Path("figures"))
    given = parser.parse_args()
    kept = given.out / "curves.json"
    if not kept.exists():
        given.out.mkdir(parents=True, exist_ok=True)
        jobs = [(judge, seed) for judge in given.judges for seed in given.seeds]
        rows = [row for judge, seed in jobs for row in curve(given, judge, seed)]
        write_atomic(kept, to_json(rows))
    rows = json.loads(kept.read_text())
    for metric in METRICS:
        write_atomic(given.out / f"housekeep-unseen-{metric.replace('_', '-')}.svg", figure(rows, metric))


if __name__ == "__main__":
    main()
