"""The vectorised worlds by the names that the command line has for them."""

from collections.abc import Callable

from apps.slateq.config import WorldConfig
from apps.slateq.simulator.interest_evolution import InterestEvolution
from apps.slateq.simulator.interest_exploration import InterestExploration
from apps.slateq.simulator.long_term_satisfaction import LongTermSatisfaction
from apps.slateq.simulator.protocol import Simulator

VECTORISED: dict[str, Callable[[WorldConfig, int], Simulator]] = {
    "interest-evolution": InterestEvolution,
    "interest-exploration": InterestExploration,
    "long-term-satisfaction": LongTermSatisfaction,
}
