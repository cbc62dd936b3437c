"""What the embedding judge compares in Housekeep: a question about an object with a sentence about a place.

How it is chosen, on train objects only: for each pair of templates below, a threshold per room and one temperature are
fitted to the labels (a logistic regression; right and wrong places weigh alike, thresholds of rooms are pulled
together), and the pair whose probabilities rank the train objects' places best (pooled AUC) is taken. No label of
another object is read, and nothing of the model is trained.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.knowledge.labels import Labels
from apps.housekeep.knowledge.places import object_words, place_words, split_place
from apps.housekeep.oracle import PLACE, asked
from lmgt_core.audit.precision import auc
from lmgt_core.errors import UserError
from lmgt_core.judges.minilm import MiniLMEncoder, Pair, Pairing
from lmgt_core.judges.score_thresholds import Calibration, fit_calibration
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt

QUESTIONS = (
    "Where does the {} belong?",
    "Where do you keep the {}?",
    "Where do you store the {}?",
    "Where is the {} usually kept?",
)
STATEMENTS = (
    "It belongs in the {}.",
    "It is kept in the {}.",
    "The {}.",
    "On the {}.",
)


@dataclass(frozen=True)
class PairTemplate:
    """A question with a gap for the object and a statement with a gap for the place."""

    question: str
    statement: str

    @property
    def name(self) -> str:
        """Both texts, for the judge's id."""
        return f"{self.question} {self.statement}"

    def pair(self, object: str, receptacle: str, room: str, verdict: Verdict = Verdict.GOOD) -> Pair:
        """The pair for one object and place; the room is the calibration's group."""
        words = place_words(receptacle, room)
        return Pair(self.question.format(object_words(object)), self.statement.format(words), room, verdict)

    def similarities(self, encoder: MiniLMEncoder, labels: Labels) -> NDArray[np.float64]:
        """The cosines [place, object]."""
        questions = [self.question.format(object_words(name)) for name in labels.objects]
        statements = [self.statement.format(place_words(*split_place(place))) for place in labels.places]
        return (encoder.encode(statements) @ encoder.encode(questions).T).astype(np.float64)


PUBLISHED = PairTemplate(QUESTIONS[0], STATEMENTS[0])  # the pair of the data's table of zero-shot scores


def choose(encoder: MiniLMEncoder, train: Labels) -> tuple[PairTemplate, Calibration]:
    """The best pair of templates on the train objects, with its calibration; the first of equals.

    UserError where no template's similarities go up with the labels.
    """
    best: tuple[float, PairTemplate, Calibration] | None = None
    for template in (PairTemplate(*texts) for texts in product(QUESTIONS, STATEMENTS)):
        try:
            calibration, area = calibrate(template, encoder, train)
        except ValueError:  # these similarities do not go up with the labels
            continue
        if best is None or area > best[0]:
            best = area, template, calibration
    if best is None:
        raise UserError(f"--judge minilm: nothing to choose its question by in the {train.source}' train objects")
    return best[1], best[2]


def calibrate(template: PairTemplate, encoder: MiniLMEncoder, train: Labels) -> tuple[Calibration, float]:
    """The thresholds per room of one template, and the pooled AUC of its probabilities on the train objects."""
    scores = template.similarities(encoder, train).ravel()
    rooms = [split_place(place)[1] for place in train.places for _ in train.objects]
    answers = train.correct.ravel()
    calibration = fit_calibration(scores, rooms, answers)
    area = auc(calibration.probability(scores, rooms), answers)
    assert area is not None  # fit_calibration has seen both answers
    return calibration, area


def pairing(template: PairTemplate) -> Pairing:
    """The pair of a pick or place; a statement that fits makes placing good, and picking bad."""

    def pair(prompt: Prompt) -> Pair | None:
        decision = asked(prompt)
        if decision is None:
            return None
        verdict = Verdict.GOOD if decision.kind == PLACE else Verdict.BAD
        return template.pair(decision.object, decision.receptacle, decision.room, verdict)

    return pair
