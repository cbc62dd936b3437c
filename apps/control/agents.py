"""Stable-Baselines3's learners on the control tasks; what they learn from is shifted in the environment, not here."""

import io
import json
import warnings
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import stable_baselines3 as sb3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from apps.control.evaluate import evaluate
from apps.control.exact import Policy
from apps.control.hyperparameters import OFF_POLICY, REFERENCES, Reference
from apps.control.vector import training_envs
from apps.control.worlds import World
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.learners.replay import ShiftReplayBuffer

CLASSES: Mapping[str, type[BaseAlgorithm]] = {
    "dqn": sb3.DQN,
    "ppo": sb3.PPO,
    "a2c": sb3.A2C,
    "sac": sb3.SAC,
    "td3": sb3.TD3,
}
ROLLOUT = {"ppo": 2048, "a2c": 5}  # Stable-Baselines3's own n_steps, for references that leave it out
LEARNING_STARTS = 100  # Stable-Baselines3's own, for references that leave it out
UPDATES = 4  # of an on-policy learner, at least
NORMALISER = "observations.json"  # inside the saved file
Record = Callable[[str, dict[str, Any]], None]  # table, row


def make_learner(
    task: World,
    algorithm: str,
    steps: int,
    seed: int,
    source: ShiftSource | None,
    learning_starts: int | None = None,
    late: bool = False,
) -> BaseAlgorithm:
    """The learner with its reference hyper-parameters, in its environments, on the CPU.

    `late` lets an off-policy learner's replay ask for shifts when they are sampled, not when the environment steps.
    """
    reference = REFERENCES[task.name, algorithm]
    settings, n_envs = within_budget(algorithm, reference, steps)
    gamma = settings.get("gamma", 0.99) if reference.normalize else None
    env: VecEnv = training_envs(task, n_envs, source, gamma, late)
    if reference.normalize:
        env = VecNormalize(env, norm_obs=True, norm_reward=False)
    if learning_starts is not None and algorithm in OFF_POLICY:
        settings["learning_starts"] = learning_starts
    if reference.noise is not None:
        size = env.action_space.shape
        settings["action_noise"] = NormalActionNoise(np.zeros(size), np.full(size, reference.noise))
    if source is not None and algorithm in OFF_POLICY:
        settings |= {"replay_buffer_class": ShiftReplayBuffer, "replay_buffer_kwargs": {"source": source}}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You have specified a mini-batch size", category=UserWarning)
        learner = CLASSES[algorithm]("MlpPolicy", env, seed=seed, device="cpu", **settings)
    learner.set_logger(Logger(folder=None, output_formats=[]))
    return learner


