"""The relevance network under the shift rules that work inside the agent: lookahead, pies, adops.

It is the agent of drrn.py but for what it acts on, `rule.preference`, and for what it learns: see
lmgt_core/rules/agent_rule.py. An advice that is learnt has a relevance network of its own, the critic. It begins at 0
everywhere, and has no dropout, which would draw from Q's random numbers: under a judge that is always neutral, training
equals one without a judge bit for bit.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from torch import nn

from apps.housekeep.agent.drrn import Advice, DrrnAgent, DrrnConfig, first_best
from apps.housekeep.agent.features import Observation, Vocabulary
from apps.housekeep.agent.replay import Batch
from lmgt_core.guidance.reward import shifted_reward
from lmgt_core.rules.agent_rule import AgentRule, advice_shift

Embeddings = tuple[NDArray, NDArray]
Rows = NDArray[np.float32]  # [row], candidates of one decision or of several


class AdvisedAgent(DrrnAgent):
    """Acts on what `rule` prefers; `critic` learns the discounted sum of shifts, for a rule that learns its advice."""

    def __init__(
        self, config: DrrnConfig, vocabulary: Vocabulary, embeddings: Embeddings, seed: int, rule: AgentRule
    ) -> None:
        self.rule = rule
        self.critic: DrrnAgent | None = None
        if rule.learns_advice:
            self.critic = DrrnAgent(replace(config, dropout=0.0), vocabulary, embeddings, seed + 1)
            last = self.critic.online.value[-1], self.critic.target.value[-1]
            for parameter in (p for layer in last for p in layer.parameters()):
                nn.init.zeros_(parameter)
        super().__init__(config, vocabulary, embeddings, seed)

    def set_vocabulary(self, vocabulary: Vocabulary, embeddings: Embeddings) -> None:
        super().set_vocabulary(vocabulary, embeddings)
        if self.critic is not None:
            self.critic.set_vocabulary(vocabulary, embeddings)

    def preferences(self, observations: Sequence[Observation], advice: Sequence[Advice], step: int) -> list[Rows]:
        """[observation][candidate] what it acts on at this step of training; a rule that does not learn its advice is
        given it."""
        values = super().preferences(observations, advice, step)
        if self.critic is not None:
            advice = self.critic.preferences(observations, advice, step)
        return [self.rule.preference(q, phi, step) for q, phi in zip(values, advice, strict=True) if phi is not None]

    def learn(self, batch: Batch, shift_weight: float, step: int = 0) -> float:
        """One gradient step of Q, and one of the critic if there is one; returns the loss of Q.

        Beside a critic, Q learns from r_t as if there were no judge. Else a' is the preferred candidate, and
        discount_t Phi(s', a') - Phi(s, a) is added to r_t: over several decisions, that sum telescopes.
        """
        q, q_target = self.next_values(batch)
        if self.critic is None:
            assert batch.advice_tm1 is not None and batch.advice_t is not None
            best = self._preferred(q, batch.advice_t, batch.next_candidates.offsets, step)
            shift_t = advice_shift(batch.advice_tm1, batch.advice_t[best], batch.discount_t)
            return self.fit(batch.chosen, shifted_reward(batch.r_t, shift_t, 1.0) + batch.discount_t * q_target[best])
        advice, advice_target = self.critic.next_values(batch)
        preferred = self._preferred(q, advice, batch.next_candidates.offsets, step)
        self.critic.fit(batch.chosen, batch.shift_t + batch.discount_t * advice_target[preferred])
        best = first_best(q, batch.next_candidates.offsets)
        return self.fit(batch.chosen, batch.r_t + batch.discount_t * q_target[best])

    def _preferred(self, q: Rows, advice: Rows, offsets: NDArray[np.int64], step: int) -> NDArray[np.int64]:
        """[decision] the row that is preferred in each run of rows offsets[i] to offsets[i + 1]."""
        runs = [slice(a, b) for a, b in pairwise(offsets.tolist())]
        return first_best(np.concatenate([self.rule.preference(q[run], advice[run], step) for run in runs]), offsets)

    def state_dict(self) -> dict:
        """Weights and optimisers, for a checkpoint."""
        return super().state_dict() | ({} if self.critic is None else {"critic": self.critic.state_dict()})

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        if self.critic is not None:
            self.critic.load_state_dict(state["critic"])


def make_agent(
    config: DrrnConfig, vocabulary: Vocabulary, embeddings: Embeddings, seed: int, rule: AgentRule | None
) -> DrrnAgent:
    """The agent that serves `rule`; the plain one where rules only shift the reward."""
    if rule is None:
        return DrrnAgent(config, vocabulary, embeddings, seed)
    return AdvisedAgent(config, vocabulary, embeddings, seed, rule)
