"""What every shift rule promises and needs, for tables, error messages and docs/shift-rules.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Seam(StrEnum):
    """Where a rule meets the agent."""

    REWARD = "reward"
    """A number a decision, added to the reward in the environment's wrapper or when a replay is sampled."""
    POTENTIAL = "potential"
    """A wrapper that also sees the next state, and knows the learner's discount."""
    AGENT = "agent"
    """Inside the agent: it acts on a combination of its values and the judge's advice."""


class Promise(StrEnum):
    """Whether the best policy stays the best, whatever the judge says."""

    NO = "no"
    LIMIT = "in the limit"
    YES = "yes"


@dataclass(frozen=True)
class RuleCard:
    """One rule in words."""

    formula: str
    promise: Promise
    seam: Seam
    needs: str
    """From the judge, the world and the agent."""
    source: str


_DENG = "Deng et al. 2024, arXiv 2409.04744"
CARDS: Mapping[str, RuleCard] = {
    "raw": RuleCard("scale * label(s, a)", Promise.NO, Seam.REWARD, "the chosen action's judgment", _DENG),
    "continuous": RuleCard(
        "scale * (P(good) - P(bad))", Promise.NO, Seam.REWARD, "the chosen action's judgment, with probabilities", _DENG
    ),
    "centered": RuleCard(
        "scale * (label - mean label so far)",
        Promise.NO,
        Seam.REWARD,
        "the chosen action's judgment",
        "after Sun et al. 2022, arXiv 2209.07288: a constant shift moves only where values begin",
    ),
    "annealed": RuleCard(
        "w_t * raw, w_t -> 0",
        Promise.LIMIT,
        Seam.REWARD,
        "the chosen action's judgment; a replay that adds the shift when it is sampled, or the end of training without",
        _DENG,
    ),
    "potential": RuleCard(
        "gamma Phi(s') - Phi(s), Phi(s) = scale * mean over a of (P(good) - P(bad)), Phi(end) = 0",
        Promise.YES,
        Seam.POTENTIAL,
        "judgments of every action of a state, the next state, the learner's discount",
        "Ng, Harada, Russell 1999",
    ),
    "lookahead": RuleCard(
        "gamma Phi(s', a') - Phi(s, a), acting on Q + Phi, Phi(s, a) = scale * (P(good) - P(bad))",
        Promise.YES,
        Seam.AGENT,
        "judgments of every action of a state, the next action, values of actions",
        "Wiewiora, Cottrell, Elkan 2003",
    ),
    "pies": RuleCard(
        "act on Q + xi_t Q_shift, xi_t -> 0",
        Promise.LIMIT,
        Seam.AGENT,
        "the chosen action's judgment, the next action, values of actions, a second critic",
        "Behboudian et al. 2020, arXiv 2011.01297",
    ),
    "adops": RuleCard(
        "act on Q + Q_shift, held below the best where Q < max Q - tolerance_t, tolerance_t -> 0",
        Promise.LIMIT,
        Seam.AGENT,
        "the chosen action's judgment, the next action, values of actions, a second critic",
        "after Forbes et al. 2025, arXiv 2505.12611",
    ),
}


def card_of(name: str) -> RuleCard:
    """The card of a rule by its name or any of its variants (annealed:linear:centered); LookupError for another."""
    return CARDS[name.partition(":")[0]]