def within_budget(algorithm: str, reference: Reference, steps: int) -> tuple[dict[str, Any], int]:
    """Settings and number of environments, cut so that something is learnt within a small budget.

    On-policy rollouts leave room for at least UPDATES: PPO's are longer than 100 steps, and where one takes the whole
    budget its learning rate has already fallen to 0. Off-policy learners explore for at most half of the budget: DQN's
    reference begins to learn after 1,000 steps, TD3's after 10,000.
    """
    settings = {name: _schedule(value) for name, value in reference.settings.items()}
    if algorithm in OFF_POLICY:
        settings["learning_starts"] = min(settings.get("learning_starts", LEARNING_STARTS), steps // 2)
        return settings, reference.n_envs
    n_envs = min(reference.n_envs, max(1, steps // UPDATES // 2))  # two steps each: PPO needs more than one in all
    n_steps = int(settings.get("n_steps", ROLLOUT[algorithm]))
    settings["n_steps"] = max(1, min(n_steps, steps // UPDATES // n_envs))
    if "batch_size" in settings:
        settings["batch_size"] = max(2, min(settings["batch_size"], n_envs * settings["n_steps"]))
    return settings, n_envs


def _schedule(value: Any) -> Any:
    """`lin_0.001` as a function of the share of training that is left; other values as they are."""
    if isinstance(value, str) and value.startswith("lin_"):
        start = float(value.removeprefix("lin_"))
        return lambda left: left * start
    return value


def policy_of(learner: BaseAlgorithm) -> Policy:
    """What the learner does without exploring."""
    normalize = learner.get_vec_normalize_env()

    def act(observations: Any) -> Any:
        seen = observations if normalize is None else normalize.normalize_obs(observations)
        return learner.predict(seen, deterministic=True)[0]

    return act


def train(
    learner: BaseAlgorithm,
    task: World,
    steps: int,
    evaluate_every: int | None,
    record: Record,
    tick: Callable[[int], None] = lambda done: None,
) -> dict[str, float]:
    """Trains for `steps` steps, never more, and returns the last evaluation.

    `record` gets rows for "episodes" and "evaluations". Stable-Baselines3 would collect whole rounds beyond the
    budget; here the last round of an off-policy learner ends early and is learnt from, that of an on-policy learner,
    which cannot learn from a part, is not.
    """
    whole = steps // learner.n_envs * learner.n_envs
    watch = _Watch(task, whole, evaluate_every, record, tick)
    learner.learn(whole, callback=watch, log_interval=None)  # type: ignore[arg-type]
    if isinstance(learner, OffPolicyAlgorithm) and watch.cut_short and steps > learner.learning_starts:
        gradient_steps = learner.gradient_steps if learner.gradient_steps >= 0 else watch.since_learning
        learner.train(batch_size=learner.batch_size, gradient_steps=gradient_steps)
    metrics = evaluate(task, policy_of(learner))
    watch.finish()
    record("evaluations", {"decisions": learner.num_timesteps, **metrics})
    return metrics


def saved(learner: BaseAlgorithm) -> bytes:
    """The trained learner as Stable-Baselines3 saves it, with the normaliser of its observations in the same file."""
    if isinstance(learner, OffPolicyAlgorithm):
        learner.replay_buffer_kwargs = {}  # it holds the judge
        learner.replay_buffer_class = None
    content = io.BytesIO()
    learner.save(content)
    normalize = learner.get_vec_normalize_env()
    if normalize is not None:
        rms = normalize.obs_rms
        numbers = {"mean": rms.mean.tolist(), "var": rms.var.tolist(), "epsilon": normalize.epsilon}
        with zipfile.ZipFile(content, "a") as file:
            file.writestr(NORMALISER, json.dumps(numbers | {"clip": normalize.clip_obs}))
    return content.getvalue()


def load_policy(content: bytes, algorithm: str) -> Policy:
    """The policy in what `saved` gave."""
    learner = CLASSES[algorithm].load(io.BytesIO(content), device="cpu")
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        numbers = json.loads(file.read(NORMALISER)) if NORMALISER in file.namelist() else None

    def act(observations: Any) -> Any:
        if numbers is not None:
            centred = (observations - np.array(numbers["mean"])) / np.sqrt(
                np.array(numbers["var"]) + numbers["epsilon"]
            )
            observations = np.clip(centred, -numbers["clip"], numbers["clip"]).astype(np.float32)
        return learner.predict(observations, deterministic=True)[0]

    return act


class _Watch(BaseCallback):
    """Counts steps up to the budget, and hands out episodes and evaluations on the way."""

    def __init__(
        self,
        task: World,
        steps: int,
        evaluate_every: int | None,
        record: Record,
        tick: Callable[[int], None],
    ) -> None:
        super().__init__()
        self.task, self.steps, self.every, self.record, self.tick = task, steps, evaluate_every, record, tick
        self.cut_short = False
        self.since_learning = 0
        self._evaluated = 0
        self._episodes = 0
        self._block: list[tuple[float, int]] = []  # returns and lengths that wait for their row

    def _on_rollout_start(self) -> None:
        self.since_learning = 0

    def _on_step(self) -> bool:
        n_envs = self.training_env.num_envs
        self.since_learning += n_envs
        for info in self.locals["infos"]:
            if "episode" in info:
                self._block.append((info["episode"]["r"], info["episode"]["l"]))
                if len(self._block) == self.task.block:
                    self.finish()
        if self.every is not None and self.num_timesteps // self.every > self._evaluated // self.every:
            self._evaluated = self.num_timesteps
            if self.num_timesteps < self.steps:
                metrics = evaluate(self.task, policy_of(self.model))
                self.record("evaluations", {"decisions": self.num_timesteps, **metrics})
        self.tick(n_envs)
        self.cut_short = self.num_timesteps >= self.steps and not self._round_is_full()
        return not self.cut_short

    def _round_is_full(self) -> bool:
        """Whether the learner is about to learn by itself; stopping it in this very step would keep it from that."""
        if isinstance(self.model, OffPolicyAlgorithm):
            frequency = self.model.train_freq
            assert isinstance(frequency, TrainFreq)
            if frequency.unit is TrainFrequencyUnit.EPISODE:
                return bool(self.locals["dones"].any())
            return self.since_learning >= frequency.frequency * self.training_env.num_envs
        assert isinstance(self.model, OnPolicyAlgorithm)
        return self.since_learning >= self.model.n_steps * self.training_env.num_envs

    def finish(self) -> None:
        """Writes the row of the episodes that wait for one."""
        if self._block:
            returns, lengths = zip(*self._block, strict=True)
            row = {"episode": self._episodes, "decisions": self.num_timesteps}
            means = {"return": float(np.mean(returns)), "length": float(np.mean(lengths))}
            self.record("episodes", row | means | ({"episodes": len(returns)} if self.task.block > 1 else {}))
            self._episodes += 1
            self._block = []
