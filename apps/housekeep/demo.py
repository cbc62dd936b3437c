"""`make demo`: a robot learns to tidy generated apartments with no judge, a small real judge, and an oracle."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.housekeep.config import EvaluateConfig, TrainConfig, WatchConfig

JUDGES = ("none", "minilm", "oracle")
HOME = ("builtin:train_home_1",)
TRAINING, EVALUATION = "0:80", "80:100"  # episodes of that home


@dataclass(frozen=True)
class DemoConfig:
    """The whole way in a few minutes: train, evaluate, report, video."""

    out: Path = Path("demo")
    """Where runs, report.html and tidy.mp4 go; an interrupted demo goes on from there."""
    steps: int = 2400
    """Skills that each seed trains for."""
    seeds: tuple[int, ...] = (0, 1, 2)
    workers: int = os.cpu_count() or 1
    """Seeds trained at the same time."""


def main(config: DemoConfig) -> dict[str, Any]:
    """Trains, evaluates on other episodes of the same home, writes the report and the video."""
    from apps.housekeep import evaluate, train
    from apps.housekeep.watch import command as watch
    from lmgt_core.report.command import build_report

    runs = []
    for judge in JUDGES:
        run = config.out / judge
        runs.append(run)
        print(f"\n== training with judge: {judge}", flush=True)
        train.main(
            TrainConfig(
                judge=judge,
                episodes=HOME,
                select=TRAINING,
                evaluate_select=EVALUATION,
                evaluate_every=800,
                evaluate_count=10,
                steps=config.steps,
                seeds=config.seeds,
                out=run,
                resume=(run / "config.json").exists(),
                workers=config.workers,
            )
        )
    print("\n== evaluation on episodes of the home that training never saw", flush=True)
    rows = evaluate.main(
        EvaluateConfig(
            policies=tuple(str(run) for run in runs),
            episodes=HOME,
            select=EVALUATION,
            workers=config.workers,
            json=config.out / "evaluation.json",
        )
    )
    report = config.out / "report.html"
    build_report(runs, report, command="make demo")
    video = config.out / "tidy.mp4"
    watch.main(WatchConfig(policy=str(config.out / "oracle"), episodes=HOME, episode=80, out=video))
    print(f"\n{report}  the comparison, with learning curves\n{video}  what the robot does", flush=True)
    return {"rows": rows, "report": str(report), "video": str(video)}


if __name__ == "__main__":
    import tyro

    main(tyro.cli(DemoConfig))
