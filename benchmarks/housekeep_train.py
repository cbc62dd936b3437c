"""How fast training by skills is in the built-in homes, and whether its memory stays flat: prints a table.

    python benchmarks/housekeep_train.py --judge none minilm preference --steps 1500
    python benchmarks/housekeep_train.py --judge preference --steps 1500 --envs 2
    python benchmarks/housekeep_train.py --envs 2 --memory 100 500 1000

CPU counts this process and the processes with its homes; what a judge is asked before training counts in neither
column, and "of it learning" is this process alone, where homes have their own. `--memory` acts at random and says what
a home's process holds after so many episodes of all homes (the learner's own memory grows with its replay, up to 50,000
decisions). To compare two revisions, run the one after the other in alternation, each from its own checkout with
PYTHONPATH=. there; `numbers` is a hash of all episodes' rows and of the trained network, equal where the numbers are.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from apps.housekeep import train
from apps.housekeep.config import TrainConfig
from lmgt_core.errors import UserError

os.environ.setdefault("OMP_NUM_THREADS", "1")


class Log:
    """Stands for a run's log: a hash of the episodes' rows."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def record_episode(self, seed: int, row: dict[str, Any]) -> None:
        """Takes a finished episode's row."""
        row = {name: value for name, value in row.items() if name != "wall_seconds"}
        self.hash.update(json.dumps(row).encode())


def processes() -> list[str]:
    """The folders in /proc of this process and of those it started."""
    return [f"/proc/{pid}" for pid in (os.getpid(), *(child.pid for child in multiprocessing.active_children()))]


def megabytes(process: str) -> float:
    """MB of memory that it holds."""
    pages = int(Path(process, "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu() -> float:
    """CPU seconds that they took so far."""
    after_name = [Path(process, "stat").read_text().rpartition(")")[2].split() for process in processes()]
    return sum(int(fields[11]) + int(fields[12]) for fields in after_name) / os.sysconf("SC_CLK_TCK")


def measure(judge: str, steps: int, envs: int) -> dict[str, str]:
    """A row of the table."""
    from apps.housekeep.agent.train_skills import SkillsTrainer

    if envs > 1:
        from apps.housekeep.agent.train_side_by_side import SideBySideTrainer as SkillsTrainer
    several = {"envs": envs} if envs > 1 else {}  # older revisions have one only
    out = Path(tempfile.mkdtemp()) / "run"
    config = TrainConfig(judge=judge, steps=steps, out=out, evaluate_count=1, **several)  # type: ignore[arg-type]
    episodes, evaluation = train.load(config)
    guidance = train.guidance(config)
    source = None
    if guidance.judge is not None:
        guidance = guidance.audited(None)
        source = guidance.shifts(0, steps, train.horizon(config))
    trainer = SkillsTrainer(config, 0, episodes, evaluation, source)
    log: Any = Log()
    begun, spent, here = time.perf_counter(), cpu(), time.process_time()
    play = getattr(trainer, "play", None) or (lambda log: log.record_episode(0, trainer._play_one()))
    while trainer.skills < steps:
        play(log)
    spent, here, begun = cpu() - spent, time.process_time() - here, time.perf_counter() - begun
    for parameter in trainer.agent.online.parameters():
        log.hash.update(parameter.detach().numpy().tobytes())
    trainer.close()
    return {
        "judge": judge,
        "envs": str(envs),
        "skills": f"{trainer.skills:,}",
        "CPU ms a skill": f"{1000 * spent / trainer.skills:.2f}",
        "of it learning": f"{1000 * here / trainer.skills:.2f}" if envs > 1 else "",
        "skills a CPU s": f"{trainer.skills / spent:.1f}",
        "skills a s": f"{trainer.skills / begun:.1f}",
        "numbers": log.hash.hexdigest()[:12],
    }


def memory(envs: int, looks: Sequence[int]) -> dict[str, str]:
    """A row of the table: the largest home's process after some episodes of random play."""
    from apps.housekeep.agent.features import Vocabulary
    from apps.housekeep.agent.homes import side_by_side

    config = TrainConfig(judge="none", envs=envs)
    episodes, _ = train.load(config)
    homes, rng = side_by_side(config, episodes, Vocabulary.of(episodes), 0), np.random.default_rng(0)
    choices, _ = homes.reset()
    ended, held = 0, dict[int, float]()
    while ended < looks[-1]:
        choices, _, terminated, truncated, _ = homes.step(np.array([rng.integers(len(c.skills)) for c in choices]))
        before, ended = ended, ended + int((terminated | truncated).sum())
        held |= {at: max(map(megabytes, processes()[1:])) for at in looks if before < at <= ended}
    homes.close()
    return {"envs": str(envs), **{f"MB after {at} episodes": f"{held[at]:.0f}" for at in looks}}


def main() -> None:
    """Prints the table."""
    import torch

    parser = argparse.ArgumentParser(description="Speed of training by skills in the built-in homes.")
    parser.add_argument("--judge", nargs="+", default=["none"], help="one row each")
    parser.add_argument("--steps", type=int, default=1500, help="skills to train for")
    parser.add_argument("--envs", type=int, default=1, help="homes side by side")
    parser.add_argument(
        "--memory", type=int, nargs="+", default=[], help="episodes after which it is measured, of random play"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = Table(title="Training by skills in the built-in homes")
    if arguments.memory:
        rows = iter([memory(arguments.envs, sorted(arguments.memory))])
    else:
        rows = (measure(judge, arguments.steps, arguments.envs) for judge in arguments.judge)
    for row in rows:
        if not table.columns:
            for name in row:
                table.add_column(name, justify="right", no_wrap=True)
        table.add_row(*row.values())
    Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
