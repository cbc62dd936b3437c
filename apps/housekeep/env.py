"""Gymnasium environments: `lmgt/Housekeep-v0` (the benchmark's six actions) and `lmgt/HousekeepSkills-v0` (skills).

Importing this module registers both; `gymnasium.make("apps.housekeep.env:lmgt/Housekeep-v0")` does it in one go.
Rewards are the task's, without any shift: wrap the environment in `lmgt_core.guidance.wrappers.RewardShift` with the
describer of describe_arrays.py. At an episode's end `info["metrics"]` holds the benchmark's metrics that are defined
for it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from apps.housekeep.agent.features import MAX_PAIRS, SCALARS, Vocabulary, observe
from apps.housekeep.agent.text_observation import (
    SECTIONS,
    Encoder,
    TextEncoding,
    captioner_of,
    decision_ahead,
    seen_text,
)
from apps.housekeep.config import SimulatorConfig
from apps.housekeep.describe import Decision
from apps.housekeep.describe_arrays import KINDS
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import BUILTIN, load_many
from apps.housekeep.knowledge.places import place_name
from apps.housekeep.knowledge.words import skill_words
from apps.housekeep.metrics import episode_metrics
from apps.housekeep.simulator.factory import make_simulator
from apps.housekeep.simulator.protocol import Action, Frame, Simulator
from apps.housekeep.skills import SkillRunner, candidates
from apps.housekeep.task import MAX_STEPS, Reward, Task
from lmgt_core.errors import UserError

MAX_CANDIDATES = 160  # look, explore, going to each receptacle, and the longer of: objects to pick, places to put
STACKED = 3  # frames
NOT_A_CANDIDATE = "not a candidate"
Info = dict[str, Any]
Array = NDArray[Any]
Arrays = dict[str, Array]


class HousekeepBase(gym.Env[Any, Any]):
    """Episodes in a shuffled order, one task; what both action spaces share.

    `episodes` are files, folders, `builtin` or `Episode`s; `select` takes positions of each file, like 0:800. `reset`
    takes `options={"episode": i}` for the i-th of them; without it all are played in an order drawn from `np_random`,
    then again in another. `vocabulary` numbers objects and places (default: those of the episodes); environments that
    are to feed one network share it. `world` says which simulator to make where none is given (default: MuJoCo). An
    episode that starts tidy ends with its first step.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 12}  # noqa: RUF012 - Gymnasium's own way

    def __init__(
        self,
        episodes: str | Path | Sequence[str | Path | Episode] = BUILTIN,
        select: str | None = None,
        reward: Reward = "sparse",
        max_steps: int = MAX_STEPS,
        size: int = 84,
        vocabulary: Vocabulary | None = None,
        simulator: Simulator | None = None,
        world: SimulatorConfig | None = None,
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, "rgb_array"):
            raise UserError(f"render_mode {render_mode!r}: Housekeep renders rgb_array")
        self.render_mode = render_mode
        self.episodes = _load(episodes, select)
        self.vocabulary = vocabulary or Vocabulary.of(self.episodes)
        self.task = Task(simulator or make_simulator(world, (size, size)), reward, max_steps)
        self._order: list[int] = []
        self._ended = True

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> tuple[Arrays, Info]:
        """The first observation of the next episode, or of the one that `options` name."""
        super().reset(seed=seed)
        if seed is not None:
            self._order = []
        self.position = self._next(options or {})
        self.task.reset(self.episodes[self.position])
        self._ended = False
        self._begin()
        return self._seen()

    def _next(self, options: Mapping[str, Any]) -> int:
        if unknown := set(options) - {"episode"}:
            raise UserError(f"reset option {min(unknown)!r}: there is only 'episode'")
        if "episode" in options:
            position = int(options["episode"])
            if not 0 <= position < len(self.episodes):
                raise UserError(f"reset option episode={position}: there are {len(self.episodes)}, counted from 0")
            return position
        if not self._order:
            self._order = self.np_random.permutation(len(self.episodes)).tolist()
        return self._order.pop()

    def order_state(self) -> Info:
        """Which episodes come next, for a checkpoint: plain JSON values."""
        return {"order": list(self._order), "generator": self.np_random.bit_generator.state}

    def load_order_state(self, state: Mapping[str, Any]) -> None:
        """Takes up what `order_state` gave."""
        self._order = list(state["order"])
        self.np_random.bit_generator.state = state["generator"]

    def _begin(self) -> None:
        """Gets ready for a new episode."""

    def _act(self, action: int) -> tuple[float, str]:
        """Executes an action; its reward and why it failed."""
        raise NotImplementedError

    def _seen(self, failure: str = "") -> tuple[Arrays, Info]:
        """The observation of the state now, and its info."""
        raise NotImplementedError

    def step(self, action: Any) -> tuple[Arrays, float, bool, bool, Info]:
        """Executes one action."""
        if self._ended:
            raise RuntimeError("the episode is over: call reset")
        reward, failure = (0.0, "") if self.task.over else self._act(int(action))
        self._ended = self.task.over
        observation, info = self._seen(failure)
        return observation, reward, self.task.terminated, self.task.truncated and not self.task.terminated, info

    def _info(self, failure: str = "") -> Info:
        """Which episode it is, steps used, why the action failed ("" if it did not), metrics if the episode is over."""
        episode = self.task.episode
        info: Info = {
            "scene": episode.scene,
            "episode_id": episode.episode_id,
            "position": self.position,
            "steps": self.task.steps,
            "failure": failure,
        }
        if self._ended:
            info["metrics"] = self.metrics()
        return info

    def metrics(self) -> dict[str, float]:
        """The benchmark's metrics of the episode as it stands, unshifted; undefined ones are absent."""
        return {name: value for name, value in episode_metrics(self.task).items() if value is not None}

    def render(self) -> Array | None:
        """The first-person view, uint8 [size, size, 3]; None without render_mode="rgb_array"."""
        return self.task.simulator.render().rgb if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        self.task.simulator.close()


