"""What carries over while training goes on: the curves of two homes trained in and of one kept aside, as SVG figures.

    python -m benchmarks.housekeep_unseen DATA --judges preference minilm none --seeds 0 1 2 --steps 6000 --out FIGURES

Trains `--algorithm moves` in Benevolence_2 and Pomaria_2 (episodes 0:800) and plays, without any shift, evenly spread
episodes 800:1000 of both, and of Pomaria_0, in which nothing was trained. DATA holds human_votes.npy,
object_splits.yaml and episodes/train/. Where FIGURES/curves.json is there already, only the figures are drawn.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.housekeep import train
from apps.housekeep.agent.policies import play
from apps.housekeep.agent.seed_trainer import mean_metrics
from apps.housekeep.agent.train_moves import MovesTrainer
from apps.housekeep.config import TrainConfig
from apps.housekeep.episodes.load import load_many
from lmgt_core.files import to_json, write_atomic
from lmgt_core.report.figures import Curve, learning_curves
from lmgt_core.terminal.progress import progress

SEEN, UNSEEN = ("Benevolence_2", "Pomaria_2"), ("Pomaria_0",)
METRICS = {"object_success": "object success", "net_success": "net success"}
EPISODES = 20  # of each point
Row = dict[str, Any]


class Log:
    """Keeps no run folder."""

    def record_episode(self, seed: int, row: Row) -> None:
        """Takes a finished episode's row."""


def files(data: Path, homes: Sequence[str]) -> tuple[str, ...]:
    """The episode files of train homes."""
    return tuple(str(data / f"episodes/train/{home}_int.json.gz") for home in homes)


def curve(data: Path, out: Path, judge: str, seed: int, steps: int, every: int) -> list[Row]:
    """A row for each point of one training and each kind of home."""
    pools = {kind: load_many(files(data, homes), "800:1000") for kind, homes in (("seen", SEEN), ("unseen", UNSEEN))}
    evaluation = {k: [p[i] for i in np.linspace(0, len(p) - 1, EPISODES).round().astype(int)] for k, p in pools.items()}
    labels = {"votes": data / "human_votes.npy", "splits": data / "object_splits.yaml"}
    config = TrainConfig(
        judge=judge, algorithm="moves", episodes=files(data, SEEN), select="0:800", steps=steps, **labels
    )
    guidance = train.guidance(config).audited()
    source = guidance.shifts(seed, steps)
    episodes, _ = train.load(config)
    trainer = MovesTrainer(config, seed, episodes, [e for some in evaluation.values() for e in some], source)
    log: Any = Log()
    rows: list[Row] = []
    with progress(f"{judge}, seed {seed}", steps) as bar:
        for goal in range(0, steps + 1, every):
            while trainer.skills < goal:
                before = trainer.skills
                trainer.play(log)
                bar.advance(trainer.skills - before)
            for kind, some in evaluation.items():
                found = []
                for episode in some:
                    trainer.task.reset(episode)
                    found.append(play(trainer.task, trainer._policy(np.random.default_rng(seed))))
                means = mean_metrics(found)
                where = {"judge": judge, "seed": seed, "homes": kind, "decisions": goal}
                rows.append(where | {name: means[name] for name in METRICS})
    trainer.close()
    return rows


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
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--every", type=int, default=1500)
    parser.add_argument("--out", type=Path, default=Path("figures"))
    given = parser.parse_args()
    kept = given.out / "curves.json"
    if not kept.exists():
        given.out.mkdir(parents=True, exist_ok=True)
        jobs = [(judge, seed) for judge in given.judges for seed in given.seeds]
        rows = [
            row for judge, seed in jobs for row in curve(given.data, given.out, judge, seed, given.steps, given.every)
        ]
        write_atomic(kept, to_json(rows))
    rows = json.loads(kept.read_text())
    for metric in METRICS:
        write_atomic(given.out / f"housekeep-unseen-{metric.replace('_', '-')}.svg", figure(rows, metric))


if __name__ == "__main__":
    main()
