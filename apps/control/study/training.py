"""One training of a control study: a deep learner that serves every seam, evaluated without any shift on the way."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from apps.control.advised_dqn import AdvisedDqn, DqnConfig
from apps.control.cartpole_variants import cartpole
from apps.control.evaluate import evaluate
from apps.control.study.judges import Remembered, make_guidance
from apps.control.worlds import World
from lmgt_core.audit.gate import audit_judge
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.guidance.potential_shift import PotentialShift
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.rules.potential import Potential
from lmgt_core.study.app import Result, Settings, horizon_of

POINTS = 10  # evaluations of a training
EPISODES = 10  # of an evaluation on the way; the last one has twice as many
GOALS: Mapping[str, float] = {"cartpole": 195.0, "acrobot": -100.0}  # mean return that counts as learnt, by folder
DISCOUNT = 0.99


class Clock:
    """Seconds of training, those of evaluations left out."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._out = 0.0

    def seconds(self) -> float:
        """So far."""
        return time.perf_counter() - self._begun - self._out

    def leave_out(self, seconds: float) -> None:
        """Leaves these seconds out of the count."""
        self._out += seconds


def train(settings: Settings, seed: int) -> Result:
    """The training's metrics: learning curve, questions, seconds."""
    import torch

    torch.set_num_threads(1)
    s: Any = settings
    task = cartpole(s["env"])
    guidance, gate = audited(make_guidance(settings, seed), seed)
    memory: Any = guidance.judge  # a Remembered, or None
    clock = Clock()
    source: Any = guidance.shifts(seed, s["steps"], horizon_of(settings))
    agent = _agent(settings, task, source, seed)
    curve, times = _learn(settings, task, agent, source, memory, clock, seed)
    with _uncounted(memory):
        final = evaluate(task, agent.policy(s["steps"]), 2 * EPISODES)["return"]
        target = cartpole(s["target"]) if s["target"] else None
        in_target = evaluate(target, agent.policy(s["steps"]), 2 * EPISODES)["return"] if target else None
    return {
        **curve_metrics(curve, times, GOALS[task.folder], s["steps"], clock.seconds()),
        "return": final,
        "target_return": in_target,
        "questions": float(memory.questions) if memory else 0.0,
        "tokens": float(memory.tokens) if memory else 0.0,
        "judge_seconds": memory.seconds if memory else 0.0,
        "train_seconds": clock.seconds(),
        **gate,
    }


def audited(guidance: Guidance, seed: int) -> tuple[Guidance, dict[str, float | None]]:
    """The guidance with its judge's audit where a gate is in force, and what the held-out questions showed.

    Other than in a training command the questions are split by the seed, so that studies measure the luck of the gate.
    """
    memory: Any = guidance.judge
    if not guidance.gated:
        return guidance, {"coverage": None if memory is None else 1.0, "precision": None}
    rng = np.random.default_rng([seed, 12])
    probes = guidance.domain.probes(guidance.template.render, rng)
    with _uncounted(memory):
        audit = audit_judge(memory, probes, guidance.config.min_precision, rng)
    held = audit.held_out
    return guidance.audited(audit.as_dict()), {"coverage": held.coverage, "precision": held.precision}


def _agent(settings: Settings, task: World, source: RewardShifter | None, seed: int) -> AdvisedDqn:
    s: Any = settings
    config = DqnConfig(discount=DISCOUNT, epsilon_final=s["epsilon_final"], epsilon_share=s["epsilon_share"])
    env = task.make()
    features = int(np.prod(env.observation_space.shape or (1,)))
    env.close()
    wrapped = source is not None and isinstance(source.rule, Potential)
    return AdvisedDqn(features, len(task.actions), None if wrapped else source, config, seed)


def _learn(
    settings: Settings,
    task: World,
    agent: AdvisedDqn,
    source: RewardShifter | None,
    memory: Remembered | None,
    clock: Clock,
    seed: int,
) -> tuple[list[tuple[int, float]], list[float]]:
    """(decisions, return) of every evaluation on the way, and the seconds of training until each."""
    s: Any = settings
    curve: list[tuple[int, float]] = []
    times: list[float] = []
    every = max(s["steps"] // POINTS, 1)

    def look(done: int) -> None:
        if done % every:
            return
        times.append(clock.seconds())
        begun = time.perf_counter()
        with _uncounted(memory):
            curve.append((done, evaluate(task, agent.policy(done), EPISODES)["return"]))
        clock.leave_out(time.perf_counter() - begun)

    env = task.make()
    if source is not None and isinstance(source.rule, Potential):
        env = PotentialShift(env, source, DISCOUNT)
    agent.train(env, s["steps"], seed, look)
    env.close()
    return curve, times


def _uncounted(memory: Remembered | None) -> Any:
    from contextlib import nullcontext

    return nullcontext() if memory is None else memory.uncounted()


def curve_metrics(
    curve: list[tuple[int, float]], times: list[float], goal: float, steps: int, seconds: float
) -> dict[str, float]:
    """Mean return over the training, and when an evaluation first reached `goal` (the whole budget if none did)."""
    reached = next((i for i, (_, earned) in enumerate(curve) if earned >= goal), None)
    return {
        "mean_return": float(np.mean([earned for _, earned in curve])),
        "steps_to_goal": float(steps if reached is None else curve[reached][0]),
        "reached": float(reached is not None),
        "to_goal_seconds": seconds if reached is None else times[reached],
    }
