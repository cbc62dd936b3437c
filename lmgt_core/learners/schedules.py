"""Hyper-parameters that change during training."""

from typing import Any


def schedule(value: Any) -> Any:
    """`lin_0.001` as a function of the share of training that is left; other values as they are.

    The notation is that of RL Baselines3 Zoo's tuned hyper-parameters.
    """
    if not isinstance(value, str) or not value.startswith("lin_"):
        return value
    start = float(value.removeprefix("lin_"))
    return lambda left: left * start
