"""Hyper-parameters of the agents, chosen for a desktop, and what `--set name=value` changes of them.

DQN's and PPO's are those of RL Baselines3 Zoo (Raffin 2020, hyperparams/dqn.yml and ppo.yml: atari and CartPole-v1),
with a smaller replay for games: 50,000 decisions take 2.8 GB. The Zoo has none for Blackjack: CartPole's are used.
R2D2's and NGU's are in r2d2/config.py and ngu/config.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from lmgt_core.errors import UserError

if TYPE_CHECKING:
    from apps.atari_vision.r2d2.config import R2D2Config

EPSILON = 0.01  # of random actions when a game's player is evaluated: a greedy one may wait for ever
SB3: Mapping[tuple[str, bool], Mapping[str, Any]] = {  # (agent, whether the world is a game)
    ("dqn", True): {
        "learning_rate": 1e-4,
        "batch_size": 32,
        "buffer_size": 50_000,
        "learning_starts": 50_000,
        "target_update_interval": 1000,
        "train_freq": 4,
        "gradient_steps": 1,
        "exploration_fraction": 0.1,
        "exploration_final_eps": 0.01,
        "gamma": 0.99,
        "n_envs": 1,
    },
    ("ppo", True): {
        "learning_rate": "lin_0.00025",
        "clip_range": "lin_0.1",
        "n_steps": 128,
        "n_epochs": 4,
        "batch_size": 256,
        "ent_coef": 0.01,
        "vf_coef": 0.5,
        "gamma": 0.99,
        "gae_lambda": 0.95,
        "n_envs": 8,
    },
    ("dqn", False): {
        "learning_rate": 2.3e-3,
        "batch_size": 64,
        "buffer_size": 100_000,
        "learning_starts": 1000,
        "target_update_interval": 10,
        "train_freq": 256,
        "gradient_steps": 128,
        "exploration_fraction": 0.16,
        "exploration_final_eps": 0.04,
        "gamma": 0.99,
        "n_envs": 1,
    },
    ("ppo", False): {
        "learning_rate": "lin_0.001",
        "clip_range": "lin_0.2",
        "n_steps": 32,
        "n_epochs": 20,
        "batch_size": 256,
        "ent_coef": 0.0,
        "vf_coef": 0.5,
        "gamma": 0.98,
        "gae_lambda": 0.8,
        "n_envs": 8,
    },
}
UPDATES = 4  # of an on-policy learner, at least, within its budget


def sb3_settings(agent: str, game: bool, steps: int, changes: Sequence[str]) -> dict[str, Any]:
    """Settings of dqn or ppo for a training of `steps` decisions; UserError for a change that does not fit.

    What begins late begins at half of a small budget, and rollouts leave room for at least UPDATES updates; what
    `changes` name stays as it is given.
    """
    preset = SB3[agent, game]
    given = {name: _number(agent, name, text, preset) for name, text in _pairs(changes).items()}
    settings = dict(preset) | given

    def cap(name: str, most: int, least: int = 1) -> None:
        if name not in given:
            settings[name] = max(least, min(settings[name], most))

    if agent == "dqn":
        cap("learning_starts", steps // 2)
        cap("buffer_size", steps)
    else:
        cap("n_envs", steps // UPDATES // 2)
        cap("n_steps", steps // UPDATES // settings["n_envs"], least=2)
        cap("batch_size", settings["n_envs"] * settings["n_steps"], least=2)
    return settings


def recurrent_config(agent: str, game: bool, steps: int, changes: Sequence[str]) -> "R2D2Config":
    """R2D2's or NGU's configuration for a training of `steps` decisions; UserError for a change that does not fit.

    Without other word learning begins within half of the budget, and in games NGU's family has a member for each actor:
    an actor stays with its member.
    """
    from apps.atari_vision.ngu import config as ngu
    from apps.atari_vision.r2d2 import config as r2d2

    kind = ngu.NGUConfig if agent == "ngu" else r2d2.R2D2Config
    given = _typed(agent, kind, _pairs(changes))
    if game:
        plain, desktop = asdict(r2d2.R2D2Config()), asdict(r2d2.DESKTOP)
        chosen = {name: value for name, value in desktop.items() if value != plain[name]}
        preset = asdict(kind(**chosen, epsilon_evaluation=EPSILON))
    else:
        preset = asdict(ngu.SMALL if agent == "ngu" else r2d2.SMALL)
    merged = preset | given
    budget = max(steps // (2 * max(int(merged["period"]), 1)), 1)  # sequences in half of the training
    defaults: dict[str, Any] = {"warm_up": min(int(merged["warm_up"]), budget)}
    if agent == "ngu" and game:
        defaults["members"] = merged["actors"]
    return kind(**(merged | defaults | given))


def _pairs(changes: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not (name and equals and value):
            raise UserError(f"--set {change}: give name=value, like learning_rate=0.001")
        pairs[name] = value
    return pairs


def _unknown(agent: str, name: str, known: Sequence[str]) -> UserError:
    return UserError(f"--set {name}: no hyper-parameter of {agent}; there are: {', '.join(known)}")


def _number(agent: str, name: str, text: str, known: Mapping[str, Any]) -> Any:
    """A number, whole where the preset's is; `lin_0.001` (falling to 0) where the preset's falls."""
    if name not in known:
        raise _unknown(agent, name, list(known))
    preset = known[name]
    try:
        if isinstance(preset, str):
            float(text.removeprefix("lin_"))
            return text if text.startswith("lin_") else float(text)
        return type(preset)(text)
    except ValueError:
        raise UserError(f"--set {name}={text}: give a {'whole ' if isinstance(preset, int) else ''}number") from None


def _typed(agent: str, kind: type, pairs: Mapping[str, str]) -> dict[str, Any]:
    """The values in the types of the configuration's fields."""
    hints = get_type_hints(kind)
    given = {}
    for name, text in pairs.items():
        if name not in hints:
            raise _unknown(agent, name, [f.name for f in fields(kind)])
        wanted = next((t for t in get_args(hints[name]) if t is not type(None)), hints[name])
        try:
            given[name] = _truth(text) if wanted is bool else wanted(text)
        except ValueError:
            raise UserError(f"--set {name}={text}: give a value of the kind {wanted.__name__}") from None
    return given


def _truth(text: str) -> bool:
    words = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]
