"""`make demo`: a robot learns to tidy a generated home with no judge, a language model, and an oracle.

The language model's judgments come along, recorded: asking it takes half an hour on two cores, and gives the same.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.housekeep.config import EvaluateConfig, TrainConfig, WatchConfig

JUDGES = {  # name of the run -> judge
    "none": "none",
    "language-model": "recorded:qwen2.5-coder-1.5b",
    "oracle": "oracle",
}
ABOUT = {
    "none": "no judge: the robot is paid once, at the end, for what it put right",
    "language-model": "Qwen2.5-Coder-1.5B is asked whether the object belongs there; no label was used to train it",
    "oracle": "privileged: it reads where things belong, and shows what a perfect judge would be worth",
}
STRATEGY = "belongs"
NEXT = (
    "lmgt judge ask --app housekeep --env builtin --state 'toaster, counter, kitchen' --action place --judge minilm",
    "lmgt models install qwen2.5-coder-1.5b    # the language model itself, to ask it anything",
    "lmgt judge audit --app control --env Blackjack-v1 --judges minilm,oracle    # does a judge know cards?",
)
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
    for name, judge in JUDGES.items():
        run = config.out / name
        runs.append(run)
        print(f"\n== training: {name} ({ABOUT[name]})", flush=True)
        train.main(
            TrainConfig(
                judge=judge,
                strategy=STRATEGY,
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
    found = build_report(runs, report, metrics=("object_success",), command="make demo")
    video = config.out / "tidy.mp4"
    watch.main(WatchConfig(policy=str(config.out / "oracle"), episodes=HOME, episode=80, out=video))
    print("\n" + "\n".join(sentence for group in found["groups"] for sentence in group["sentences"]))
    print(f"\n{report}  the comparison, with learning curves\n{video}  what the robot does", flush=True)
    print("\nnext: " + "\n      ".join(NEXT), flush=True)
    return {"rows": rows, "report": str(report), "video": str(video)}


if __name__ == "__main__":
    import tyro

    main(tyro.cli(DemoConfig))
