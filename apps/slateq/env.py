"""RecSim's three worlds as Gymnasium environments of one user.

lmgt/InterestEvolution-v0, lmgt/InterestExploration-v0, lmgt/LongTermSatisfaction-v0.

Importing this module registers them; `gymnasium.make("apps.slateq.env:lmgt/InterestEvolution-v0")` does it in one go.
Keywords are fields of `WorldConfig`: `candidates=20`, `slate=4`, `simulator="recsim"`, ... Rewards are the world's,
without any shift. `info` holds what RecSim's responses tell: the slate shown, the place clicked (K for none), topic and
quality of the clicked document, quality of all shown.
"""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from apps.slateq.config import Environment, WorldConfig
from apps.slateq.simulator.make import make_simulator
from apps.slateq.simulator.protocol import Feedback, Floats, Integers, Observation

SPREADS = 8  # standard deviations of log quality that an observation shows at most

Arrays = dict[str, Floats]


def distinct(slates: Integers, candidates: int) -> Integers:
    """`slates` [B, K] without repetitions: where a candidate stands in its slate already, the next free one is shown.

    The next one after the last is the first. RecSim itself would show a document twice; policies here never do.
    """
    out = np.array(slates, np.int64)
    for place in range(1, out.shape[1]):
        before = out[:, :place]
        for _ in range(place):  # so many candidates at most are taken
            taken = (before == out[:, place : place + 1]).any(axis=1)
            out[taken, place] = (out[taken, place] + 1) % candidates
    return out


def bounds(config: WorldConfig) -> tuple[float, float]:
    """The least and the greatest number in an observation of documents."""
    if config.env != "interest-exploration":
        return 0.0, 1.0
    given = config.exploration
    most = max(m + SPREADS * s for m, s in zip(given.topic_quality_mean, given.topic_quality_stddev, strict=True))
    return 0.0, float(np.exp(most))


class SlateEnv(gym.Env[Arrays, Integers]):
    """One user after another; an action is a slate of K places among N candidates, made distinct by `distinct`.

    Observations: `documents` [N, D], and `user` [U] where something of the user is observed. Keywords: `WorldConfig`'s.
    """

    metadata = {"render_modes": []}  # noqa: RUF012
    world: Environment

    def __init__(self, **world: Any) -> None:
        self.config = WorldConfig(env=self.world, **world)
        self.simulator = make_simulator(self.config, users=1)
        n, k = self.simulator.candidates, self.simulator.slate_size
        low, high = bounds(self.config)
        parts: dict[str, spaces.Space[Any]] = {
            "documents": spaces.Box(low, high, (n, self.simulator.document_size), np.float32)
        }
        if self.simulator.user_size:
            parts["user"] = spaces.Box(-1.0, 1.0, (self.simulator.user_size,), np.float32)
        self.observation_space = spaces.Dict(parts)  # type: ignore[assignment]
        self.action_space = spaces.MultiDiscrete([n] * k)
        self._highest = np.float32(high)
        self._next: Observation | None = None  # the next user's first observation, after a session's end
        self._running = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Arrays, dict[str, Any]]:
        """A new user."""
        super().reset(seed=seed)
        if seed is not None:
            first = self.simulator.reset(seed)
        elif self._next is not None:
            first = self._next
        else:
            first = self.simulator.reset()
        self._next, self._running = None, True
        return self._arrays(first), {}

    def step(self, action: Integers) -> tuple[Arrays, float, bool, bool, dict[str, Any]]:
        """Serves a slate; RuntimeError after a session's end."""
        if not self._running:
            raise RuntimeError("the session is over: call reset first")
        slates = distinct(np.asarray(action)[None], self.simulator.candidates)
        feedback = self.simulator.step(slates)
        over, cut = bool(feedback.terminated[0]), bool(feedback.truncated[0])
        if over or cut:
            self._running, self._next = False, feedback.observation
        return (
            self._arrays(feedback.final_observation),
            float(feedback.reward[0]),
            over,
            cut,
            response(slates, feedback),
        )

    def _arrays(self, observation: Observation) -> Arrays:
        arrays = {"documents": np.minimum(observation.documents[0], self._highest)}
        if self.simulator.user_size:
            arrays["user"] = observation.user[0].copy()
        return arrays


def response(slates: Integers, feedback: Feedback) -> dict[str, Any]:
    """The first user's response, by name."""
    return {
        "slate": slates[0],
        "clicked": int(feedback.clicked[0]),
        "topic": int(feedback.topic[0]),
        "quality": float(feedback.quality[0]),
        "shown_quality": feedback.shown_quality[0],
    }


class InterestEvolutionEnv(SlateEnv):
    """lmgt/InterestEvolution-v0"""

    world = "interest-evolution"


class InterestExplorationEnv(SlateEnv):
    """lmgt/InterestExploration-v0"""

    world = "interest-exploration"


class LongTermSatisfactionEnv(SlateEnv):
    """lmgt/LongTermSatisfaction-v0"""

    world = "long-term-satisfaction"


def register() -> None:
    """Makes the environments known to Gymnasium; once is enough, more does no harm."""
    for entry in (InterestEvolutionEnv, InterestExplorationEnv, LongTermSatisfactionEnv):
        name = f"lmgt/{entry.__name__.removesuffix('Env')}-v0"
        if name not in gym.registry:
            gym.register(name, entry_point=f"{__name__}:{entry.__name__}")


register()
