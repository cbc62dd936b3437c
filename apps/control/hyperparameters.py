"""Reference hyper-parameters: those of RL Baselines3 Zoo (Raffin 2020), its files hyperparams/*.yml.

https://github.com/DLR-RM/rl-baselines3-zoo. `lin_0.001` falls in a straight line to 0 over the training. The Zoo knows
TD3's values under Pendulum-v0. It has none for Blackjack: CartPole's are used, another small task with two actions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reference:
    """How an algorithm is set up for a task."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the Stable-Baselines3 class."""
    n_envs: int = 1
    normalize: bool = False
    """Observations and (unshifted) rewards are scaled to unit variance as training goes on."""
    noise: float | None = None
    """Standard deviation of the normal noise on actions."""


_CARTPOLE_DQN = Reference(
    {
        "learning_rate": 2.3e-3,
        "batch_size": 64,
        "buffer_size": 100_000,
        "learning_starts": 1000,
        "gamma": 0.99,
        "target_update_interval": 10,
        "train_freq": 256,
        "gradient_steps": 128,
        "exploration_fraction": 0.16,
        "exploration_final_eps": 0.04,
        "policy_kwargs": {"net_arch": [256, 256]},
    }
)
_CARTPOLE_PPO = Reference(
    {
        "n_steps": 32,
        "batch_size": 256,
        "gae_lambda": 0.8,
        "gamma": 0.98,
        "n_epochs": 20,
        "ent_coef": 0.0,
        "learning_rate": "lin_0.001",
        "clip_range": "lin_0.2",
    },
    n_envs=8,
)
_CARTPOLE_A2C = Reference({"ent_coef": 0.0}, n_envs=8)

REFERENCES: Mapping[tuple[str, str], Reference] = {
    ("CartPole-v1", "dqn"): _CARTPOLE_DQN,
    ("CartPole-v1", "ppo"): _CARTPOLE_PPO,
    ("CartPole-v1", "a2c"): _CARTPOLE_A2C,
    ("Blackjack-v1", "dqn"): _CARTPOLE_DQN,
    ("Blackjack-v1", "ppo"): _CARTPOLE_PPO,
    ("Blackjack-v1", "a2c"): _CARTPOLE_A2C,
    ("Pendulum-v1", "ppo"): Reference(
        {
            "n_steps": 1024,
            "gae_lambda": 0.95,
            "gamma": 0.9,
            "n_epochs": 10,
            "ent_coef": 0.0,
            "learning_rate": 1e-3,
            "clip_range": 0.2,
            "use_sde": True,
            "sde_sample_freq": 4,
        },
        n_envs=4,
    ),
    ("Pendulum-v1", "a2c"): Reference(
        {
            "ent_coef": 0.0,
            "max_grad_norm": 0.5,
            "n_steps": 8,
            "gae_lambda": 0.9,
            "vf_coef": 0.4,
            "gamma": 0.9,
            "use_rms_prop": True,
            "normalize_advantage": False,
            "learning_rate": "lin_0.0007",
            "use_sde": True,
            "policy_kwargs": {"log_std_init": -2, "ortho_init": False},
        },
        n_envs=8,
        normalize=True,
    ),
    ("Pendulum-v1", "sac"): Reference({"learning_rate": 1e-3}),
    ("Pendulum-v1", "td3"): Reference(
        {
            "gamma": 0.98,
            "buffer_size": 200_000,
            "learning_starts": 10_000,
            "gradient_steps": -1,
            "train_freq": (1, "episode"),
            "learning_rate": 1e-3,
            "policy_kwargs": {"net_arch": [400, 300]},
        },
        noise=0.1,
    ),
    ("Acrobot-v1", "dqn"): Reference(
        {
            "learning_rate": 6.3e-4,
            "batch_size": 128,
            "buffer_size": 50_000,
            "learning_starts": 0,
            "gamma": 0.99,
            "target_update_interval": 250,
            "train_freq": 4,
            "gradient_steps": -1,
            "exploration_fraction": 0.12,
            "exploration_final_eps": 0.1,
            "policy_kwargs": {"net_arch": [256, 256]},
        }
    ),
    ("Acrobot-v1", "ppo"): Reference(
        {"n_steps": 256, "gae_lambda": 0.94, "gamma": 0.99, "n_epochs": 4, "ent_coef": 0.0}, n_envs=16, normalize=True
    ),
    ("Acrobot-v1", "a2c"): Reference({"ent_coef": 0.0}, n_envs=16, normalize=True),
    ("MountainCar-v0", "dqn"): Reference(
        {
            "learning_rate": 4e-3,
            "batch_size": 128,
            "buffer_size": 10_000,
            "learning_starts": 1000,
            "gamma": 0.98,
            "target_update_interval": 600,
            "train_freq": 16,
            "gradient_steps": 8,
            "exploration_fraction": 0.2,
            "exploration_final_eps": 0.07,
            "policy_kwargs": {"net_arch": [256, 256]},
        }
    ),
    ("MountainCar-v0", "ppo"): Reference(
        {"n_steps": 16, "gae_lambda": 0.98, "gamma": 0.99, "n_epochs": 4, "ent_coef": 0.0}, n_envs=16, normalize=True
    ),
    ("MountainCar-v0", "a2c"): Reference({"ent_coef": 0.0}, n_envs=16, normalize=True),
}
DISCRETE_ONLY = ("dqn",)
CONTINUOUS_ONLY = ("sac", "td3")
OFF_POLICY = ("dqn", "sac", "td3")
TABULAR = ("q-learning", "td")
TABULAR_TASKS = ("Blackjack-v1", "PocketWatch-v0")


def impossible(env: str, discrete: bool, algorithm: str) -> str:
    """Why `algorithm` cannot learn the task `env`; "" where it can."""
    if algorithm in DISCRETE_ONLY and not discrete:
        return f"{algorithm} needs discrete actions"
    if algorithm in CONTINUOUS_ONLY and discrete:
        return f"{algorithm} needs continuous actions"
    if algorithm in TABULAR and env not in TABULAR_TASKS:
        return f"{algorithm} needs few states"
    if algorithm not in TABULAR and (env, algorithm) not in REFERENCES:
        return f"no reference hyper-parameters for {algorithm}"
    return ""
