"""R2D2: Q-learning with an LSTM, from stored states, burn-in and prioritised sequences (Kapturowski et al. 2019).

What another agent may change is a method each: `inputs` (what the network is given beside the observation), `intrinsic`
(a reward of the agent's own), `discounts` and `learn`. NGU changes these and nothing else.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from apps.atari_vision.r2d2.config import R2D2Config
from apps.atari_vision.r2d2.network import RecurrentQNetwork
from apps.atari_vision.r2d2.replay import SequenceBatch
from apps.atari_vision.r2d2.targets import double_q_targets, sequence_priorities
from apps.atari_vision.r2d2.value_rescaling import rescale

Floats = NDArray[np.float32]
NONE = -1  # the last action where there was none


@dataclass
class Acting:
    """What some actors carry from one decision to the next."""

    hidden: Tensor  # [actor, hidden]
    cell: Tensor
    action: NDArray[np.int64]  # [actor] the last one, or NONE
    reward: Floats  # [actor] the last one, without any shift
    intrinsic: Floats  # [actor] the last one; always 0 in R2D2
    member: NDArray[np.int64]  # [actor] which of a family of policies acts; R2D2 has one

    def clear(self, begun: NDArray[np.bool_]) -> None:
        """Forgets everything where an episode has begun."""
        rows = torch.from_numpy(begun).to(self.hidden.device)
        self.hidden, self.cell = (torch.where(rows[:, None], 0.0, part) for part in (self.hidden, self.cell))
        self.action[begun], self.reward[begun], self.intrinsic[begun] = NONE, 0, 0


@dataclass(frozen=True)
class Learned:
    """One update: its loss, figures for TensorBoard, and the batch's new priorities [batch]."""

    loss: float
    scalars: dict[str, float]
    priorities: NDArray[np.float32]


