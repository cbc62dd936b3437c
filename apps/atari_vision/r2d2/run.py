"""Trains R2D2, or whatever agent changes its methods, on copies of a world: act, judge, cut, store, learn.

Killed and resumed, a run ends with the same numbers. The order of things in one step: rewards are clipped before they
are shifted; the state is judged before the action; the shift is stored beside the reward and never shown to the network
or to evaluation.
"""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from apps.atari_vision.actors import Actors, Envs
from apps.atari_vision.r2d2.agent import R2D2Agent
from apps.atari_vision.r2d2.config import R2D2Config
from apps.atari_vision.r2d2.replay import SequenceReplay
from apps.atari_vision.r2d2.sequences import SequenceCutter
from apps.atari_vision.r2d2.targets import exploration_rates
from lmgt_core.guidance.shift_source import ShiftSource, Tickets
from lmgt_core.training.run_log import RunLog

Worlds = Callable[[int], Envs]  # so many copies, with autoreset disabled
Metrics = dict[str, float | None]


@dataclass(frozen=True)
class Schedule:
    """How long a run is; all in decisions of all actors together, rounded up to whole steps of all."""

    steps: int
    evaluate_every: int
    checkpoint_every: int
    evaluation_episodes: int = 10


class Trainer:
    """One seed's training."""

    def __init__(
        self,
        worlds: Worlds,
        config: R2D2Config,
        schedule: Schedule,
        seed: int,
        source: ShiftSource | None = None,
        agent: type[R2D2Agent] = R2D2Agent,
    ) -> None:
        self.worlds, self.config, self.schedule, self.seed, self.source = worlds, config, schedule, seed, source
        self.actors = Actors(worlds(config.actors), seed)
        envs = self.actors.envs
        space = seen_space(envs)
        self.agent = agent(config, space.shape, int(envs.single_action_space.n), seed)
        self.acting = self.agent.start(config.actors)
        self.cutter = SequenceCutter(config, config.actors, space.shape, space.dtype, self.agent.inputs_size)
        self.replay = SequenceReplay(config)
        self.epsilon = exploration_rates(config.actors, config.epsilon, config.epsilon_spread)
        self.act_rng, self.sample_rng = (np.random.default_rng([seed, i]) for i in range(2))
        self.decisions = self.episodes = 0
        self.running = np.zeros((4, config.actors))  # return, shift, intrinsic reward and length of running episodes
        self.loss = 0.0
        self._evaluation: Actors | None = None

    def train(self, log: RunLog, tick: Callable[[int], None] = lambda done: None) -> Metrics:
        """Trains to the end and returns the last evaluation's means."""
        last = self._resume(log)
        tick(self.decisions)
        if self.decisions == 0:
            last = self.evaluate(log)
        while self.decisions < self.schedule.steps:
            before = self.decisions
            self.step(log)
            tick(self.decisions - before)
            over = self.decisions >= self.schedule.steps
            if over or self._crossed(before, self.schedule.evaluate_every):
                last = self.evaluate(log)
            if over or self._crossed(before, self.schedule.checkpoint_every):
                log.save_checkpoint(self.seed, self._checkpoint(last))
        return last

    def close(self) -> None:
        """Ends the actors' processes."""
        for actors in (self.actors, self._evaluation):
            if actors is not None:
                actors.close()

    def step(self, log: RunLog | None = None) -> None:
        """One decision of every actor, and the updates that are due."""
        if (begun := self.actors.begin()).any():
            self.agent.begin(self.acting, begun, self.actors.view)
            self.cutter.begin(begun, self.actors.view, self.agent.inputs(self.acting))
        state = (self.acting.hidden.cpu().numpy(), self.acting.cell.cpu().numpy())
        action = self.agent.act(self.acting, self.actors.view, self.epsilon, self.act_rng)
        tickets = None if self.source is None else self.source.submit(self.actors.each(), list(action))
        earned, terminated, _ = self.actors.step(action)
        shift = self._shift(tickets)
        reward = played_reward(self.config, earned)
        intrinsic = self.agent.intrinsic(self.acting, self.actors.view)
        discount = np.where(terminated, np.float32(0), self.agent.discounts(self.acting))
        decided = {"action": action, "reward": reward, "shift": shift, "intrinsic": intrinsic, "discount": discount}
        self.acting.action, self.acting.reward, self.acting.intrinsic = action, reward, intrinsic
        inputs = self.agent.inputs(self.acting)
        records = self.cutter.add(state, decided, self.actors.view, inputs, self.actors.ended)
        before, self.decisions = self.decisions, self.decisions + self.actors.count
        if records:
            self.replay.add(records, self.agent.priorities(self.replay.batch_of(records, self._weight)))
        self._count(earned, shift, intrinsic, log)
        if len(self.replay) >= self.config.warm_up:
            every = self.config.decisions_per_update
            for _ in range(self.decisions // every - before // every):
                self._learn(log)

    def evaluate(self, log: RunLog | None = None) -> Metrics:
        """The mean unshifted return and length of new episodes, one for each of evaluation_episodes actors."""
        if self._evaluation is None:
            self._evaluation = Actors(self.worlds(self.schedule.evaluation_episodes), self.seed)
        seed = int(np.random.SeedSequence([self.seed, 2, self.decisions]).generate_state(1)[0])
        returns, lengths = play(self.agent, self._evaluation, seed)
        metrics: Metrics = {"return": float(returns.mean()), "length": float(lengths.mean())}
        if log is not None:
            log.record_evaluation(self.seed, {"decisions": self.decisions, "episodes": len(returns), **metrics})
            for name, value in metrics.items():
                log.scalar(self.seed, f"evaluation/{name}", float(value or 0), self.decisions)
        return metrics

    def _crossed(self, before: int, every: int) -> bool:
        return self.decisions // every > before // every

    @property
    def _weight(self) -> float:
        return 1.0 if self.source is None else self.source.weight

    def _shift(self, tickets: Tickets | None) -> NDArray[np.float32]:
        """[actor] the judge's shifts of the decisions with these tickets; 0 without a judge."""
        if self.source is None or tickets is None:
            return np.zeros(self.actors.count, dtype=np.float32)
        return self.source.resolve(tickets)

    def _learn(self, log: RunLog | None) -> None:
        batch = self.replay.sample(self.sample_rng, self._weight)
        learned = self.agent.learn(batch)
        self.replay.update(batch.index, learned.priorities)
        self.loss = learned.loss
        if log is not None and self.agent.updates % 100 == 0:
            priority = float(learned.priorities.mean())
            for name, value in {"loss": learned.loss, "priority": priority, **learned.scalars}.items():
                log.scalar(self.seed, f"learner/{name}", value, self.decisions)

    def _count(self, earned: NDArray[Any], shift: NDArray[Any], intrinsic: NDArray[Any], log: RunLog | None) -> None:
        """Adds up the running episodes, and records those that have ended."""
        self.running += np.stack([earned, shift, intrinsic, np.ones_like(earned)])
        for actor in np.flatnonzero(self.actors.ended):
            self.episodes += 1
            row = dict(zip(("return", "shift", "intrinsic", "length"), self.running[:, actor].tolist(), strict=True))
            if log is not None:
                about = {"actor": int(actor), "member": int(self.acting.member[actor]), "loss": self.loss}
                log.record_episode(self.seed, {"episode": self.episodes, "decisions": self.decisions, **row, **about})
                log.scalar(self.seed, "episode/return", row["return"], self.decisions)
        self.running[:, self.actors.ended] = 0

    def _checkpoint(self, last: Metrics) -> bytes:
        """Everything that the next step depends on."""
        actors = self.actors.state_dict()
        generators = {"act": self.act_rng, "sample": self.sample_rng}
        counters = {
            "decisions": self.decisions,
            "episodes": self.episodes,
            "loss": self.loss,
            "last": last,
            "running": self.running.tolist(),
            "actors": {name: actors[name] for name in ("actions", "episodes", "ended")},
            "generators": {name: rng.bit_generator.state for name, rng in generators.items()},
            "shifter": None if self.source is None else self.source.state_dict(),
        }
        acting = {name: getattr(self.acting, name) for name in ("hidden", "cell", "action", "reward", "intrinsic")}
        state = {
            "agent": self.agent.state_dict(),
            "acting": to_tensors(acting),
            "view": torch.from_numpy(actors["view"]),
            "cutter": to_tensors(self.cutter.state_dict()),
            "replay": to_tensors(self.replay.state_dict()),
            "counters": json.dumps(counters),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        return buffer.getvalue()

    def _resume(self, log: RunLog) -> Metrics:
        """Takes up the last checkpoint, if there is one."""
        if (content := log.load_checkpoint(self.seed)) is None:
            return {}
        state = torch.load(io.BytesIO(content), weights_only=True, map_location=self.agent.device)
        counters = json.loads(state["counters"])
        self.agent.load_state_dict(state["agent"])
        acting = state["acting"]
        self.acting.hidden, self.acting.cell = acting["hidden"], acting["cell"]
        for name in ("action", "reward", "intrinsic"):
            setattr(self.acting, name, acting[name].cpu().numpy())
        space = seen_space(self.actors.envs)
        self.cutter.load_state_dict(to_arrays(state["cutter"]))
        self.replay.load_state_dict(to_arrays(state["replay"]), space.shape, space.dtype)
        self.actors.load_state_dict({**counters["actors"], "view": state["view"].cpu().numpy()})
        self.decisions, self.episodes, self.loss = (counters[n] for n in ("decisions", "episodes", "loss"))
        self.running = np.array(counters["running"])
        for name, rng in {"act": self.act_rng, "sample": self.sample_rng}.items():
            rng.bit_generator.state = counters["generators"][name]
        if self.source is not None:
            self.source.load_state_dict(counters["shifter"])
        return dict(counters["last"])


def play(agent: R2D2Agent, actors: Actors, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(returns, lengths) [actor] of each actor's first episode, played by the agent's evaluation policy."""
    actors.seed, actors.ended = seed, np.ones(actors.count, dtype=bool)
    actors.episodes[:] = 0
    acting, rng = agent.start(actors.count, evaluation=True), np.random.default_rng(seed)
    returns, lengths, over = np.zeros(actors.count), np.zeros(actors.count), np.zeros(actors.count, dtype=bool)
    while not over.all():
        if (begun := actors.begin()).any():
            acting.clear(begun)
        action = agent.act(acting, actors.view, agent.config.epsilon_evaluation, rng)
        reward, _, _ = actors.step(action)
        acting.action, acting.reward = action, played_reward(agent.config, reward)
        returns, lengths = returns + np.where(over, 0, reward), lengths + ~over
        over |= actors.ended
    return returns, lengths


def played_reward(config: R2D2Config, earned: NDArray[np.float64]) -> NDArray[np.float32]:
    """[actor] the reward as the agent learns from it, before any shift."""
    return (np.sign(earned) if config.clip_rewards else earned).astype(np.float32)


def seen_space(envs: Envs) -> Any:
    """The space of what an agent sees of one environment."""
    from gymnasium.spaces import Dict

    from apps.atari_vision.simulator.seen import AGENT

    space = envs.single_observation_space
    return space[AGENT] if isinstance(space, Dict) else space


def to_tensors(state: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a nested mapping as tensors, which torch.save stores without pickling code."""
    convert: dict[type, Callable[[Any], Any]] = {
        dict: to_tensors,
        np.ndarray: lambda a: torch.from_numpy(np.ascontiguousarray(a).copy()),
    }
    return {name: convert.get(type(value), lambda v: v)(value) for name, value in state.items()}


def to_arrays(state: Mapping[str, Any]) -> dict[str, Any]:
    """What `to_tensors` was given."""
    return {
        name: to_arrays(value) if isinstance(value, Mapping) else value.cpu().numpy() for name, value in state.items()
    }
