"""Which conclusions survive other users: each is a paired difference between two groups of policies.

The first three are those of the SlateQ paper's table (Ie et al. 2019, arXiv 1905.12767, section 6); others are ours.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from apps.slateq.evaluation_entries import Entry
from apps.slateq.policies import LEARNED, NO_CLICK
from apps.slateq.robust.orders import Means
from apps.slateq.robust.user_models import name_of
from lmgt_core.training.statistics import Interval, percentile_interval

HOLDS, REVERSED, OPEN = "holds", "reversed", "open"


@dataclass(frozen=True)
class Claim:
    """That the policies `better` earn more than the policies `worse`, on average; `users`: under these only."""

    text: str
    better: tuple[str, ...]
    worse: tuple[str, ...]
    users: str | None = None


@dataclass(frozen=True)
class Outcome:
    """A claim under one user model: the difference in return with its interval, paired over users."""

    claim: Claim
    users: str
    difference: float
    ci95: Interval

    @property
    def verdict(self) -> str:
        """holds or reversed where the interval lies on one side of 0, else open."""
        return HOLDS if self.ci95[0] > 0 else REVERSED if self.ci95[1] < 0 else OPEN


def claims_of(entries: Sequence[Entry], models: Sequence[str]) -> list[Claim]:
    """What can be claimed of these policies; claims with an empty side are left out."""
    return [claim for claim in _claims(entries, models) if claim.better and claim.worse]


def outcomes_of(claims: Sequence[Claim], means: Means) -> list[Outcome]:
    """Every claim under every user model that it speaks of."""
    found = []
    for claim in claims:
        better, worse = means.of(claim.better), means.of(claim.worse)
        difference = better.found.mean(axis=-1) - worse.found.mean(axis=-1)
        resampled = better.resampled.mean(axis=-1) - worse.resampled.mean(axis=-1)
        for place, model in enumerate(means.models):
            if claim.users in (None, model):
                found.append(Outcome(claim, model, float(difference[place]), percentile_interval(resampled[:, place])))
    return found


def _claims(entries: Sequence[Entry], models: Sequence[str]) -> Iterator[Claim]:
    myopic = tuple(one.name for one in entries if one.name.startswith("MYOP-"))
    yield Claim("myopic policies beat Random", myopic, tuple(one.name for one in entries if one.name == "Random"))
    learned = [one for one in entries if one.algorithm]
    for users in dict.fromkeys(name_of(one.believed) for one in learned):
        mine = [one for one in learned if name_of(one.believed) == users]
        paper = [one for one in mine if one.judge == "none" and one.algorithm in LEARNED]
        trained = f"trained under {users} users"
        yield Claim(f"SlateQ {trained} beats myopic", _names(paper), myopic)
        yield Claim(
            f"{trained}, greedy and optimal slates beat top-k",
            _names(one for one in paper if not one.algorithm.endswith("-TS")),
            _names(one for one in paper if one.algorithm.endswith("-TS")),
        )
        plain = [one for one in mine if one.judge == "none"]
        pairs = [(n, p) for n in plain for p in plain if n.algorithm == p.algorithm + NO_CLICK]
        valued, unvalued = _names(n for n, _ in pairs), _names(p for _, p in pairs)
        yield Claim(f"{trained}, valuing no click pays", valued, unvalued)
        for judge in dict.fromkeys(one.judge for one in mine if one.judge != "none"):
            pairs = [(j, p) for j in mine for p in plain if j.judge == judge and j.algorithm == p.algorithm]
            told = " (privileged)" if any(j.privileged for j, _ in pairs) else ""
            judged, unjudged = _names(j for j, _ in pairs), _names(p for _, p in pairs)
            yield Claim(f"{trained}, the judge {judge}{told} helps", judged, unjudged)
    yield from _at_home(learned, models)


def _at_home(learned: Sequence[Entry], models: Sequence[str]) -> Iterator[Claim]:
    """That training under the very users that are served beats training the same under others."""
    for users in models:
        pairs = [
            (here, away)
            for here in learned
            for away in learned
            if name_of(here.believed) == users != name_of(away.believed)
            and (here.algorithm, here.judge) == (away.algorithm, away.judge)
        ]
        home, abroad = _names(h for h, _ in pairs), _names(a for _, a in pairs)
        yield Claim(f"training under {users} users beats training under others", home, abroad, users)


def _names(entries: Iterable[Entry]) -> tuple[str, ...]:
    """The names of these, each as often as it comes: a pair counts once for each of its sides."""
    return tuple(one.name for one in entries)