class HousekeepEnv(HousekeepBase):
    """The primitive action space: move forward, turn left, turn right, look up, look down, grab or release.

    Observations: `frames` uint8 [3 * STACKED, size, size], the newest three channels last; `text` float32, the words of
    what was seen so far (text_observation.py) as sentence embeddings; `ahead`, what GRAB_RELEASE would do now: nothing,
    pick or place, and which object and place of the vocabulary (0: none). `text` and `ahead` read the semantic sensor.
    """

    def __init__(self, *args: Any, encoder: Encoder | None = None, size: int = 84, **kwargs: Any) -> None:
        super().__init__(*args, **(kwargs | {"size": size}))
        encoder = encoder or _minilm()
        width = encoder.encode(["size"]).shape[1]
        self._encoding = TextEncoding(encoder, width)
        self.action_space = spaces.Discrete(len(Action))
        words = [len(KINDS), 1 + len(self.vocabulary.objects), 1 + len(self.vocabulary.places)]
        self.observation_space = spaces.Dict(
            {
                "frames": spaces.Box(0, 255, (3 * STACKED, size, size), np.uint8),
                "text": spaces.Box(-1, 1, (len(SECTIONS) * width,), np.float32),
                "ahead": spaces.MultiDiscrete(words),
            }
        )

    def _begin(self) -> None:
        self._captioner = captioner_of(self.task.episode)
        self._stack: list[Array] = []

    def _seen(self, failure: str = "") -> tuple[Arrays, Info]:
        frame = self.task.simulator.render()
        newest = _channels_first(frame)
        self._stack = [*self._stack[1:], newest] if self._stack else [newest] * STACKED
        text = seen_text(self.task, frame, self._captioner)
        decision = decision_ahead(self.task, frame)
        observation = {
            "frames": np.concatenate(self._stack),
            "text": np.clip(self._encoding(text), -1, 1),
            "ahead": self._numbers(decision),
        }
        return observation, self._info(failure) | {"text": str(text)}

    def _numbers(self, decision: Decision | None) -> Array:
        if decision is None:
            return np.zeros(3, np.int64)
        place = self.vocabulary.place_index[place_name(decision.receptacle, decision.room)]
        return np.array([KINDS.index(decision.kind), 1 + self.vocabulary.object_index[decision.object], 1 + place])

    def _act(self, action: int) -> tuple[float, str]:
        reward, result = self.task.step(Action(action))
        return reward, result.failure


