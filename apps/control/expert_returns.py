"""`python -m apps.control.expert_returns`: what acting on the experts' words earns, beside acting at random."""

import numpy as np

from apps.control.evaluate import evaluate, expert_policy, random_policy
from apps.control.worlds import WORLDS
from lmgt_core.terminal.tables import print_table

EPISODES = 100


def main() -> None:
    """Prints the mean returns."""
    rows = []
    for task in WORLDS.values():
        sampled = EPISODES * (1 if task.exactly is None else 100)
        number = None if task.exactly is not None else sampled
        rows.append({"task": task.name, "policy": "expert", **evaluate(task, expert_policy(task), number)})
        policy = random_policy(task, np.random.default_rng(0))
        rows.append({"task": task.name, "policy": "random", **evaluate(task, policy, sampled)})
    print_table(rows, title="mean return of acting on the expert's words")


if __name__ == "__main__":
    main()
