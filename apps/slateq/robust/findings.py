"""What an evaluation under several user models found: ranks, regrets, the policy to choose, and what is concluded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.slateq.evaluation_entries import Entry
from apps.slateq.robust.claims import Outcome, claims_of, outcomes_of
from apps.slateq.robust.orders import Means, ranks, regrets, resampled_means, worst_regrets
from lmgt_core.training.statistics import Interval, percentile_interval

Floats = NDArray[np.float64]
SAME = 1e-9  # returns that differ by less are of policies that serve the same slates


@dataclass(frozen=True)
class Place:
    """One policy under one user model; a privileged one has no rank and no regret, since nobody can choose it."""

    users: str
    policy: str
    mean: float
    mean_ci95: Interval
    rank: float | None = None
    rank_ci95: Interval | None = None
    regret: float | None = None
    regret_ci95: Interval | None = None


@dataclass(frozen=True)
class Choice:
    """The policies (one, but for ties) whose worst regret is the least, and in what share of the resamples it was."""

    policies: Sequence[str]
    regret: float
    ci95: Interval
    share: float


@dataclass(frozen=True)
class Findings:
    """Everything that is said of the orders; `worst` is each ranked policy's largest regret under any user model."""

    places: Sequence[Place]
    worst: Mapping[str, tuple[float, Interval]]
    choice: Choice | None
    outcomes: Sequence[Outcome]

    @property
    def models(self) -> list[str]:
        """The user models, in the order in which they were named."""
        return list(dict.fromkeys(place.users for place in self.places))

    def sentence(self) -> str:
        """The policy that is never bad, in one sentence; "" where none can be chosen."""
        if self.choice is None:
            return ""
        c = self.choice
        where = f"any of these {len(self.models)} user models" if len(self.models) > 1 else f"{self.models[0]} users"
        return (
            f"Least to regret: {' and '.join(c.policies)}, at most {_with(c.regret, c.ci95)} behind the best "
            f"unprivileged policy under {where} (minimax regret); so in {c.share:.0%} of the bootstrap resamples."
        )

    def table(self) -> list[dict[str, Any]]:
        """One line a policy: return and rank under each user model, and the worst regret."""
        lines: dict[str, dict[str, Any]] = {}
        for place in self.places:
            line = lines.setdefault(place.policy, {"policy": place.policy})
            half = (place.mean_ci95[1] - place.mean_ci95[0]) / 2
            rank = "privileged" if place.rank is None else f"rank {_rank(place.rank, place.rank_ci95)}"
            line[place.users] = f"{place.mean:.1f} +- {half:.1f}, {rank}"
        for name, line in lines.items():
            line["worst regret"] = _with(*self.worst[name]) if name in self.worst else None
        return list(lines.values())

    def claims_table(self) -> list[dict[str, Any]]:
        """One line a claim: difference, interval and verdict under each user model."""
        lines: dict[str, dict[str, Any]] = {}
        for one in self.outcomes:
            line = lines.setdefault(one.claim.text, {"conclusion": one.claim.text, **dict.fromkeys(self.models)})
            line[one.users] = f"{one.difference:+.1f} [{one.ci95[0]:+.1f}, {one.ci95[1]:+.1f}] {one.verdict}"
        return list(lines.values())

    def as_dict(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "orders": [vars(place) for place in self.places],
            "worst_regret": [{"policy": n, "regret": value, "ci95": ci95} for n, (value, ci95) in self.worst.items()],
            "minimax_regret": None if self.choice is None else vars(self.choice),
            "conclusions": [
                {
                    "claim": one.claim.text,
                    "users": one.users,
                    "better": one.claim.better,
                    "worse": one.claim.worse,
                    "difference": one.difference,
                    "ci95": one.ci95,
                    "verdict": one.verdict,
                }
                for one in self.outcomes
            ],
        }


def findings_of(entries: Sequence[Entry], returns: Mapping[str, Mapping[str, Floats]]) -> Findings | None:
    """What is found in `returns` {user model: {policy: [training seed, user]}}; None without named user models."""
    if list(returns) == [""]:
        return None
    means = resampled_means(returns)
    ranked = means.of([one.name for one in entries if not one.privileged])
    if not ranked.policies:
        return Findings(_places(means, ranked), {}, None, outcomes_of(claims_of(entries, means.models), means))
    worst, drawn = worst_regrets(ranked.found), worst_regrets(ranked.resampled)
    best, least = int(worst.argmin()), np.isclose(worst, worst.min(), rtol=0, atol=SAME)
    share = float(np.isclose(drawn[:, best], drawn.min(axis=-1), rtol=0, atol=SAME).mean())
    chosen = [name for name, is_least in zip(ranked.policies, least, strict=True) if is_least]
    return Findings(
        _places(means, ranked),
        {name: (float(worst[i]), percentile_interval(drawn[:, i])) for i, name in enumerate(ranked.policies)},
        Choice(chosen, float(worst[best]), percentile_interval(drawn[:, best]), share),
        outcomes_of(claims_of(entries, means.models), means),
    )


def _places(means: Means, ranked: Means) -> list[Place]:
    rank, regret = ranks(ranked.found), regrets(ranked.found)
    rank_drawn, regret_drawn = ranks(ranked.resampled), regrets(ranked.resampled)
    places = []
    for m, model in enumerate(means.models):
        for p, policy in enumerate(means.policies):
            place = Place(model, policy, float(means.found[m, p]), percentile_interval(means.resampled[:, m, p]))
            if policy in ranked.policies:
                i = ranked.policies.index(policy)
                ends = percentile_interval(rank_drawn[:, m, i]), percentile_interval(regret_drawn[:, m, i])
                both = float(rank[m, i]), float(regret[m, i])
                place = Place(model, policy, place.mean, place.mean_ci95, both[0], ends[0], both[1], ends[1])
            places.append(place)
    return places


def _with(value: float, ci95: Interval) -> str:
    return f"{value:.1f} [{ci95[0]:.1f}, {ci95[1]:.1f}]"


def _rank(rank: float, ci95: Interval | None) -> str:
    return f"{rank:g}" if ci95 is None else f"{rank:g} [{ci95[0]:g}, {ci95[1]:g}]"