class HousekeepSkillsEnv(HousekeepBase):
    """The action space of the skills: action i executes the i-th candidate of the moment, which costs primitive steps.

    Observations: the arrays of `features.Observation` with unused rows zero (pairs -1): `scalars` float32
    [MAX_CANDIDATES, scalar], `pairs` int16 [MAX_CANDIDATES, MAX_PAIRS, 2], `moved` float32 [MAX_CANDIDATES, MAX_PAIRS];
    and `mask` int8 [MAX_CANDIDATES], 1 where there is a candidate. `info` has the mask as well (`action_mask`), and the
    candidates in words. An action outside the mask turns left once: it costs a step, and `info["failure"]` says so.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for episode in self.episodes:
            n, k = len(episode.items), len(episode.receptacles)
            if (needed := 2 + k + max(n, k)) > MAX_CANDIDATES:
                where = f"{episode.source}, episode {episode.episode_id}"
                raise UserError(f"{where}: may need {needed} candidates, more than {MAX_CANDIDATES}; leave it out")
        self._runner = SkillRunner(self.task)
        self.action_space = spaces.Discrete(MAX_CANDIDATES)
        most = max(len(self.vocabulary.objects), len(self.vocabulary.places)) - 1
        self.observation_space = spaces.Dict(
            {
                "scalars": spaces.Box(0, 100, (MAX_CANDIDATES, len(SCALARS)), np.float32),
                "pairs": spaces.Box(-1, max(most, 0), (MAX_CANDIDATES, MAX_PAIRS, 2), np.int16),
                "moved": spaces.Box(0, 1, (MAX_CANDIDATES, MAX_PAIRS), np.float32),
                "mask": spaces.MultiBinary(MAX_CANDIDATES),
            }
        )

    def _seen(self, failure: str = "") -> tuple[Arrays, Info]:
        self.candidates = candidates(self.task)
        n = len(self.candidates)
        seen = observe(self.task, self.candidates, self.vocabulary)
        observation: Arrays = {
            "scalars": np.zeros((MAX_CANDIDATES, len(SCALARS)), np.float32),
            "pairs": np.full((MAX_CANDIDATES, MAX_PAIRS, 2), -1, np.int16),
            "moved": np.zeros((MAX_CANDIDATES, MAX_PAIRS), np.float32),
            "mask": (np.arange(MAX_CANDIDATES) < n).astype(np.int8),
        }
        observation["scalars"][:n], observation["pairs"][:n], observation["moved"][:n] = (
            seen.scalars,
            seen.pairs,
            seen.moved,
        )
        words = tuple(skill_words(self.task.episode, skill) for skill in self.candidates)
        info = self._info(failure) | {"action_mask": observation["mask"].copy(), "candidates": words}
        return observation, info

    def _act(self, action: int) -> tuple[float, str]:
        if action >= len(self.candidates):
            return self.task.step(Action.TURN_LEFT)[0], NOT_A_CANDIDATE
        outcome = self._runner.run(self.candidates[action])
        return outcome.reward, outcome.failure


def _load(episodes: str | Path | Sequence[str | Path | Episode], select: str | None) -> list[Episode]:
    given = [episodes] if isinstance(episodes, str | Path) else list(episodes)
    if ready := [episode for episode in given if isinstance(episode, Episode)]:
        if len(ready) < len(given) or select is not None:
            raise UserError("episodes: give Episode objects, or file names (with select), not both")
        return ready
    return load_many([name for name in given if not isinstance(name, Episode)], select)


def _channels_first(frame: Frame) -> Array:
    return np.ascontiguousarray(frame.rgb.transpose(2, 0, 1))


def _minilm() -> Encoder:
    from lmgt_core.judges.minilm import MiniLMEncoder

    return MiniLMEncoder.load()


def register() -> None:
    """Makes both environments known to Gymnasium; once is enough, more does no harm."""
    for name, entry in (("lmgt/Housekeep-v0", HousekeepEnv), ("lmgt/HousekeepSkills-v0", HousekeepSkillsEnv)):
        if name not in gym.registry:
            gym.register(name, entry_point=f"{__name__}:{entry.__name__}")


register()
