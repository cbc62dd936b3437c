"""Labels by rollouts beside an expert's, on CartPole, Blackjack and a built-in home.

    python -m benchmarks.rollout_labels [--states 60]

The stronger policy is the task's expert (privileged), the weaker one acts at random; in the home, reward is dense, the
stronger policy never picks or places what its expert calls bad, and both choose at random among what is left. Printed:
how many decisions were labelled, and how many of those that the expert has an opinion on it labels alike.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is imported

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np

from apps.control.probes import expert_action
from apps.control.worlds import world
from apps.housekeep.describe_arrays import CandidateDescriber
from apps.housekeep.domain import make_domain
from apps.housekeep.env import HousekeepSkillsEnv
from lmgt_core.audit.rollouts import Policy, label_by_rollouts
from lmgt_core.judging.description import Description
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table

Expert = Callable[[Any, Any], str]  # the expert's answer on an observation and an action; "" for none
HOME = "builtin:train_home_1"
Task = tuple[str, gym.Env[Any, Any], Policy, Policy | None, Expert, dict[str, int]]


def control(name: str, rollouts: int) -> Task:
    """A control task, its expert, and how often each action is played on."""
    task = world(name)

    def answer(observation: Any, action: Any) -> str:
        described = task.describer(observation, action)
        return task.expert(described.facts).value if described is not None else ""

    return name, task.make(), lambda o: expert_action(task, o), None, answer, {"rollouts": rollouts, "horizon": 200}


def home() -> Task:
    """A built-in home by skills."""
    env = HousekeepSkillsEnv(HOME, reward="dense")
    describe, template = CandidateDescriber(env.vocabulary), make_domain(HOME).template("zero-shot")
    expert = make_domain(HOME).context().oracle
    assert expert is not None
    rng = np.random.default_rng(0)

    def answer(observation: Any, action: Any) -> str:
        described: Description | None = describe(observation, action)
        return expert(template.render(described)).value if described is not None else ""

    def choose(observation: Any, careful: bool) -> int:
        candidates = np.flatnonzero(observation["mask"])
        answers = np.array([answer(observation, a) for a in candidates])
        wanted = [candidates[answers == "good"], candidates[answers == ""]] if careful else [candidates[answers != ""]]
        return int(rng.choice(next((some for some in wanted if len(some)), candidates)))

    return HOME, env, lambda o: choose(o, True), lambda o: choose(o, False), answer, {"rollouts": 16, "horizon": 8}


def main() -> None:
    """Prints one row a task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=int, default=60, help="states that are compared")
    arguments = parser.parse_args()
    print_table(list(rows(arguments.states)), title="labels by rollouts, beside the expert's")


def rows(states: int) -> Iterator[dict[str, Any]]:
    """A row of each task."""
    for name, env, strong, weak, answer, settings in (control("Blackjack-v1", 64), control("CartPole-v1", 256), home()):
        start = time.process_time()
        with progress(name, states) as bar:
            found = label_by_rollouts(
                env,
                strong,
                weak,
                judged=lambda o, a, of=answer: of(o, a) != "",
                states=states,
                advance=bar.advance,
                **settings,
            )
        pairs = [(answer(o, a), label) for o, a, label in found.labelled]
        decided = [pair for pair in pairs if pair[0] in ("good", "bad")]
        yield {
            "task": name,
            "states": found.states,
            "labelled": len(pairs),
            "expert decides": len(decided),
            "alike": sum(a == b for a, b in decided),
            "CPU seconds": time.process_time() - start,
        }


if __name__ == "__main__":
    main()
