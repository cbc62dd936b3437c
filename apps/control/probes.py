"""Labelled questions for audits: states as a learner meets them, all actions in each, labelled by the expert."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from apps.control.worlds import World
from lmgt_core.audit.audit import Probe, balance_probes
from lmgt_core.judging.description import Description
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt

PROBES = 600  # at most, unless a task has few questions and is asked whole
WHOLE = 600  # a task with no more questions is asked whole
SEED = 20_409  # fixed: every judge and strategy answers the same questions
RANDOMNESS = 0.5  # share of random actions on the way: learners see more than the expert's own states


def probe_set(task: World, render: Callable[[Description], Prompt], prompts: Path, count: int = PROBES) -> list[Probe]:
    """The probes, rendered by `render`: as many good as neutral as bad ones where the task has all three.

    States that a template in the folder `prompts` mentions (few-shot examples) are left out.
    """
    shown = "\n".join(path.read_text(encoding="utf-8") for path in sorted(prompts.glob("*.txt")))
    probes = []
    for description in _questions(task, count):
        if description.state not in shown:
            label = task.expert(description.facts)
            probes.append(Probe(render(description), label, group=description.state))
    labels = {probe.label for probe in probes}
    rng = np.random.default_rng(SEED)
    # A few near ties must not shrink the set to their number: then only good and bad are evened out.
    if Verdict.NEUTRAL in labels and sum(p.label is Verdict.NEUTRAL for p in probes) < len(probes) / 6:
        neutral = [p for p in probes if p.label is Verdict.NEUTRAL]
        return balance_probes([p for p in probes if p.label is not Verdict.NEUTRAL], rng) + neutral
    return balance_probes(probes, rng)


def _questions(task: World, count: int) -> list[Description]:
    everything = list(task.describer.everything())
    if len(everything) <= WHOLE:
        return everything
    found: dict[str, list[Description]] = {}
    states = count // len(task.actions)
    if _has_neutral(everything, task):
        states += states // 2  # balancing will drop some
    for observation in visited(task, np.random.default_rng(SEED)):
        descriptions = [task.describer(observation, action) for action in task.actions]
        asked = [d for d in descriptions if d is not None]
        found.setdefault(asked[0].state, asked)
        if len(found) >= states:
            break
    return [description for state in found.values() for description in state]


def _has_neutral(everything: list[Description], task: World) -> bool:
    return any(task.expert(d.facts) is Verdict.NEUTRAL for d in everything)


def visited(task: World, rng: np.random.Generator, steps: int = 5000) -> Iterator[Any]:
    """The observations of `steps` steps of a policy that is half the expert and half random."""
    env = task.make()
    observation, _ = env.reset(seed=int(rng.integers(2**31)))
    for _ in range(steps):
        yield observation
        if rng.random() < RANDOMNESS:
            action = task.actions[rng.integers(len(task.actions))]
        else:
            action = expert_action(task, observation)
        observation, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            observation, _ = env.reset()
    env.close()


def expert_action(task: World, observation: Any) -> Any:
    """The first action that the expert calls good, else the first neutral one; any where there is nothing to judge."""
    verdicts = []
    for action in task.actions:
        description = task.describer(observation, action)
        verdicts.append(Verdict.NEUTRAL if description is None else task.expert(description.facts))
    for wanted in (Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD):
        if wanted in verdicts:
            return task.actions[verdicts.index(wanted)]
    raise LookupError("the expert has no verdict")
