"""What the worlds of this app show: the agent's own observation, the whole frame, and the memory behind it.

`agent` is what the learner gets. `frame` is the uint8 RGB frame for captioners and judges. `memory` is privileged (the
emulator's RAM, or the true state): only `objects` captions and oracles read it. `AgentView` goes outermost and hides
both from the learner.
"""

from typing import Any

import gymnasium as gym

AGENT, FRAME, MEMORY = "agent", "frame", "memory"
Seen = dict[str, Any]


def spaces(agent: gym.Space[Any], shape: tuple[int, int], memory: gym.Space[Any]) -> gym.spaces.Dict:
    """The observation space of a world whose frames have `shape` (height, width)."""
    frame = gym.spaces.Box(0, 255, (*shape, 3), "uint8")
    return gym.spaces.Dict({AGENT: agent, FRAME: frame, MEMORY: memory})


class AgentView(gym.ObservationWrapper[Any, Any, Seen]):
    """Hands the learner its own observation and nothing else."""

    def __init__(self, env: gym.Env[Seen, Any]) -> None:
        super().__init__(env)
        assert isinstance(env.observation_space, gym.spaces.Dict)
        self.observation_space = env.observation_space[AGENT]

    def observation(self, observation: Seen) -> Any:
        return observation[AGENT]
