"""A judge trained on people's votes about *train* objects: ridge regression on MiniLM features.

For each place, the share of people who would put an object there is a linear function of the embedding of the object's
words (Hoerl and Kennard 1970; alpha 3 reproduces the data's published row). It is calibrated on predictions for train
objects by models that have not seen them, so that its probabilities hold for new objects.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.knowledge.labels import Labels
from apps.housekeep.knowledge.places import object_words, place_name
from apps.housekeep.oracle import PLACE, asked
from lmgt_core.judges.minilm import NEUTRAL, MiniLMEncoder, judgment
from lmgt_core.judges.score_thresholds import Calibration, fit_calibration
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt

ALPHA = 3.0
FOLDS = 5
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ridge:
    """Linear functions of an embedding, one a place: (x - mean) @ weights + bias."""

    mean: Floats  # [feature]
    weights: Floats  # [feature, place]
    bias: Floats  # [place]

    @classmethod
    def fit(cls, x: Floats, y: Floats, alpha: float) -> "Ridge":
        """The functions that minimise |y - f(x)|^2 + alpha |weights|^2 over x [object, feature], y [object, place]."""
        mean, bias = x.mean(0), y.mean(0)
        centered = x - mean
        dual = np.linalg.solve(centered @ centered.T + alpha * np.eye(len(x)), y - bias)  # fewer objects than features
        return cls(mean, centered.T @ dual, bias)

    def __call__(self, x: Floats) -> Floats:
        """The predictions [object, place] for x [object, feature]."""
        return (x - self.mean) @ self.weights + self.bias


@dataclass(frozen=True, eq=False)
class RidgePreference:
    """The share of people who would put an object at a place, predicted, and the probability that it belongs there.

    A place that the labels do not have holds nothing: people were asked about every receptacle that can hold things.
    Its probability is Laplace's, (0 + 1) / (train objects + 2).
    """

    encoder: MiniLMEncoder
    ridge: Ridge
    places: dict[str, int]
    calibration: Calibration
    train_objects: tuple[str, ...]
    digest: str  # of what it was trained on
    unseen: dict[str, Floats] = field(repr=False)  # train object -> its predictions [place] by a model without it

    @classmethod
    def fit(cls, encoder: MiniLMEncoder, labels: Labels, alpha: float = ALPHA, folds: int = FOLDS) -> "RidgePreference":
        """The model of these labels, all of which it may learn from: hand in those of the train objects."""
        x = embed(encoder, labels.objects)
        unseen = cross_predict(x, labels.share.T, alpha, folds)
        scores, answers = unseen.ravel(), labels.correct.T.ravel()
        return cls(
            encoder,
            Ridge.fit(x, labels.share.T, alpha),
            {place: i for i, place in enumerate(labels.places)},
            fit_calibration(scores, [""] * len(scores), answers),
            labels.objects,
            labels.digest,
            dict(zip(labels.objects, unseen, strict=True)),
        )

    def predict(self, objects: Sequence[str], held_out: bool = False) -> Floats:
        """The predicted shares [object, place]; with `held_out`, train objects are predicted by models without them."""
        if not objects:
            return np.zeros((0, len(self.places)))
        # one by one: a product with another number of rows rounds differently, and an answer must not hang on company
        shares = [self.ridge(x[None])[0] for x in embed(self.encoder, objects)]
        seen = self.unseen if held_out else {}
        return np.stack([seen.get(name, share) for name, share in zip(objects, shares, strict=True)])

    def score(self, object: str, place: str) -> float:
        """The predicted share for one object and place; KeyError for an unknown place."""
        return float(self.predict([object])[0, self.places[place]])

    def probabilities(self, pairs: Sequence[tuple[str, str]], held_out: bool = False) -> list[float]:
        """P(belongs) of (object, place) pairs, among as many right places as wrong ones."""
        objects = {name: row for row, name in enumerate(dict.fromkeys(name for name, _ in pairs))}
        shares = self.predict(list(objects), held_out)
        known = [
            (i, objects[name], self.places[place]) for i, (name, place) in enumerate(pairs) if place in self.places
        ]
        probabilities = np.full(len(pairs), 1.0 / (len(self.train_objects) + 2))
        if known:
            at, rows, columns = (list(column) for column in zip(*known, strict=True))
            probabilities[at] = self.calibration.probability(shares[rows, columns], [""] * len(at))
        return [float(p) for p in probabilities]


def embed(encoder: MiniLMEncoder, objects: Sequence[str]) -> Floats:
    """The unit vectors [object, 384] of the objects' words."""
    return encoder.encode([object_words(name) for name in objects]).astype(np.float64)


def cross_predict(x: Floats, y: Floats, alpha: float, folds: int) -> Floats:
    """Predictions [object, place] of every object by a model of the other folds; fold k holds k, k + folds, ..."""
    fold = np.arange(len(x)) % folds
    predicted = np.empty_like(y)
    for k in range(folds):
        predicted[fold == k] = Ridge.fit(x[fold != k], y[fold != k], alpha)(x[fold == k])
    return predicted


class PreferenceJudge:
    """Good or bad by a trained preference; neutral where a prompt asks for no pick or place."""

    kind = JudgeKind.TRAINED
    cacheable = True

    def __init__(
        self, model: RidgePreference, domain: str, held_out: bool = False, fitted_to: Iterable[str] = ()
    ) -> None:
        self.model = model
        self.fitted_to = frozenset(fitted_to)  # groups of probes, here objects
        self.held_out = held_out
        name = "preference:held-out" if held_out else "preference"
        self.id = f"{name}:{domain}:{model.encoder.revision}:{model.digest}:{model.calibration.digest}"

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """A judgment a prompt."""
        decisions = [asked(prompt) for prompt in prompts]
        pairs = [(d.object, place_name(d.receptacle, d.room)) for d in decisions if d is not None]
        belongs = iter(self.model.probabilities(pairs, self.held_out))
        return [
            NEUTRAL if d is None else judgment(next(belongs), Verdict.GOOD if d.kind == PLACE else Verdict.BAD)
            for d in decisions
        ]
