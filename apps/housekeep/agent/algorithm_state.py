"""What a Stable-Baselines3 algorithm needs to go on as if it had never stopped, between two rollouts.

Its own `save` leaves out the replay memory and the random generators, and holds pickles. This holds tensors, numbers
and JSON, so loading a checkpoint runs no code from it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm

COUNTERS = (  # PPO has not all of them
    "num_timesteps",
    "_n_updates",
    "_episode_num",
    "_current_progress_remaining",
    "_n_calls",
    "exploration_rate",
)
COLUMNS = ("actions", "rewards", "dones", "timeouts")  # of the replay memory, beside the observations


def algorithm_state(model: "BaseAlgorithm") -> dict[str, Any]:
    """Weights, optimiser, counters, replay memory, and every random generator that is drawn from."""
    import torch

    numbers = {
        "counters": {name: getattr(model, name) for name in COUNTERS if hasattr(model, name)},
        "numpy": _numpy_state(),
        "actions": model.action_space.np_random.bit_generator.state,
    }
    return {
        "numbers": json.dumps(numbers),
        "policy": model.policy.state_dict(),
        "optimizer": model.policy.optimizer.state_dict(),
        "torch": torch.random.get_rng_state(),
        "starts": torch.from_numpy(np.array(model._last_episode_starts)),
        "replay": _replay_state(model),
    }


def load_algorithm_state(model: "BaseAlgorithm", state: Mapping[str, Any]) -> None:
    """Takes up what `algorithm_state` gave, in a model that was made with the same settings."""
    import torch

    numbers = json.loads(state["numbers"])
    for name, value in numbers["counters"].items():
        setattr(model, name, value)
    model._last_episode_starts = state["starts"].numpy()
    model.policy.load_state_dict(state["policy"])
    model.policy.optimizer.load_state_dict(state["optimizer"])
    _load_replay(model, state["replay"])
    model.action_space.np_random.bit_generator.state = numbers["actions"]
    _load_numpy_state(numbers["numpy"])
    torch.random.set_rng_state(state["torch"])


def _replay_state(model: "BaseAlgorithm") -> dict[str, Any] | None:
    """DQN's replay memory as tensors; None for PPO, which keeps nothing between rollouts."""
    import torch

    memory = getattr(model, "replay_buffer", None)
    if memory is None:
        return None
    used = memory.buffer_size if memory.full else memory.pos
    state: dict[str, Any] = {name: torch.from_numpy(getattr(memory, name)[:used]) for name in COLUMNS}
    for name in ("observations", "next_observations"):
        state[name] = {key: torch.from_numpy(column[:used]) for key, column in getattr(memory, name).items()}
    return state | {"pos": memory.pos, "full": memory.full}


def _load_replay(model: "BaseAlgorithm", state: Mapping[str, Any] | None) -> None:
    if state is None:
        return
    memory: Any = model.replay_buffer  # type: ignore[attr-defined]
    memory.pos, memory.full = state["pos"], state["full"]
    for name in COLUMNS:
        getattr(memory, name)[: len(state[name])] = state[name].numpy()
    for name in ("observations", "next_observations"):
        for key, column in state[name].items():
            getattr(memory, name)[key][: len(column)] = column.numpy()


def _numpy_state() -> list[Any]:
    """numpy's global generator as JSON: Stable-Baselines3 explores and samples with it."""
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    return [name, np.asarray(keys).tolist(), int(position), int(has_gauss), float(gauss)]


def _load_numpy_state(state: Sequence[Any]) -> None:
    np.random.set_state((state[0], np.array(state[1], np.uint32), *state[2:]))
