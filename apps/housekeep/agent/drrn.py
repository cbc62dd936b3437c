"""A deep reinforcement relevance network: double DQN that scores every candidate skill from its words.

He et al. 2016 (arXiv 1511.04636) score text actions in a text state; here a candidate is the pairs of object and place
that it is about, compared by a small network on their sentence embeddings, and a few scalars. Nothing in the network
names a scene or an action number, so a policy carries over to unseen scenes and objects. Double targets: van Hasselt et
al. 2016 (arXiv 1509.06461).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from apps.housekeep.agent.features import PAIR_SCALARS, SCALARS, Observation, Vocabulary
from apps.housekeep.agent.replay import Batch, Ragged
from apps.housekeep.skills import Kind
from lmgt_core.guidance.reward import shifted_reward

Advice = NDArray[np.float32] | None  # [candidate] what a judge thinks of each; None: nobody is asked


@dataclass(frozen=True)
class DrrnConfig:
    """Hyper-parameters; chosen on Pomaria_0 (see the app's README), not on the scenes that results are shown for."""

    gamma: float = 0.95  # per skill
    multi_step: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    batch_size: int = 32
    updates_per_skill: int = 1
    warm_up: int = 64  # skills before the first update
    replay_capacity: int = 50_000
    target_rate: float = 0.01  # Polyak averaging, per update
    relation_size: int = 16
    hidden_size: int = 64
    dropout: float = 0.1  # on the comparison of words
    epsilon_final: float = 0.05
    epsilon_skills: int = 1_000  # linear from 1
    epsilon_evaluation: float = 0.0


class RelevanceNetwork(nn.Module):
    """Q(s, a) of candidates: relations of (object, place) pairs, the strongest of each kind, and scalars."""

    def __init__(self, config: DrrnConfig, embedding_size: int) -> None:
        super().__init__()
        hidden, relation = config.hidden_size, config.relation_size
        self.hidden_size = hidden
        self.object = nn.Linear(embedding_size, 2 * hidden)
        self.place = nn.Linear(embedding_size, 2 * hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.relation = nn.Linear(hidden, relation)
        self.pair = nn.Sequential(nn.Linear(relation + len(PAIR_SCALARS), relation), nn.ReLU())
        self.value = nn.Sequential(
            nn.Linear(len(SCALARS) + relation, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def relations(self, objects: Tensor, places: Tensor, pairs: Tensor) -> Tensor:
        """[pair + 1, relation] of pairs [2, pair] of rows of projected words, behind a row of zeros for 'none'.

        `objects` and `places` are what the layers of these names make of the words' embeddings; words are compared by
        sums and products of their projections (a low-rank bilinear form).
        """
        o_sum, o_factor = objects[pairs[0]].split(self.hidden_size, dim=1)
        p_sum, p_factor = places[pairs[1]].split(self.hidden_size, dim=1)
        relations = self.relation(self.dropout(torch.relu(o_sum + p_sum + o_factor * p_factor)))
        return torch.cat([relations.new_zeros(1, relations.shape[1]), relations])

    def forward(self, scalars: Tensor, relations: Tensor, which: Tensor, moved: Tensor) -> Tensor:
        """[row] values from scalars [row, scalar], relations [distinct + 1, relation], `which` of them each row has
        [row, pair] (0: none), and moved [row, pair]."""
        pairs = self.pair(torch.cat([relations[which], moved.unsqueeze(-1)], dim=-1))
        strongest = (pairs * (which > 0).unsqueeze(-1)).amax(dim=1)  # ReLU outputs: 0 where there is no pair
        return self.value(torch.cat([scalars, strongest], dim=-1)).squeeze(-1)


class Candidates(NamedTuple):
    """Candidates as the networks take them: each different pair of words is compared once."""

    scalars: Tensor  # [row, scalar]
    distinct: Tensor  # [2, pair] the different pairs of an object and a place
    which: Tensor  # [row, pair] of them, from 1; 0: none
    moved: Tensor  # [row, pair]


class DrrnAgent:
    """Chooses among candidate skills and learns from a replay of its own decisions."""

    def __init__(self, config: DrrnConfig, vocabulary: Vocabulary, embeddings: tuple[NDArray, NDArray], seed: int):
        """`embeddings` are float32 [object, size] and [place, size], of the vocabulary's texts in order."""
        self.config = config
        generator_state = torch.random.get_rng_state()
        torch.manual_seed(seed)
        self.online = RelevanceNetwork(config, embeddings[0].shape[1])
        torch.random.set_rng_state(generator_state)
        self.target = copy.deepcopy(self.online).eval().requires_grad_(False)
        self._parameters: tuple[list[Tensor], ...] = tuple(list(n.parameters()) for n in (self.online, self.target))
        self.optimizer = torch.optim.AdamW(
            self._parameters[0], lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self.set_vocabulary(vocabulary, embeddings)

    def set_vocabulary(self, vocabulary: Vocabulary, embeddings: tuple[NDArray, NDArray]) -> None:
        """Changes the words that pairs are made of, for other scenes and objects; the network stays the same."""
        self.vocabulary = vocabulary
        self._objects, self._places = (torch.from_numpy(np.ascontiguousarray(e, np.float32)) for e in embeddings)
        self._projected: dict[RelevanceNetwork, tuple[Tensor, Tensor]] = {}

    def values(self, network: RelevanceNetwork, rows: Ragged | Observation) -> Tensor:
        """[row] Q of every candidate in `rows`."""
        return self._values(network, self._laid_out(rows))

    def _values(self, network: RelevanceNetwork, rows: Candidates) -> Tensor:
        return network(rows.scalars, network.relations(*self._words(network), rows.distinct), rows.which, rows.moved)

    def _laid_out(self, rows: Ragged | Observation) -> Candidates:
        distinct, which = distinct_pairs(rows.pairs, len(self._objects), len(self._places))
        return Candidates(*map(torch.from_numpy, (rows.scalars, distinct, which, rows.moved)))

    def _words(self, network: RelevanceNetwork) -> tuple[Tensor, Tensor]:
        """The vocabulary's objects and places as `network` projects them: once between two changes of its weights."""
        if network not in self._projected:
            with torch.enable_grad():  # acting comes first, and learning needs the gradient
                self._projected[network] = network.object(self._objects), network.place(self._places)
        return self._projected[network]

    def epsilon(self, skills: int) -> float:
        """The share of random skills after `skills` decisions."""
        done = min(skills / max(self.config.epsilon_skills, 1), 1.0)
        return 1.0 + done * (self.config.epsilon_final - 1.0)

    def act(
        self,
        observations: Sequence[Observation],
        epsilons: Sequence[float],
        rng: np.random.Generator,
        advice: Sequence[Advice] | None = None,
        step: int = 0,
    ) -> list[int]:
        """[observation] the index of a candidate: the best one, or with probability `epsilons` [observation] a random
        one.

        A random choice is of a kind first, then of a candidate of that kind: most candidates are places to go to, and
        among them picks and places, which teach, would hardly ever be tried. `advice` [observation][candidate] and
        `step`, the decisions trained so far, are for agents that a rule steers.
        """
        advice = [None] * len(observations) if advice is None else advice
        chosen = [explored(o, epsilon, rng) for o, epsilon in zip(observations, epsilons, strict=True)]
        greedy = [i for i, choice in enumerate(chosen) if choice is None]
        if greedy:
            preferred = self.preferences([observations[i] for i in greedy], [advice[i] for i in greedy], step)
            for i, values in zip(greedy, preferred, strict=True):
                chosen[i] = int(values.argmax())
        return [choice for choice in chosen if choice is not None]

    @torch.no_grad()
    def preferences(
        self, observations: Sequence[Observation], advice: Sequence[Advice], step: int
    ) -> list[NDArray[np.float32]]:
        """[observation][candidate] what it acts on: Q, of all observations in one batch."""
        self.online.dropout.eval()
        rows = Ragged.of(observations)
        return np.split(self.values(self.online, rows).numpy(), rows.offsets[1:-1])

    def learn(self, batch: Batch, shift_weight: float, step: int = 0) -> float:
        """One gradient step towards double Q-learning targets of r_t + shift_weight * shift_t; returns the loss."""
        online, target = self.next_values(batch)
        rewards = shifted_reward(batch.r_t, batch.shift_t, shift_weight)
        best = first_best(online, batch.next_candidates.offsets)
        return self.fit(batch.chosen, rewards + batch.discount_t * target[best])

    @torch.no_grad()
    def next_values(self, batch: Batch) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """[row of next_candidates] values of the online and of the target network."""
        self.online.dropout.eval()
        rows = self._laid_out(batch.next_candidates)
        return self._values(self.online, rows).numpy(), self._values(self.target, rows).numpy()

    def fit(self, chosen: Ragged, targets: NDArray[np.float32]) -> float:
        """The loss of one gradient step of the values of `chosen` towards `targets` [row]; moves the target network."""
        self.online.dropout.train()
        loss = nn.functional.smooth_l1_loss(self.values(self.online, chosen), torch.from_numpy(targets))
        online, target = self._parameters
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(online, 10.0, foreach=True)
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(target, online, self.config.target_rate)
        self._projected.clear()
        return float(loss.detach())

    def state_dict(self) -> dict:
        """Weights and optimiser, for a checkpoint."""
        return {
            "online": self.online.state_dict(),
            "target": self.target.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Takes over what `state_dict` gave."""
        self.online.load_state_dict(state["online"])
        self.target.load_state_dict(state["target"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._projected.clear()


def explored(observation: Observation, epsilon: float, rng: np.random.Generator) -> int | None:
    """A random candidate with probability `epsilon`, of a kind that is drawn first; else None."""
    if rng.random() >= epsilon:
        return None
    kinds = observation.scalars[:, : len(Kind)].argmax(axis=1)
    return int(rng.choice(np.flatnonzero(kinds == rng.choice(np.unique(kinds)))))


def distinct_pairs(pairs: NDArray[np.int16], objects: int, places: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(the different ones among pairs [row, pair, 2] as [2, distinct], which of them, from 1, each is [row, pair]).

    A pair is of one of so many objects and one of so many places; -1, which is none, becomes 0.
    """
    codes = np.where(pairs[..., 0] < 0, 0, 1 + pairs[..., 0].astype(np.int64) * places + pairs[..., 1])
    number = np.zeros(1 + objects * places, np.int64)  # [code]; faster than sorting, and sorted all the same
    number[codes] = 1
    number[0] = 0
    distinct = np.flatnonzero(number)
    number[distinct] = np.arange(1, len(distinct) + 1)
    return np.stack(np.divmod(distinct - 1, places)), number[codes]


def first_best(values: NDArray[np.float32], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """[decision] the row of the best value in each run of rows offsets[i] to offsets[i + 1]."""
    runs = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    return np.array([a + int(values[a:b].argmax()) for a, b in runs], np.int64)
