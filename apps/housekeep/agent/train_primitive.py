"""Training on the six primitive actions with Stable-Baselines3's DQN and PPO, from pixels and text.

A killed run that is resumed ends with the same numbers as one that was not killed. Checkpoints are taken between two
rollouts; the world is brought back by playing the episode's actions again, which is exact because it is deterministic.
"""

import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from apps.housekeep.agent.algorithm_state import algorithm_state, load_algorithm_state
from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.agent.text_observation import Encoder
from apps.housekeep.config import TrainConfig
from apps.housekeep.env import HousekeepEnv
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.metrics import METRICS, episode_metrics
from apps.housekeep.task import MAX_STEPS
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.guidance.wrappers import RewardShift
from lmgt_core.quick_import import import_stable_baselines3
from lmgt_core.training.run_log import RunLog

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import DummyVecEnv

Numbers = dict[str, float | None]


@dataclass(frozen=True)
class PrimitiveSettings:
    """Hyper-parameters; Stable-Baselines3's own where none is given, smaller memories because images are large."""

    frame_size: int = 64  # pixels; a stack of three is 37 KB, twice that with its successor
    max_steps: int = MAX_STEPS
    replay_capacity: int = 4_000  # DQN; 360 MB
    learning_starts: int = 500  # DQN
    train_every: int = 4  # DQN, actions an update
    target_every: int = 500  # DQN, actions
    exploration_fraction: float = 0.5  # DQN, share of the training over which epsilon falls from 1
    exploration_final: float = 0.05
    learning_rate: float = 1e-4  # DQN
    rollout: int = 256  # PPO, actions an update
    batch_size: int = 64  # PPO
    epochs: int = 4  # PPO


