from dataclasses import replace

import numpy as np
import pytest

from apps.housekeep.knowledge.minilm_pairs import (
    PUBLISHED,
    QUESTIONS,
    STATEMENTS,
    PairTemplate,
    calibrate,
    choose,
    pairing,
)
from lmgt_core.audit.precision import auc
from lmgt_core.errors import UserError
from lmgt_core.judges.minilm import MiniLMEncoder, MiniLMJudge
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt
from tests.apps.housekeep.small_world import question, small_labels


@pytest.fixture(scope="module")
def encoder():
    return MiniLMEncoder.load()


def test_the_published_pair_reads_as_published():
    pair = PUBLISHED.pair("soap_dish", "bottom_cabinet_no_top", "living_room")
    assert pair.question == "Where does the soap dish belong?"
    assert pair.statement == "It belongs in the bottom cabinet in the living room."
    assert pair.group == "living_room"


def test_a_statement_that_fits_speaks_for_placing_and_against_picking():
    pair = pairing(PUBLISHED)
    assert pair(question("place", "fork", "counter", "kitchen")).verdict is Verdict.GOOD
    assert pair(question("pick", "fork", "counter", "kitchen")).verdict is Verdict.BAD
    assert pair(Prompt("", "go to the counter")) is None


def test_similarities_are_those_that_the_judge_sees(encoder):
    labels = small_labels().train
    template = PairTemplate(QUESTIONS[2], STATEMENTS[2])
    calibration, _ = calibrate(template, encoder, labels)
    judge = MiniLMJudge(encoder, pairing(template), calibration, "housekeep", template.name)
    table = template.similarities(encoder, labels)
    column = labels.objects.index("fork")
    assert judge.similarities([template.pair("fork", "counter", "kitchen")])[0] == pytest.approx(
        table[0, column], abs=1e-6
    )


def test_the_best_template_on_train_objects_is_chosen(encoder):
    train = small_labels().train
    template, calibration = choose(encoder, train)
    areas = {(q, s): calibrate(PairTemplate(q, s), encoder, train)[1] for q in QUESTIONS for s in STATEMENTS}
    assert areas[template.question, template.statement] == max(areas.values())
    assert set(calibration.groups) == {"kitchen", "bathroom", "bedroom"}


def test_the_choice_reads_no_label_of_other_objects(encoder):
    labels = small_labels()
    correct = labels.correct.copy()
    correct[:, [i for i, name in enumerate(labels.objects) if name not in labels.splits["train"]]] ^= True
    assert choose(encoder, labels.train) == choose(encoder, replace(labels, correct=correct).train)


def test_places_of_new_objects_are_ranked_better_than_by_chance(encoder):
    labels = small_labels()
    template, calibration = choose(encoder, labels.train)
    judge = MiniLMJudge(encoder, pairing(template), calibration, "housekeep", template.name)
    test = labels.only(labels.splits["test"])
    decisions = [(name, *reversed(place.split("|"))) for place in test.places for name in test.objects]
    scores = np.array([j.expected_label for j in judge.judge([question("place", *d) for d in decisions])])
    assert auc(scores, test.correct.ravel()) > 0.7


def test_labels_that_say_nothing_cannot_choose(encoder):
    labels = small_labels()
    with pytest.raises(UserError, match="nothing to choose its question by"):
        choose(encoder, replace(labels, correct=np.zeros_like(labels.correct)).train)
