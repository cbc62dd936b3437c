"""Training of the relevance network on skills, one seed; killed and resumed, it ends with the same numbers."""

import io
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from apps.housekeep.agent.advised import make_agent
from apps.housekeep.agent.drrn import DrrnAgent, DrrnConfig
from apps.housekeep.agent.features import Vocabulary, observe
from apps.housekeep.agent.policies import Advice, AgentPolicy, Policy, no_advice
from apps.housekeep.agent.replay import Replay
from apps.housekeep.agent.seed_trainer import SeedTrainer
from apps.housekeep.config import TrainConfig
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.skills import Skill, candidates, decision_of
from apps.housekeep.task import Task
from lmgt_core.guidance.shift_source import RewardShifter, ShiftSource
from lmgt_core.judges.minilm import MiniLMEncoder
from lmgt_core.rules.agent_rule import AgentRule


def embed(vocabulary: Vocabulary, encoder: MiniLMEncoder) -> tuple[np.ndarray, np.ndarray]:
    """Sentence embeddings float32 [object, size] and [place, size] of the vocabulary's words."""
    objects, places = vocabulary.texts()
    return encoder.encode(objects), encoder.encode(places)


class SkillsTrainer(SeedTrainer):
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
        super().__init__(config, seed, episodes, evaluation, source)
        self.hyper = hyper or DrrnConfig()
        torch.manual_seed(seed)  # dropout draws from torch's generator
        rule = source.rule if source is not None and isinstance(source.rule, AgentRule) else None
        embeddings = embed(self.vocabulary, encoder or MiniLMEncoder.load())
        self.agent = make_agent(self.hyper, self.vocabulary, embeddings, seed, rule)
        self.adviser: RewardShifter | None = None  # of a rule that needs the judgments of all candidates
        if rule is not None and not rule.learns_advice:
            assert isinstance(source, RewardShifter)  # such a rule has to wait for the judge
            self.adviser = source
        self.replay = Replay(self.hyper.replay_capacity, config.envs)

    def _epsilon(self) -> float:
        return self.agent.epsilon(self.skills)

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

    def _policy(self, rng: np.random.Generator) -> Policy:
        """The network, acting greedily.

        Under look-ahead it needs the judge's advice, so evaluations ask the judge, too; statistics do not count that.
        """
        advice: Advice = no_advice
        if self.adviser is not None:
            advice = partial(advise, uncounted(self.adviser))
        return AgentPolicy(self.agent, self.vocabulary, rng, self.hyper.epsilon_evaluation, self.skills, advice)

    def _state(self) -> dict[str, Any]:
        replay = {name: torch.from_numpy(a) for name, a in self.replay.state_dict().items()}
        return {"agent": self.agent.state_dict(), "replay": replay}

    def _load_state(self, state: dict[str, Any]) -> None:
        self.agent.load_state_dict(state["agent"])
        self.replay.load_state_dict({name: t.numpy() for name, t in state["replay"].items()})


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
