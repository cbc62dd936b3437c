"""Training of the relevance network on skills, one seed; killed and resumed, it ends with the same numbers."""

import io
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from apps.housekeep.agent.advised import make_agent
from apps.housekeep.agent.drrn import DrrnAgent, DrrnConfig
from apps.housekeep.agent.episode_row import EpisodeRow, row_of
from apps.housekeep.agent.features import Vocabulary, observe
from apps.housekeep.agent.policies import Advice, AgentPolicy, no_advice, play
from apps.housekeep.agent.replay import Replay
from apps.housekeep.config import TrainConfig
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.metrics import METRICS
from apps.housekeep.simulator.factory import make_simulator
from apps.housekeep.skills import Outcome, Skill, SkillRunner, candidates, decision_of
from apps.housekeep.task import Task
from lmgt_core.guidance.shift_source import RewardShifter, ShiftSource
from lmgt_core.judges.minilm import MiniLMEncoder
from lmgt_core.rules.agent_rule import AgentRule
from lmgt_core.training.run_log import RunLog

Numbers = dict[str, float | None]


def embed(vocabulary: Vocabulary, encoder: MiniLMEncoder) -> tuple[np.ndarray, np.ndarray]:
    """Sentence embeddings float32 [object, size] and [place, size] of the vocabulary's words."""
    objects, places = vocabulary.texts()
    return encoder.encode(objects), encoder.encode(places)


