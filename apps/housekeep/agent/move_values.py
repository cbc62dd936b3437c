"""What it is worth to move an object from one place to another: learned from shifts, and from what episodes return.

A move from `here` to `there` brings f(object, there) - g(object, here), where f and g say how far the object is right
at a place to which the robot took it, and at one where it lay from the start: of the latter half are right, of the
former few, if chosen blindly. Two linear regressions on features of the words (pair_features.py) learn them:

- from shifts: what the judge is likely to say of placing an object at a place. A good pick says that the object was
  wrong there, as a bad place does.
- from returns: an episode's return is the sum of what its moves brought, so the moves of all episodes are regressed on
  the returns (trajectory feedback: Efroni, Merlis and Mannor 2021, arXiv 2008.06036). Prior to that a move is worth the
  weighted shift that it can expect, w_t delta / 2: a shift of 2, good pick and good place, is one object put right.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from apps.housekeep.agent.pair_features import Floats


@dataclass(frozen=True)
class MoveConfig:
    """Standard deviations of priors and noise; chosen on train scenes (docs/results/unseen-scenes.md)."""

    shift_prior: tuple[float, float, float] = (1.0, 0.55, 0.55)  # of what is learned of places, of objects, of pairs
    shift_noise: float = 0.1
    return_prior: tuple[float, float, float] = (0.1, 0.05, 0.05)  # the same of what returns add to a judge's view
    alone_prior: tuple[float, float, float] = (0.3, 0.15, 0.15)  # and of what they teach where no judge was heard
    constant_prior: float = 0.5  # of how far what lies from the start is right, and what was taken somewhere
    trust_prior: float = 0.3  # of how much more or less than by the prior a shift is worth
    return_noise: float = 0.45  # for each object moved
    epsilon_final: float = 0.05
    epsilon_skills: int = 1_000  # linear from 1
    fit_after: tuple[int, float] = (5, 1.1)  # so many episodes, and after so many times as many as at the last fit
    least_gain: float = 0.05  # that makes a move worth the while

    def epsilon(self, skills: int) -> float:
        """The share of random moves after so many skills, in [0, 1]."""
        return 1.0 + min(skills / max(self.epsilon_skills, 1), 1.0) * (self.epsilon_final - 1.0)


GROWTH = 1.1  # of what is known, before the judge's view is learned anew
Moved = tuple[int, int, int | None]  # object, place where it lay from the start, place where it ended (None: the hand)


@dataclass
class MoveValues:
    """The two regressions, and all that they have learned from, in the indices of the training's vocabulary.

    `objects` [object, feature] and `places` [place, feature] are the features of its words.
    """

    config: MoveConfig
    objects: Floats
    places: Floats
    shifts: dict[tuple[int, int], tuple[float, int]] = field(default_factory=dict)  # see `add_shift`
    episodes: list[tuple[list[Moved], float]] = field(default_factory=list)  # and their returns
    opinion: Floats = field(init=False)  # [object feature, place feature] of the judge's view
    correction: Floats = field(init=False)  # the same of what the returns add to it
    terms: Floats = field(init=False)  # what the returns say of shifts there, shifts here, and lying from the start
    weight: float = 0.0  # of shifts, at the last fit
    fitted: int = 0  # episodes at the last fit
    judged: int = 0  # pairs at the last fit of the judge's view

    def __post_init__(self) -> None:
        shape = self.objects.shape[1], self.places.shape[1]
        self.opinion, self.correction, self.terms = np.zeros(shape), np.zeros(shape), np.zeros(3)

    def add_shift(self, object: int, place: int, said: float) -> None:
        """Remembers a shift for placing an object somewhere, or the opposite of one for picking it from there."""
        total, count = self.shifts.get((object, place), (0.0, 0))
        self.shifts[object, place] = total + said, count + 1

    @property
    def due(self) -> bool:
        """Whether enough episodes have ended since the last fit for the next."""
        first, growth = self.config.fit_after
        return len(self.episodes) >= max(first, growth * self.fitted)

    def fit(self, weight: float) -> None:
        """Learns from everything so far; `weight` is w_t, what a shift counts for now.

        The judge's view is only regressed anew once a tenth more pairs are known than the last time.
        """
        self.weight, self.fitted, config = weight, len(self.episodes), self.config
        shape = self.objects.shape[1], self.places.shape[1]
        if len(self.shifts) > GROWTH * self.judged:
            self.judged = len(self.shifts)
            o, p = np.array(list(self.shifts)).T
            said = np.array([total / count for total, count in self.shifts.values()])
            rows = np.einsum("ni,nj->nij", self.objects[o], self.places[p]).reshape(len(o), -1)
            prior = block_prior(shape, 1.0, config.shift_prior)
            self.opinion = ridge(rows, said, prior, config.shift_noise).reshape(shape)
        if self.episodes:
            self._fit_returns()

    def _fit_returns(self) -> None:
        config, shape = self.config, (self.objects.shape[1], self.places.shape[1])
        opinions = self.opinions(self.objects, self.places)
        rows = np.zeros((len(self.episodes), self.opinion.size + 3))
        targets, noise = np.zeros(len(rows)), np.zeros(len(rows))
        for row, (moves, returned) in enumerate(self.episodes):
            pairs = np.zeros(shape)
            terms = rows[row, -3:]
            for o, here, there in moves:
                pairs -= np.outer(self.objects[o], self.places[here])
                terms -= (0.0, opinions[o, here], 1.0)
                if there is not None:
                    pairs += np.outer(self.objects[o], self.places[there])
                    terms[0] += opinions[o, there]
            rows[row, :-3] = pairs.ravel()
            targets[row] = returned - terms[:2].sum()
            noise[row] = config.return_noise * max(len(moves), 1) ** 0.5
        trust = (config.trust_prior, config.trust_prior, config.constant_prior)
        widths = config.return_prior if self.shifts else config.alone_prior
        prior = np.concatenate([block_prior(shape, config.constant_prior, widths), trust])
        learned = ridge(rows, targets, prior, noise)
        self.correction, self.terms = learned[:-3].reshape(shape), learned[-3:]

    def opinions(self, objects: Floats, places: Floats) -> Floats:
        """[object, place] half of the weighted shift to expect for placing there."""
        return self.weight * (objects @ self.opinion @ places.T) / 2

    def __call__(self, objects: Floats, places: Floats) -> tuple[Floats, Floats]:
        """([object, place] g of lying there from the start, f of having been taken there), of words with these
        features."""
        opinions, corrections = self.opinions(objects, places), objects @ self.correction @ places.T
        there, here, start = self.terms
        return (1 + here) * opinions + start + corrections, (1 + there) * opinions + corrections

    def state_dict(self) -> dict[str, Any]:
        """Everything but the words' features, as plain JSON values and arrays."""
        learned = {"opinion": self.opinion, "correction": self.correction, "terms": self.terms}
        shifts = [[o, p, total, count] for (o, p), (total, count) in self.shifts.items()]
        known = {
            "shifts": shifts,
            "episodes": self.episodes,
            "weight": self.weight,
            "fitted": self.fitted,
            "judged": self.judged,
        }
        return known | {"learned": learned}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes over what `state_dict` gave."""
        self.shifts = {(o, p): (total, count) for o, p, total, count in state["shifts"]}
        self.episodes = [([(o, a, b) for o, a, b in moves], returned) for moves, returned in state["episodes"]]
        self.weight, self.fitted, self.judged = state["weight"], state["fitted"], state["judged"]
        self.opinion, self.correction, self.terms = (state["learned"][n] for n in ("opinion", "correction", "terms"))


def block_prior(shape: tuple[int, int], constant: float, places_objects_pairs: Sequence[float]) -> Floats:
    """[feature] the standard deviation that each product of an object's and a place's feature has beforehand."""
    places, objects, pairs = places_objects_pairs
    prior = np.full(shape, pairs)
    prior[0, :], prior[:, 0] = places, objects
    prior[0, 0] = constant
    return prior.ravel()


def ridge(rows: Floats, targets: Floats, prior: Floats, noise: float | Floats) -> Floats:
    """[feature] the most probable weights of a linear model of `targets` [row], beforehand of mean 0 and standard
    deviation `prior` [feature], under errors of standard deviation `noise` (one, or [row])."""
    scaled = rows * prior / np.reshape(noise, (-1, 1))
    wanted = targets / noise
    if len(rows) < len(prior):
        weights: Floats = scaled.T @ np.linalg.solve(scaled @ scaled.T + np.eye(len(rows)), wanted)
    else:
        weights = np.linalg.solve(scaled.T @ scaled + np.eye(len(prior)), scaled.T @ wanted)
    return prior * weights
