"""What every training by skills has in common: episodes in a drawn order, shifts, evaluations, checkpoints."""

import io
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from apps.housekeep.agent.episode_row import EpisodeRow, row_of
from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.agent.policies import Policy, play
from apps.housekeep.config import TrainConfig
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.metrics import METRICS
from apps.housekeep.simulator.factory import make_simulator
from apps.housekeep.skills import Outcome, Skill, SkillRunner, decision_of
from apps.housekeep.task import Task
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.training.run_log import RunLog

Numbers = dict[str, float | None]


class SeedTrainer(ABC):
    """One seed's training; killed and resumed, it ends with the same numbers."""

    def __init__(
        self,
        config: TrainConfig,
        seed: int,
        episodes: Sequence[Episode],
        evaluation: Sequence[Episode],
        source: ShiftSource | None,
    ) -> None:
        """`source` gives the shifts, None where there is no judge."""
        self.config, self.seed, self.episodes, self.evaluation = config, seed, episodes, evaluation
        self.source = source
        self.vocabulary = Vocabulary.of([*episodes, *evaluation])
        self.task = Task(make_simulator(config), config.reward)
        self.runner = SkillRunner(self.task)
        self.order_rng, self.act_rng, self.sample_rng = (np.random.default_rng([seed, i]) for i in range(3))
        self.order: list[int] = []
        self.skills = self.episode = self.primitive_steps = 0

    @abstractmethod
    def _step(self, losses: list[float]) -> float:
        """One decision; returns its shift, and adds what learning lost to `losses`."""

    @abstractmethod
    def _epsilon(self) -> float:
        """The share of random decisions now."""

    @abstractmethod
    def _policy(self, rng: np.random.Generator) -> Policy:
        """What was learned so far, acting greedily."""

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """What the learner's next step depends on, by name: tensors, or dictionaries of them."""

    @abstractmethod
    def _load_state(self, state: dict[str, Any]) -> None:
        """Takes over what `_state` gave."""

    def close(self) -> None:
        """Ends the simulator."""
        self.task.simulator.close()

    def train(self, log: RunLog, tick: Callable[[int], None]) -> Numbers:
        """Trains to the end and returns the last evaluation's means."""
        last = self._resume(log)
        if self.skills == 0:
            last = self._evaluate(log)
        while self.skills < self.config.steps:
            before = self.skills
            self.play(log)
            tick(self.skills - before)
            done = self.skills >= self.config.steps
            if done or self._crossed(before, self.config.curve):
                last = self._evaluate(log)
            if done or self._crossed(before, self.config.checkpoint_every):
                log.save_checkpoint(self.seed, self._checkpoint(last))
        return last

    def play(self, log: RunLog) -> None:
        """Trains for an episode, and records it."""
        log.record_episode(self.seed, self._play_one())

    def _crossed(self, before: int, every: int) -> bool:
        return self.skills // every > before // every

    def _play_one(self) -> dict[str, Any]:
        """Plays and learns from one training episode; its row for episodes.csv."""
        if not self.order:
            self.order = self.order_rng.permutation(len(self.episodes)).tolist()
        self.task.reset(self.episodes[self.order.pop()])
        begun, started, shifted = time.perf_counter(), self.skills, 0.0
        losses: list[float] = []
        while not self.task.over and self.skills < self.config.steps:
            shifted += self._step(losses)
        return self._counted(row_of(self.task, self.skills - started), shifted, losses, begun)

    def _counted(self, row: EpisodeRow, shift: float, losses: Sequence[float], begun: float) -> dict[str, Any]:
        """The row of episodes.csv of one more episode that is over, and began at `begun` by the wall clock."""
        self.episode += 1
        self.primitive_steps += row.steps
        return {
            "episode": self.episode,
            "decisions": self.skills,
            "primitive_steps": self.primitive_steps,
            "scene": row.scene,
            "episode_id": row.episode_id,
            "skills": row.skills,
            **row.metrics,
            "shift": shift,
            "loss": float(np.mean(losses)) if losses else 0.0,
            "epsilon": self._epsilon(),
            "wall_seconds": time.perf_counter() - begun,
        }

    def _run(self, skill: Skill) -> tuple[Outcome, float]:
        """What executing a skill gave, and the shift of having chosen it, judged in the state before."""
        if self.source is None:
            return self.runner.run(skill), 0.0
        tickets = self.source.submit([decision_of(self.task, skill)], [skill])
        outcome = self.runner.run(skill)
        return outcome, float(self.source.resolve(tickets)[0])

    def _evaluate(self, log: RunLog) -> Numbers:
        """Means over the evaluation episodes, played greedily without any shift."""
        policy, rows = self._policy(np.random.default_rng([self.seed, 3, self.skills])), []
        for episode in self.evaluation:
            self.task.reset(episode)
            rows.append(play(self.task, policy))
        means = mean_metrics(rows)
        row = {"decisions": self.skills, "primitive_steps": self.primitive_steps, "episodes": len(rows)}
        log.record_evaluation(self.seed, row | {k: v for k, v in means.items() if v is not None})
        for name, value in means.items():
            if value is not None:
                log.scalar(self.seed, f"evaluation/{name}", value, self.skills)
        return means

    def _generators(self) -> dict[str, np.random.Generator]:
        return {"order": self.order_rng, "act": self.act_rng, "sample": self.sample_rng}

    def _checkpoint(self, last: Numbers) -> bytes:
        """Everything that the next step depends on."""
        counters = {
            "skills": self.skills,
            "episode": self.episode,
            "primitive_steps": self.primitive_steps,
            "order": self.order,
            "homes": self._homes_state(),
            "last": last,
            "generators": {name: rng.bit_generator.state for name, rng in self._generators().items()},
            "shifter": None if self.source is None else self.source.state_dict(),
        }
        buffer = io.BytesIO()
        state = {"torch": torch.random.get_rng_state(), "counters": json.dumps(counters)}
        torch.save(self._state() | state, buffer)
        return buffer.getvalue()

    def _homes_state(self) -> dict[str, Any]:
        """What a checkpoint keeps of episodes that are running: here none is."""
        return {}

    def _load_homes(self, state: dict[str, Any]) -> None:  # noqa: B027 (nothing to do, where there is none)
        """Takes up what `_homes_state` gave."""

    def _resume(self, log: RunLog) -> Numbers:
        """Takes up the last checkpoint, if there is one."""
        if (content := log.load_checkpoint(self.seed)) is None:
            return {}
        state = torch.load(io.BytesIO(content), weights_only=True)
        self._load_state(state)
        torch.random.set_rng_state(state["torch"])
        counters = json.loads(state["counters"])
        self.skills, self.episode = counters["skills"], counters["episode"]
        self.primitive_steps, self.order = counters["primitive_steps"], counters["order"]
        for name, rng in self._generators().items():
            rng.bit_generator.state = counters["generators"][name]
        if self.source is not None:  # checkpoints of before 0.2 do not say how many decisions the source had
            counted = {"decisions": self.skills, "step": max(self.skills - 1, 0)}
            self.source.load_state_dict(counted | counters["shifter"])
        self._load_homes(counters.get("homes", {}))
        return counters["last"]


def mean_metrics(rows: Sequence[Numbers]) -> Numbers:
    """The mean of each metric over the episodes where it is defined; None where it never is."""
    means: Numbers = {}
    for name in METRICS:
        values = [row[name] for row in rows if row[name] is not None]
        means[name] = float(np.mean(values)) if values else None
    return means
