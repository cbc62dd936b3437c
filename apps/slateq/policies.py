"""The names of policies, the paper's and ours, and what they mean. Light: nothing here needs TensorFlow.

A learned policy's name is LEARNER[-TARGET]-SERVING[-N]: QL-OT-GS learns by Q-learning towards optimal slates and serves
greedy ones; SARSA learns from the slates that were served. -N: no click is valued as an item of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from apps.slateq.optimisers import LETTERS
from lmgt_core.errors import UserError

Learner = Literal["sarsa", "q", "table", "full-slate"]
LEARNED = ("SARSA-TS", "SARSA-GS", "QL-TT-TS", "QL-GT-GS", "QL-OT-TS", "QL-OT-GS", "QL-OT-OS")
PAPER = ("Random", "MYOP-TS", "MYOP-GS", *LEARNED)  # the rows of the paper's table
FIXED = ("Random", "MYOP-TS", "MYOP-GS", "MYOP-OS", "quality")  # they know what they know from the start
ONLINE = ("popularity", "UCB", "Thompson")  # they learn from the users they serve, while they serve them
OTHERS = ("tabular", "full-slate")  # tabular is QL-TT-TS with a table for a network
PRIVILEGED = frozenset({"quality"})  # they read what no recommender can
NO_CLICK = "-N"


@dataclass(frozen=True)
class LearnedPolicy:
    """What a learned policy's name says."""

    name: str
    learner: Learner
    target: str
    """The optimiser of the target's slates: top-k, greedy, optimal; unused by SARSA and full-slate."""
    serve: str
    """The optimiser of the slates that are served; unused by full-slate."""
    valued_no_click: bool


def learned_policy(name: str) -> LearnedPolicy:
    """What `name` means; UserError with all names when it is not a learned policy's."""
    base = name.removesuffix(NO_CLICK)
    valued = base != name
    if base == "full-slate" and not valued:
        return LearnedPolicy(name, "full-slate", "top-k", "top-k", False)
    if base == "tabular":
        return LearnedPolicy(name, "table", "top-k", "top-k", valued)
    if base not in LEARNED:
        raise UserError(f"--algorithm {name}: no such learned policy; choose one of {', '.join(learned_names())}")
    parts = base.split("-")
    serve = LETTERS[parts[-1][0]]
    if parts[0] == "SARSA":
        return LearnedPolicy(name, "sarsa", serve, serve, valued)
    return LearnedPolicy(name, "q", LETTERS[parts[1][0]], serve, valued)


def learned_names() -> list[str]:
    """Every name that `train --algorithm` takes."""
    return [*LEARNED, *(f"{name}{NO_CLICK}" for name in LEARNED), "tabular", f"tabular{NO_CLICK}", "full-slate"]


def check_policy(flag: str, name: str, known: Sequence[str]) -> None:
    """UserError naming the flag where `name` is none of the `known` policies and no run directory."""
    if name not in known and not (Path(name) / "config.json").is_file():
        raise UserError(f"--{flag} {name}: neither a run directory nor a policy; the policies are {', '.join(known)}")


def is_learned(name: str) -> bool:
    """Whether `name` is a policy that has to be trained first."""
    return name in learned_names()