class R2D2Agent:
    """Acts for any number of actors, and learns from batches of sequences."""

    family = 1  # policies in one network

    def __init__(self, config: R2D2Config, shape: tuple[int, ...], actions: int, seed: int) -> None:
        self.config, self.shape, self.actions = config, shape, actions
        self.device = choose_device(config.device)
        on_gpu = self.device.type == "cuda"
        bfloat16 = on_gpu if config.bfloat16 is None else config.bfloat16
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.online = self.make_network(bfloat16).to(self.device)
        self.target = copy.deepcopy(self.online).requires_grad_(False)
        if on_gpu if config.compile is None else config.compile:
            self.online.encoder.compile()
            self.target.encoder.compile()
        self.optimizer = torch.optim.Adam(
            self.online.parameters(), lr=config.learning_rate, eps=config.adam_epsilon, fused=True
        )
        self.updates = 0

    @property
    def inputs_size(self) -> int:
        """The length of what `inputs` gives each actor."""
        return self.actions + 1

    def make_network(self, bfloat16: bool) -> RecurrentQNetwork:
        """A new network, on the CPU."""
        config = self.config
        return RecurrentQNetwork(
            self.shape, self.inputs_size, self.actions, config.hidden_size, config.memory, bfloat16
        )

    def start(self, actors: int, evaluation: bool = False) -> Acting:
        """Actors before their first episode."""
        hidden, cell = self.online.initial_state(actors)
        zeros = np.zeros(actors, dtype=np.float32)
        member = np.zeros(actors, np.int64) if evaluation else np.arange(actors) % self.family
        return Acting(hidden, cell, np.full(actors, NONE), zeros, zeros.copy(), member)

    def begin(self, acting: Acting, begun: NDArray[np.bool_], observations: NDArray[Any]) -> None:
        """Forgets the past of the actors whose episode has `begun`, and sees its first observation."""
        acting.clear(begun)

    def inputs(self, acting: Acting) -> Floats:
        """[actor, input] the last action, one of n, and the last reward, rescaled so that thousands stay small."""
        actions = np.zeros((len(acting.action), self.actions), dtype=np.float32)
        some = np.flatnonzero(acting.action != NONE)
        actions[some, acting.action[some]] = 1
        rewards = rescale(torch.from_numpy(acting.reward), self.config.rescaling).numpy()
        return np.concatenate([actions, rewards[:, None]], axis=1)

    @torch.no_grad()
    def act(
        self, acting: Acting, observations: NDArray[Any], epsilon: NDArray[np.float64] | float, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """[actor] the best action, or with probability `epsilon` a random one; the recurrent state goes on."""
        seen, inputs = self._tensor(observations).unsqueeze(1), self._tensor(self.inputs(acting)).unsqueeze(1)
        values, (acting.hidden, acting.cell) = self.online(seen, inputs, (acting.hidden, acting.cell))
        best = values.squeeze(1).argmax(dim=-1).cpu().numpy()
        explores = rng.random(len(best)) < epsilon
        return np.where(explores, rng.integers(self.actions, size=len(best)), best)

    def intrinsic(self, acting: Acting, observations: NDArray[Any]) -> Floats:
        """[actor] the agent's own reward for having come to `observations`; none in R2D2."""
        return np.zeros(len(observations), dtype=np.float32)

    def discounts(self, acting: Acting) -> Floats:
        """[actor] gamma."""
        return np.full(len(acting.action), self.config.discount, dtype=np.float32)

    def learn(self, batch: SequenceBatch) -> Learned:
        """One gradient step on the squared errors of a batch."""
        errors, mask = self._errors(batch)
        per_sequence = (errors.square() * mask).sum(dim=1) / mask.sum(dim=1)
        loss = 0.5 * (self._tensor(batch.weights) * per_sequence).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.online.parameters(), self.config.gradient_norm)
        self.optimizer.step()
        self.updates += 1
        if self.updates % self.config.target_every == 0:
            self.target.load_state_dict(self.online.state_dict())
        priorities = sequence_priorities(errors.detach(), mask, self.config.priority_maximum).cpu().numpy()
        return Learned(float(loss.detach()), {"gradient_norm": float(norm)}, priorities)

    @torch.no_grad()
    def priorities(self, batch: SequenceBatch) -> NDArray[np.float32]:
        """[batch] the priorities of sequences that were not learned from yet."""
        errors, mask = self._errors(batch)
        return sequence_priorities(errors, mask, self.config.priority_maximum).cpu().numpy()

    def _errors(self, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
        """(temporal-difference errors, mask of the decisions that exist), each [batch, length]."""
        mask, config = self._tensor(batch.mask), self.config
        online = self._values(self.online, batch)
        with torch.no_grad():
            target = self._values(self.target, batch)
            reward, discount = self._tensor(batch.reward), self._tensor(batch.discount)
            targets = double_q_targets(online, target, reward, discount, mask, config.n_steps, config.rescaling)
        taken = online[:, :-1].gather(-1, self._tensor(batch.action).unsqueeze(-1)).squeeze(-1)
        return targets - taken, mask

    def _values(self, network: RecurrentQNetwork, batch: SequenceBatch) -> Tensor:
        """[batch, length + 1, action] values after burning in from the stored states, without gradient."""
        seen, inputs = self._tensor(batch.observation), self._tensor(batch.inputs)
        state = (self._tensor(batch.hidden), self._tensor(batch.cell))
        split = self.config.burn_in
        if split and self.config.memory and batch.burned.any():
            with torch.no_grad():
                warm = network(seen[:, :split], inputs[:, :split], state)[1]
            burned = self._tensor(batch.burned)[:, None]
            state = (torch.where(burned, warm[0], state[0]), torch.where(burned, warm[1], state[1]))
        return network(seen[:, split:], inputs[:, split:], state)[0]

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device, non_blocking=True)

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimiser and counter, for a checkpoint."""
        return {
            "online": self.online.state_dict(),
            "target": self.target.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "updates": self.updates,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        self.online.load_state_dict(state["online"])
        self.target.load_state_dict(state["target"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.updates = int(state["updates"])


def choose_device(name: str) -> torch.device:
    """The device called `name`; auto is a GPU when there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)
