"""`make demo`: what a language model is worth in one world, and a robot that learns to tidy, in five minutes.

Every step is a command of `lmgt`, shown before it runs, so that whoever watches can give it again. Interrupted, the
demo goes on where it stopped.
"""

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from apps.cli import run

JUDGES = {"none": "none", "language-model": "recorded:qwen2.5-coder-1.5b", "oracle": "oracle"}
SLATES = """
Users watch what is recommended to them. Good content keeps them, trash entertains and tires them, and what an agent is
paid for is minutes watched. A language model (Qwen2.5-Coder-1.5B, its answers recorded: no download) is asked of each
topic whether a video about it is of lasting value. Beside it: no judge, and an oracle that knows (privileged).
"""
ROBOT = """
A robot tidies a home and is paid once, at the end of an episode, for what it put right. An oracle's judgments of each
pick and place (privileged) show what a perfect judge would be worth; without a judge it learns next to nothing so soon.
"""
NEXT = (
    "lmgt judge ask --app housekeep --env builtin --state 'toaster, counter, kitchen' --action place --judge minilm",
    "lmgt judge audit --app control --env Blackjack-v1 --judges minilm,oracle    # does this judge know cards?",
    "lmgt models install qwen2.5-coder-1.5b    # the language model itself, to ask it anything",
)


@dataclass(frozen=True)
class DemoConfig:
    """Train recommenders and a robot with and without a judge; a report that compares them, and a video."""

    out: Path = Path("demo")
    """Where runs, report.html and tidy.mp4 go; an interrupted demo goes on from there."""
    slates: int = 50_000
    """Slates that each recommender is trained on."""
    skills: int = 1_600
    """Skills that each robot trains for."""
    seeds: tuple[int, ...] = (0, 1, 2)
    workers: int = os.cpu_count() or 1
    """Seeds trained at the same time."""


def main(config: DemoConfig) -> list[str]:
    """Runs every step, and returns the commands."""
    done = []
    for about, words in steps(config):
        print(f"{about}\n$ lmgt {shlex.join(words)}", flush=True)
        run(words)
        done.append(shlex.join(words))
    print(f"\n{config.out / 'report.html'}  both comparisons, with learning curves")
    print(f"{config.out / 'tidy.mp4'}  what the robot does\n\nnext: " + "\n      ".join(NEXT), flush=True)
    return done


def steps(config: DemoConfig) -> Iterator[tuple[str, list[str]]]:
    """What is said before each command of `lmgt`, and its words."""
    seeds = ["--seeds", *map(str, config.seeds), "--workers", str(config.workers)]
    runs = []
    for about, words, judges in (
        (SLATES, _slates(config), JUDGES),
        (ROBOT, _robot(config), {name: JUDGES[name] for name in ("none", "oracle")}),
    ):
        for name, judge in judges.items():
            folder = config.out / words[0] / name
            resume = ["--resume"] if (folder / "config.json").exists() else []
            runs.append(str(folder))
            yield about, [*words, "--judge", judge, *seeds, "--out", str(folder), *resume]
            about = ""
    yield "", ["report", *runs, "--metrics", "object_success", "return", "--out", str(config.out / "report.html")]
    robot = ["--episodes", "builtin:train_home_1", "--episode", "80", "--out", str(config.out / "tidy.mp4")]
    yield "", ["housekeep", "watch", str(config.out / "housekeep" / "oracle"), *robot]


def _slates(config: DemoConfig) -> list[str]:
    length = ["--steps", str(config.slates), "--evaluate-every", str(max(config.slates // 2, 1))]
    return ["slateq", "train", "--algorithm", "QL-TT-TS", "--strategy", "worth", *length]


def _robot(config: DemoConfig) -> list[str]:
    home = ["--episodes", "builtin:train_home_1", "--select", "0:80", "--evaluate-select", "80:100"]
    length = ["--steps", str(config.skills), "--evaluate-every", str(max(config.skills // 2, 1))]
    return ["housekeep", "train", *home, *length, "--evaluate-count", "10"]
