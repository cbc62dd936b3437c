"""Pocket Watch Repair: one decision, and its consequences fifty steps later.

After the introductory task of RUDDER (Arjona-Medina et al. 2019, "RUDDER: Return Decomposition for Delayed Rewards",
arXiv 1806.07857) as its authors' demonstration describes it; the numbers below are that description's. A watch of one
of four brands comes in. Repairing it costs something at once; transport takes 50 steps, on which traffic jams and flat
tires, the same for every brand, cost more than a wrong decision does; only at the end the price comes in and all costs
of delivery are paid. A watch that is not repaired earns and costs nothing, though the time passes.
"""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

REPAIR, LEAVE = 0, 1
BRAND, STATUS, JAMS, TIRES, TIME = range(5)  # of an observation
UNDECIDED, REPAIRED, LEFT = range(3)  # of STATUS


@dataclass(frozen=True)
class Brand:
    """A kind of watch; costs are normally distributed."""

    price: float
    repair_mean: float
    repair_variance: float
    packing_mean: float
    packing_variance: float = 1.5


BRANDS = (Brand(18, 1, 2, 0.5), Brand(28, 4, 2, 2.5), Brand(31, 5, 2, 4.5), Brand(59, 24.5, 1, 18))
TRANSPORT_STEPS = 50
JAM_COST, JAM_CHANCE = 0.1, 0.1  # chance in each step
TIRE_COST, TIRE_CHANCE = 7.0, 0.05
MEAN_TRANSPORT_COST = TRANSPORT_STEPS * (JAM_COST * JAM_CHANCE + TIRE_COST * TIRE_CHANCE)  # 18


def expected_profit(brand: int) -> float:
    """What repairing a watch of `brand` earns on average: -1.5, 3.5, 3.5, -1.5."""
    b = BRANDS[brand]
    return b.price - b.repair_mean - b.packing_mean - MEAN_TRANSPORT_COST


def best_action(brand: int) -> int:
    """REPAIR where it pays off, else LEAVE."""
    return REPAIR if expected_profit(brand) > 0 else LEAVE


class WatchRepairEnv(gym.Env[NDArray[np.int64], int]):
    """Observation: brand, status, jams so far, flat tires so far, time; actions: 0 repairs, 1 leaves, later no effect.

    An episode is the decision and 50 steps of transport. `info["optimal"]`, at its end, says whether the decision was
    the better one on average, whatever it earned.
    """

    def __init__(self) -> None:
        more = TRANSPORT_STEPS + 1
        self.observation_space = gym.spaces.MultiDiscrete([len(BRANDS), 3, more, more, more])
        self.action_space = gym.spaces.Discrete(2)
        self._state = [0] * 5
        self._jams: list[bool] = []  # by step of transport
        self._tires: list[bool] = []
        self._optimal = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """A watch of a random brand."""
        super().reset(seed=seed)
        self._state = [int(self.np_random.integers(len(BRANDS))), UNDECIDED, 0, 0, 0]
        luck = self.np_random.random((2, TRANSPORT_STEPS))  # at once, which is faster than step by step
        self._jams, self._tires = (luck[0] < JAM_CHANCE).tolist(), (luck[1] < TIRE_CHANCE).tolist()
        return np.array(self._state, dtype=np.int64), {}

    def step(self, action: int) -> tuple[NDArray[np.int64], float, bool, bool, dict[str, Any]]:
        """One step of time."""
        state, reward = self._state, 0.0
        brand = BRANDS[state[BRAND]]
        if state[TIME] == 0:
            state[STATUS] = REPAIRED if action == REPAIR else LEFT
            self._optimal = bool(action == best_action(state[BRAND]))
            if action == REPAIR:
                reward -= self.np_random.normal(brand.repair_mean, brand.repair_variance**0.5)
        state[JAMS] += self._jams[state[TIME]]
        state[TIRES] += self._tires[state[TIME]]
        state[TIME] += 1
        ended = state[TIME] == TRANSPORT_STEPS
        if ended and state[STATUS] == REPAIRED:
            packing = self.np_random.normal(brand.packing_mean, brand.packing_variance**0.5)
            reward += brand.price - packing - state[JAMS] * JAM_COST - state[TIRES] * TIRE_COST
        info = {"optimal": self._optimal} if ended else {}
        return np.array(state, dtype=np.int64), float(reward), ended, False, info
