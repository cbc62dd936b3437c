"""CartPoles of another build: the same words, actions and limits, other physics. For asking what carries over."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import gymnasium as gym

from apps.control.worlds import WORLDS, World, world

ORIGINAL = "CartPole-v1"
VARIANTS: Mapping[str, Mapping[str, float]] = {  # what differs, in Gymnasium's own names and units
    "CartPole-long": {"length": 1.5},  # metres, half of the pole; 0.5 in the original
    "CartPole-heavy": {"masspole": 1.0},  # kilograms; 0.1
    "CartPole-weak": {"force_mag": 4.0},  # newtons; 10
    "CartPole-moon": {"gravity": 1.6},  # metres per second squared; 9.8
}


def cartpole(name: str) -> World:
    """The original or a variant of it as a task; judges are told the same words, and the expert follows the same rule.

    UserError for another name.
    """
    if name not in VARIANTS:
        return world(name)
    return replace(WORLDS[ORIGINAL], name=name, make=_maker(VARIANTS[name]))


def _maker(physics: Mapping[str, float]) -> Callable[[], gym.Env[Any, Any]]:
    def make() -> gym.Env[Any, Any]:
        env = gym.make(ORIGINAL, disable_env_checker=True)
        cart: Any = env.unwrapped
        for name, value in physics.items():
            setattr(cart, name, value)
        cart.total_mass = cart.masspole + cart.masscart  # what the environment derives when it is made
        cart.polemass_length = cart.masspole * cart.length
        return env

    return make
