"""Training of one seed: serve, judge, remember, learn; killed and resumed, it ends with the same numbers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory
from tf_agents.utils import common

from apps.slateq.describe import clicks, viewers
from apps.slateq.features import features
from apps.slateq.history import SessionHistory
from apps.slateq.learned import Served, save_policy, time_step
from apps.slateq.learners import World, make_agent, make_replay
from apps.slateq.policies import learned_policy
from apps.slateq.session_metrics import METRICS, play
from apps.slateq.simulator.make import make_simulator
from apps.slateq.simulator.protocol import Feedback, Floats, Integers, Observation, Simulator
from apps.slateq.snapshot import from_bytes, to_bytes
from apps.slateq.train_config import TrainConfig, agent_of
from lmgt_core.guidance.shift_source import ShiftSource, Tickets
from lmgt_core.training.run_log import RunLog

EVALUATION = 90_210  # seed of the learning curve's users: the same for every run
SUMS = ("return", "length", "clicks", "quality", "shift")  # of a session in training
TOGETHER = 100  # sessions that are recorded at once: waiting for the disk takes as long for one as for many


class Trainer:
    """One seed's training; `source` gives the shifts, None without a judge, and is closed by the caller."""

    def __init__(self, config: TrainConfig, seed: int, source: ShiftSource | None, run: Path) -> None:
        policy = learned_policy(config.algorithm)
        config = replace(config, agent=agent_of(config))
        self.config, self.seed, self.source, self.run = config, seed, source, run
        self.simulator: Simulator = make_simulator(config, config.users)
        self.evaluated: Simulator = make_simulator(config, config.evaluate_users)
        world = World.of(self.simulator)
        self.agent = make_agent(policy, config.agent, world, seed)
        self.replay = make_replay(world, config.agent, config.users, seed)
        self.history = SessionHistory(config.users)
        self._observe(self.simulator.reset(seed))
        self.sums = np.zeros((config.users, len(SUMS)))
        self.steps = self.episodes = 0
        self.ended: list[dict[str, float]] = []  # sessions to be recorded; always before a checkpoint forgets them
        self.last: dict[str, float] = {}
        self.loss = 0.0
        self._act = common.function(self.agent.collect_policy.action)
        self._learn = tf.function(self._learn_in_graph)
        self._greedy = Served.of(self.agent.policy)
        self._state = tf.Variable(b"", dtype=tf.string, trainable=False, name="state")
        self._checkpointer = common.Checkpointer(
            str(run / "checkpoints" / f"seed_{seed}"),
            max_to_keep=1,
            agent=self.agent,
            replay=self.replay,
            state=self._state,
        )

    def train(self, log: RunLog, tick: Callable[[int], None]) -> dict[str, float]:
        """Trains to the end, saves the policy and returns the last evaluation's means."""
        self._resume()
        tick(min(self.steps, self.config.steps))
        if self.steps == 0:
            self._evaluate(log)
        while self.steps < self.config.steps:
            before, ended = self.steps, self.episodes
            self._step()
            if len(self.ended) >= TOGETHER:
                self._record(log)
            tick(min(self.steps, self.config.steps) - before)  # the last step of all users may go beyond
            done = self.steps >= self.config.steps
            if done or self._crossed(before, self.config.curve) or self._passed(ended):
                self._evaluate(log)
            if not done and self._crossed(before, self.config.checkpoint_every):
                self._record(log)
                self._save()
        save_policy(self.agent.policy, policy_folder(self.run, self.seed))
        return self.last

    @property
    def epsilon(self) -> float:
        """The share of random slates at this step: falls linearly from 1, then stays."""
        agent = self.config.agent
        done = min(self.steps / max(agent.epsilon_share * self.config.steps, 1), 1.0)
        return 1.0 + done * (agent.epsilon - 1.0)

    def _crossed(self, before: int, every: int) -> bool:
        return self.steps // every > before // every

    def _passed(self, ended: int) -> bool:
        return any(ended < count <= self.episodes for count in self.config.evaluate_episodes)

    def _step(self) -> None:
        """Serves every user one slate, and learns."""
        observation, seen = self.observation, time_step(self.features)
        self.agent.epsilon.assign(self.epsilon)
        slates = np.asarray(self._act(seen).action.numpy())
        feedback = self.simulator.step(slates)
        tickets = self._submit(observation, slates, feedback)
        self.history.add(feedback)
        self._observe(feedback.observation)
        shift = self._resolve(tickets)
        experience = remembered(seen, slates, feedback, shift, self.simulator)
        weight = 1.0 if self.source is None else self.source.weight
        learns = self.steps + self.config.users >= self.warm_up
        self.loss = float(self._learn(experience, tf.constant(weight, tf.float32), tf.constant(learns)))
        self.steps += self.config.users
        self._count(feedback, shift)

    def _observe(self, observation: Observation) -> None:
        """Takes `observation` as the one to act on next."""
        self.observation = observation
        self.features = features(self.simulator, observation, self.history.features())

    def _submit(self, observation: Observation, slates: Integers, feedback: Feedback) -> Tickets | None:
        """[B] the tickets of slates served in `observation`: after the world's step, since clicks are judged."""
        return None if self.source is None else self.source.submit(viewers(observation), slates, clicks(feedback))

    def _resolve(self, tickets: Tickets | None) -> Floats:
        """[B] the shifts; 0 without a judge."""
        if self.source is None or tickets is None:
            return np.zeros(self.config.users, np.float32)
        return self.source.resolve(tickets)

    @property
    def warm_up(self) -> int:
        """Steps before the first gradient step; the replay has to hold one sequence of every user."""
        return max(self.config.agent.warm_up, (self.config.agent.multi_step + 1) * self.config.users)

    def _learn_in_graph(self, experience: trajectory.Trajectory, weight: tf.Tensor, learns: tf.Tensor) -> tf.Tensor:
        """Adds a step of all users to the replay and makes the gradient steps; the last one's loss, 0 before any."""
        self.replay.add_batch(experience)
        loss = tf.constant(0.0)
        if learns:
            for _ in range(self.config.agent.updates):
                batch = self.replay.sample(self.config.agent.batch_size, self.config.agent.multi_step + 1)
                loss = self.agent.train(batch, shift_weight=weight).loss
        return loss

    def _count(self, feedback: Feedback, shift: NDArray[np.float32]) -> None:
        """Adds the step to each session's sums, and notes the sessions that are over."""
        clicked = feedback.clicked < self.simulator.slate_size
        step = (feedback.reward, np.ones_like(shift), clicked, feedback.quality, shift)
        self.sums += np.stack(step, axis=1)
        for user in np.flatnonzero(feedback.done):
            self.episodes += 1
            row = dict(zip(SUMS, self.sums[user].tolist(), strict=True))
            self.ended.append({"episode": self.episodes, "decisions": self.steps, **row})
        self.sums[feedback.done] = 0.0

    def _record(self, log: RunLog) -> None:
        """Puts the sessions that are over on the disk."""
        log.record_episodes(self.seed, self.ended)
        self.ended = []

    def _evaluate(self, log: RunLog) -> None:
        """Means over the evaluation's users, served greedily, without shift."""
        self._record(log)
        sessions = play(self.evaluated, self._greedy, EVALUATION)
        self.last = {name: float(np.nanmean(sessions.values[name])) for name in METRICS}
        row = {"decisions": self.steps, "sessions": self.episodes, **self.last, "loss": self.loss}
        log.record_evaluation(self.seed, row)
        for name in (*METRICS, "loss"):
            log.scalar(self.seed, f"evaluation/{name}", row[name], self.steps)

    def _save(self) -> None:
        counters = {
            "steps": self.steps,
            "episodes": self.episodes,
            "last": self.last,
            "loss": self.loss,
            "sums": self.sums,
            "history": self.history.sums,
            "simulator": self.simulator.state_dict(),
            "judged": None if self.source is None else self.source.state_dict(),
        }
        self._state.assign(to_bytes(counters))
        self._checkpointer.save(tf.constant(self.steps, tf.int64))

    def _resume(self) -> None:
        """Takes up the last checkpoint, if there is one."""
        if not self._checkpointer.checkpoint_exists:
            return
        self._checkpointer.initialize_or_restore().assert_existing_objects_matched()
        state = from_bytes(self._state.numpy())
        self.steps, self.episodes = state["steps"], state["episodes"]
        self.last, self.loss = state["last"], state["loss"]
        self.sums, self.history.sums = state["sums"], state["history"]
        self._observe(self.simulator.load_state_dict(state["simulator"]))
        if self.source is not None:
            # Checkpoints of before 0.2 do not hold the count of decisions.
            counts = {"decisions": self.steps, "step": max(self.steps - self.config.users, 0)}
            self.source.load_state_dict(counts | state["judged"])


def remembered(
    seen: ts.TimeStep, slates: Integers, feedback: Feedback, shift: Floats, simulator: Simulator
) -> trajectory.Trajectory:
    """One step of all users, as the replay keeps it; `seen` is what was acted on."""
    users, k = slates.shape
    nothing = feedback.clicked == k
    place = slates[np.arange(users), np.where(nothing, 0, feedback.clicked)]
    return trajectory.Trajectory(
        step_type=seen.step_type,
        observation=seen.observation,
        action=tf.constant(slates),
        policy_info={
            "clicked": tf.constant(np.where(nothing, simulator.candidates, place)),
            "shift": tf.constant(shift),
        },
        next_step_type=tf.constant(np.where(feedback.done, ts.StepType.LAST, ts.StepType.MID).astype(np.int32)),
        reward=tf.constant(feedback.reward),
        discount=tf.constant(np.where(feedback.terminated, 0.0, 1.0).astype(np.float32)),
    )


def policy_folder(run: Path, seed: int) -> Path:
    """Where a seed's trained policy lies."""
    return run / "policies" / f"seed_{seed}"