class TrainingEpisodes(gym.Wrapper[Any, Any, Any, Any]):
    """The outermost wrapper: ends the last episode with the budget of `decisions`, and adds up what its row needs.

    At an episode's end `info["row"]` has what goes into episodes.csv. `state` and `restore` carry an episode over a
    kill: its actions are played again.
    """

    def __init__(self, env: gym.Env[Any, Any], decisions: int) -> None:
        super().__init__(env)
        self.decisions = decisions
        self.taken = self.finished = 0
        self._actions: list[int] = []
        self._shift = 0.0

    @property
    def home(self) -> HousekeepEnv:
        """The environment itself."""
        env = self.env.unwrapped
        assert isinstance(env, HousekeepEnv)
        return env

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """The next episode's first observation."""
        self._actions, self._shift, self._begun = [], 0.0, time.perf_counter()
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """One action; the last one of the budget truncates the episode."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.taken += 1
        self._actions.append(int(action))
        self._shift += float(info.get("shift", 0.0))
        truncated = truncated or (self.taken >= self.decisions and not terminated)
        if terminated or truncated:
            self.finished += 1
            info = {**info, "row": self._row(info)}
        return observation, reward, terminated, truncated, info

    def _row(self, info: Mapping[str, Any]) -> dict[str, Any]:
        metrics = episode_metrics(self.home.task)
        return {
            "episode": self.finished,
            "decisions": self.taken,
            "primitive_steps": self.taken,
            "scene": info["scene"],
            "episode_id": info["episode_id"],
            **{name: metrics[name] for name in METRICS if metrics[name] is not None},
            "shift": self._shift,
            "wall_seconds": time.perf_counter() - self._begun,
        }

    def state(self) -> dict[str, Any]:
        """Plain JSON values: where the world is and what comes next."""
        shifting = self.env.source.state_dict() if isinstance(self.env, RewardShift) else None
        return {
            "position": self.home.position,
            "actions": self._actions,
            "order": self.home.order_state(),
            "taken": self.taken,
            "finished": self.finished,
            "shifting": shifting,
        }

    def restore(self, state: Mapping[str, Any]) -> Any:
        """Brings the world back to where `state` was taken; the observation there."""
        observation, _ = self.reset(options={"episode": state["position"]})
        for action in state["actions"]:
            observation, *_ = self.step(action)
        self.taken, self.finished = state["taken"], state["finished"]
        self.home.load_order_state(state["order"])
        if isinstance(self.env, RewardShift):  # last: playing the actions again has asked the judge again
            self.env.source.load_state_dict(source_state(state["shifting"]))
        return observation


class PrimitiveTrainer:
    """One seed's training."""

    def __init__(
        self,
        config: TrainConfig,
        seed: int,
        episodes: Sequence[Episode],
        evaluation: Sequence[Episode],
        source: ShiftSource | None,
        settings: PrimitiveSettings | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        """`source` gives the shifts, None where there is no judge."""
        self.config, self.seed, self.settings = config, seed, settings or PrimitiveSettings()
        vocabulary = Vocabulary.of([*episodes, *evaluation])
        common: dict[str, Any] = {
            "vocabulary": vocabulary,
            "encoder": encoder,
            "size": self.settings.frame_size,
            "max_steps": self.settings.max_steps,
            "world": config,
        }
        env: gym.Env[Any, Any] = HousekeepEnv(list(episodes), reward=config.reward, **common)
        if source is not None:
            env = RewardShift(env, source)
        self.env = TrainingEpisodes(env, config.steps)
        self.evaluation = HousekeepEnv(list(evaluation), **common)  # no shift here
        import_stable_baselines3()
        self.model = _model(config.algorithm, _vector(self.env), self.settings, seed)
        self.last: Numbers = {}
        self.saved = self.evaluated = self.ticked = 0

    def close(self) -> None:
        """Ends both simulators."""
        self.env.close()
        self.evaluation.close()

    def train(self, log: RunLog, tick: Callable[[int], None]) -> Numbers:
        """Trains to the end and returns the last evaluation's means."""
        content = log.load_checkpoint(self.seed)
        if content is not None:
            self._load(content)
        else:
            self._evaluate(log)
        self.ticked = self.model.num_timesteps
        if (left := self.config.steps - self.model.num_timesteps) > 0:
            self.model.learn(left, _callback(self, log, tick), reset_num_timesteps=content is None)
            self._evaluate(log)
            self._save(log)
        return self.last

    def between_rollouts(self, log: RunLog) -> None:
        """Evaluates and saves when it is time; nothing is half done at this moment."""
        now = self.model.num_timesteps
        if now // self.config.curve > self.evaluated // self.config.curve:
            self._evaluate(log)
        if now // self.config.checkpoint_every > self.saved // self.config.checkpoint_every:
            self._save(log)

    def record(self, row: Mapping[str, Any], log: RunLog, tick: Callable[[int], None]) -> None:
        """Puts a finished training episode on the disk."""
        epsilon = getattr(self.model, "exploration_rate", None)
        log.record_episode(self.seed, {**row, **({} if epsilon is None else {"epsilon": epsilon})})
        tick(row["decisions"] - self.ticked)
        self.ticked = row["decisions"]

    def _evaluate(self, log: RunLog) -> None:
        """Plays every evaluation episode greedily, without shift, and records the means."""
        from apps.housekeep.agent.seed_trainer import mean_metrics

        self.evaluated = self.model.num_timesteps
        rows = [self._play(position) for position in range(len(self.evaluation.episodes))]
        self.last = mean_metrics(rows)
        means = {name: value for name, value in self.last.items() if value is not None}
        counts = {"decisions": self.evaluated, "primitive_steps": self.evaluated, "episodes": len(rows)}
        log.record_evaluation(self.seed, {**counts, **means})
        for name, value in means.items():
            log.scalar(self.seed, f"evaluation/{name}", value, self.evaluated)

    def _play(self, position: int) -> Numbers:
        observation, _ = self.evaluation.reset(options={"episode": position})
        ended = False
        while not ended:
            action, _ = self.model.predict(observation, deterministic=True)
            observation, _, terminated, truncated, _ = self.evaluation.step(int(action))
            ended = terminated or truncated
        return episode_metrics(self.evaluation.task)

    def _save(self, log: RunLog) -> None:
        import torch

        self.saved = self.model.num_timesteps
        own = {"saved": self.saved, "evaluated": self.evaluated, "last": self.last, "world": self.env.state()}
        content = io.BytesIO()
        torch.save({"trainer": json.dumps(own), "algorithm": algorithm_state(self.model)}, content)
        log.save_checkpoint(self.seed, content.getvalue())

    def _load(self, content: bytes) -> None:
        import torch

        state = torch.load(io.BytesIO(content), weights_only=True)
        own = json.loads(state["trainer"])
        self.saved, self.evaluated, self.last = own["saved"], own["evaluated"], own["last"]
        observation = self.env.restore(own["world"])
        load_algorithm_state(self.model, state["algorithm"])  # last: generators must be as they were, not as used since
        self.model._last_obs = {name: np.asarray(value)[None] for name, value in observation.items()}


def source_state(shifting: Mapping[str, Any]) -> Mapping[str, Any]:
    """A source's state from a checkpoint; before 0.2 the environment's wrapper counted the decisions."""
    if "shifter" not in shifting:
        return shifting
    decisions = int(shifting["decisions"])
    return {**shifting["shifter"], "decisions": decisions, "step": max(decisions - 1, 0)}


def _vector(env: gym.Env[Any, Any]) -> "DummyVecEnv":
    from stable_baselines3.common.vec_env import DummyVecEnv

    return DummyVecEnv([lambda: env])


def _model(algorithm: str, envs: "DummyVecEnv", settings: PrimitiveSettings, seed: int) -> "BaseAlgorithm":
    """The untrained network and its algorithm, on the CPU."""
    import stable_baselines3

    common: dict[str, Any] = {"policy": "MultiInputPolicy", "env": envs, "seed": seed, "device": "cpu"}
    if algorithm == "dqn":
        return stable_baselines3.DQN(
            **common,
            learning_rate=settings.learning_rate,
            buffer_size=settings.replay_capacity,
            learning_starts=settings.learning_starts,
            train_freq=settings.train_every,
            target_update_interval=settings.target_every,
            exploration_fraction=settings.exploration_fraction,
            exploration_final_eps=settings.exploration_final,
        )
    if algorithm == "ppo":
        return stable_baselines3.PPO(
            **common, n_steps=settings.rollout, batch_size=settings.batch_size, n_epochs=settings.epochs
        )
    raise ValueError(f"{algorithm!r} is not an algorithm for primitive actions")


def _callback(trainer: PrimitiveTrainer, log: RunLog, tick: Callable[[int], None]) -> "BaseCallback":
    from stable_baselines3.common.callbacks import BaseCallback

    class Between(BaseCallback):
        """Tells the trainer of rollouts and finished episodes, and ends the training exactly on its budget."""

        def _on_rollout_start(self) -> None:
            trainer.between_rollouts(log)

        def _on_step(self) -> bool:
            for info in self.locals["infos"]:
                if "row" in info:
                    trainer.record(info["row"], log, tick)
            return bool(self.num_timesteps < trainer.config.steps)

    return Between()
