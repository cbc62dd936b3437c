"""RecSim behind the adapter: the contract, and what it takes to keep its luck to itself."""

from typing import Any

import numpy as np
import pytest

from apps.slateq.config import EvolutionConfig, WorldConfig
from apps.slateq.simulator.make import make_simulator
from apps.slateq.simulator.protocol import Simulator
from lmgt_core.errors import UserError
from tests.contracts.recommender_simulator import RecommenderSimulatorContract, played


class TestInterestEvolution(RecommenderSimulatorContract):
    luck_is_common = False

    def make_simulator(self, **changes: Any) -> Simulator:
        return make_simulator(WorldConfig(simulator="recsim", **changes))


class TestInterestExploration(RecommenderSimulatorContract):
    users_only_hidden = True
    luck_is_common = False

    def make_simulator(self, **changes: Any) -> Simulator:
        return make_simulator(WorldConfig(env="interest-exploration", simulator="recsim", **changes))


class TestLongTermSatisfaction(RecommenderSimulatorContract):
    users_only_hidden = True
    luck_is_common = False

    def make_simulator(self, **changes: Any) -> Simulator:
        return make_simulator(WorldConfig(env="long-term-satisfaction", simulator="recsim", **changes))


def test_numpys_global_generator_is_left_alone() -> None:
    before = repr(np.random.get_state())
    simulator = make_simulator(WorldConfig(simulator="recsim"))
    simulator.reset(0)
    played(simulator)
    assert repr(np.random.get_state()) == before


def test_two_worlds_do_not_share_their_luck() -> None:
    one, other = (make_simulator(WorldConfig(simulator="recsim")) for _ in range(2))
    slate = np.array([[0, 1, 2]])
    one.reset(4)
    alone = [one.step(slate).reward[0] for _ in range(10)]
    one.reset(4), other.reset(9)
    beside = [(one.step(slate).reward[0], other.step(slate))[0] for _ in range(10)]
    assert beside == alone


def test_a_seed_reaches_long_term_satisfaction_too() -> None:
    simulator = make_simulator(WorldConfig(env="long-term-satisfaction", simulator="recsim"))
    assert not np.array_equal(simulator.reset(0).documents, simulator.reset(1).documents)


def test_what_recsim_cannot_do_is_refused() -> None:
    config = WorldConfig(simulator="recsim", evolution=EvolutionConfig(quality_stddev=0.5))
    with pytest.raises(UserError, match="quality-stddev"):
        make_simulator(config).reset(0)