class SkillsTrainer:
    """One seed's training: act, judge, store, learn."""

    def __init__(
        self,
        config: TrainConfig,
        seed: int,
        episodes: Sequence[Episode],
        evaluation: Sequence[Episode],
        source: ShiftSource | None,
        encoder: MiniLMEncoder | None = None,
        hyper: DrrnConfig | None = None,
    ) -> None:
        """`source` gives the shifts, None where there is no judge."""
        self.config, self.seed, self.episodes, self.evaluation = config, seed, episodes, evaluation
        self.hyper = hyper or DrrnConfig()
        self.source = source
        self.vocabulary = Vocabulary.of([*episodes, *evaluation])
        torch.manual_seed(seed)  # dropout draws from torch's generator
        rule = source.rule if source is not None and isinstance(source.rule, AgentRule) else None
        embeddings = embed(self.vocabulary, encoder or MiniLMEncoder.load())
        self.agent = make_agent(self.hyper, self.vocabulary, embeddings, seed, rule)
        self.adviser: RewardShifter | None = None  # of a rule that needs the judgments of all candidates
        if rule is not None and not rule.learns_advice:
            assert isinstance(source, RewardShifter)  # such a rule has to wait for the judge
            self.adviser = source
        self.replay = Replay(self.hyper.replay_capacity, config.envs)
        self.task = Task(make_simulator(config), config.reward)
        self.runner = SkillRunner(self.task)
        self.order_rng, self.act_rng, self.sample_rng = (np.random.default_rng([seed, i]) for i in range(3))
        self.order: list[int] = []
        self.skills = self.episode = self.primitive_steps = 0

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
            "epsilon": self.agent.epsilon(self.skills),
            "wall_seconds": time.perf_counter() - begun,
        }

    def _step(self, losses: list[float]) -> float:
        """One decision, at step t of the training, counted from 0; returns its shift."""
        t, options = self.skills, candidates(self.task)
        observation = observe(self.task, options, self.vocabulary)
        advice = None if self.adviser is None else advise(self.adviser, self.task, options)
        choice = self.agent.act([observation], [self.agent.epsilon(t)], self.act_rng, [advice], t)[0]
        if advice is not None:
            outcome, shift = self.runner.run(options[choice]), float(advice[choice])
        else:
            outcome, shift = self._run(options[choice])
        self.skills += 1
        last = self.task.over or self.skills >= self.config.steps
        self.replay.add(observation, choice, outcome.reward, shift, last, advice)
        losses += self._learn(self.hyper.updates_per_skill, t)
        return shift

    def _learn(self, updates: int, t: int) -> list[float]:
        """[update] the losses of learning at step t; none before there is enough to learn from."""
        if len(self.replay) <= self.hyper.warm_up:
            return []
        weight, hyper, losses = 1.0 if self.source is None else self.source.weight, self.hyper, []
        for _ in range(updates):
            batch = self.replay.sample(hyper.batch_size, hyper.gamma, hyper.multi_step, self.sample_rng)
            losses.append(self.agent.learn(batch, weight, t))
        return losses

    def _run(self, skill: Skill) -> tuple[Outcome, float]:
        """What executing a skill gave, and the shift of having chosen it, judged in the state before."""
        if self.source is None:
            return self.runner.run(skill), 0.0
        tickets = self.source.submit([decision_of(self.task, skill)], [skill])
        outcome = self.runner.run(skill)
        return outcome, float(self.source.resolve(tickets)[0])

    def _evaluate(self, log: RunLog) -> Numbers:
        """Means over the evaluation episodes, played greedily without any shift.

        Under look-ahead the policy needs the judge's advice, so evaluations ask it, too; statistics do not count that.
        """
        rng = np.random.default_rng([self.seed, 3, self.skills])
        advice: Advice = no_advice
        if self.adviser is not None:
            advice = partial(advise, uncounted(self.adviser))
        policy = AgentPolicy(self.agent, self.vocabulary, rng, self.hyper.epsilon_evaluation, self.skills, advice)
        rows = []
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

    def _checkpoint(self, last: Numbers) -> bytes:
        """Everything that the next step depends on."""
        generators = {"order": self.order_rng, "act": self.act_rng, "sample": self.sample_rng}
        counters = {
            "skills": self.skills,
            "episode": self.episode,
            "primitive_steps": self.primitive_steps,
            "order": self.order,
            "homes": self._homes_state(),
            "last": last,
            "generators": {name: rng.bit_generator.state for name, rng in generators.items()},
            "shifter": None if self.source is None else self.source.state_dict(),
        }
        buffer = io.BytesIO()
        torch.save(
            {
                "agent": self.agent.state_dict(),
                "replay": {name: torch.from_numpy(a) for name, a in self.replay.state_dict().items()},
                "torch": torch.random.get_rng_state(),
                "counters": json.dumps(counters),
            },
            buffer,
        )
        return buffer.getvalue()

    def _homes_state(self) -> dict[str, Any]:
        """What a checkpoint keeps of episodes that are running: here none is."""
        return {}

    def _load_homes(self, state: dict[str, Any]) -> None:
        """Takes up what `_homes_state` gave."""

    def _resume(self, log: RunLog) -> Numbers:
        """Takes up the last checkpoint, if there is one."""
        if (content := log.load_checkpoint(self.seed)) is None:
            return {}
        state = torch.load(io.BytesIO(content), weights_only=True)
        self.agent.load_state_dict(state["agent"])
        self.replay.load_state_dict({name: t.numpy() for name, t in state["replay"].items()})
        torch.random.set_rng_state(state["torch"])
        counters = json.loads(state["counters"])
        self.skills, self.episode = counters["skills"], counters["episode"]
        self.primitive_steps, self.order = counters["primitive_steps"], counters["order"]
        for name, rng in {"order": self.order_rng, "act": self.act_rng, "sample": self.sample_rng}.items():
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


def advise(shifter: RewardShifter, task: Task, skills: list[Skill]) -> NDArray[np.float32]:
    """[skill] the shift that each of these skills would have; 0 for those that are not judged, such as going somewhere.

    They are not counted as decisions: at most one of them is taken.
    """
    return shifter([decision_of(task, skill) for skill in skills], skills).delta


def uncounted(shifter: RewardShifter) -> RewardShifter:
    """The same judge and rule with statistics of its own; for rules without a state."""
    return RewardShifter(None, shifter.template, shifter.judge, shifter.rule, describe=shifter.describe)


def load_agent(
    content: bytes, vocabulary: Vocabulary, encoder: MiniLMEncoder, rule: AgentRule | None = None
) -> tuple[DrrnAgent, int]:
    """The trained network of a checkpoint with the words of `vocabulary`, and after how many skills it was saved."""
    state = torch.load(io.BytesIO(content), weights_only=True)
    agent = make_agent(DrrnConfig(), vocabulary, embed(vocabulary, encoder), 0, rule)
    agent.load_state_dict(state["agent"])
    return agent, json.loads(state["counters"])["skills"]
