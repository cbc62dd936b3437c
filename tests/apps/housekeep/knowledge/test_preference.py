from dataclasses import replace

import numpy as np
import pytest

from apps.housekeep.knowledge.preference import PreferenceJudge, Ridge, RidgePreference, cross_predict, embed
from lmgt_core.judges.minilm import MiniLMEncoder
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt
from tests.apps.housekeep.small_world import question, small_labels


@pytest.fixture(scope="module")
def model():
    return RidgePreference.fit(MiniLMEncoder.load(), small_labels().train, alpha=0.3)


def test_ridge_by_hand():
    # one feature, centred x = -1, 1 and y = -2, 2: weight = sum xy / (sum xx + alpha) = 4 / (2 + 2)
    fitted = Ridge.fit(np.array([[0.0], [2.0]]), np.array([[3.0], [7.0]]), alpha=2.0)
    np.testing.assert_allclose(fitted.weights, [[1.0]])
    np.testing.assert_allclose(fitted(np.array([[1.0], [3.0]])), [[5.0], [7.0]])


def test_ridge_solves_its_normal_equations():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 20)), rng.normal(size=(9, 4))
    fitted = Ridge.fit(x, y, alpha=0.7)
    centered = x - x.mean(0)
    np.testing.assert_allclose(
        (centered.T @ centered + 0.7 * np.eye(20)) @ fitted.weights, centered.T @ (y - y.mean(0)), atol=1e-10
    )


def test_a_prediction_for_a_fold_does_not_read_its_labels():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(10, 6)), rng.normal(size=(10, 3))
    other = y.copy()
    other[[0, 5]] += 100.0  # all of fold 0 of 5
    one, two = cross_predict(x, y, 1.0, 5), cross_predict(x, other, 1.0, 5)
    np.testing.assert_array_equal(one[[0, 5]], two[[0, 5]])
    assert (one[1] != two[1]).any()


def test_new_objects_are_known_by_their_words(model):
    labels = small_labels()
    test = labels.only(labels.splits["test"])
    pairs = [(name, place) for place in test.places for name in test.objects]
    right = (np.array(model.probabilities(pairs)) > 0.5) == test.correct.ravel()
    assert right.mean() > 0.75


def test_only_train_labels_are_read():
    labels = small_labels()
    shares = labels.share.copy()
    held_back = [i for i, name in enumerate(labels.objects) if name not in labels.splits["train"]]
    shares[:, held_back] = 1.0 - shares[:, held_back]
    flipped = replace(labels, share=shares)
    encoder = MiniLMEncoder.load()
    one, two = (RidgePreference.fit(encoder, content.train) for content in (labels, flipped))
    assert one.digest == two.digest
    np.testing.assert_array_equal(one.ridge.weights, two.ridge.weights)


def test_the_score_is_the_predicted_share(model):
    x = embed(model.encoder, ["fork"])
    expected = model.ridge(x)[0, model.places["bedroom|bed"]]
    assert model.score("fork", "bedroom|bed") == pytest.approx(expected)
    with pytest.raises(KeyError):
        model.score("fork", "moon|crater")


def test_a_place_nobody_was_asked_about_holds_nothing(model):
    assert model.probabilities([("fork", "|window")]) == [pytest.approx(1 / (15 + 2))]


def test_held_out_predictions_differ_for_train_objects_only(model):
    seen, held_out = (model.predict(["plate", "bread_knife"], held_out=h) for h in (False, True))
    assert (seen[0] != held_out[0]).any()
    np.testing.assert_array_equal(seen[1], held_out[1])
    np.testing.assert_array_equal(held_out[0], model.unseen["plate"])


def test_picking_is_good_where_placing_is_bad(model):
    judge = PreferenceJudge(model, "housekeep")
    assert judge.kind is JudgeKind.TRAINED
    place, pick = judge.judge([question(kind, "plate", "counter", "kitchen") for kind in ("place", "pick")])
    assert (place.verdict, pick.verdict) == (Verdict.GOOD, Verdict.BAD)
    assert place.probabilities == pytest.approx(pick.probabilities[::-1])


def test_other_questions_are_neutral_and_keep_their_place(model):
    prompts = [Prompt("", "hello"), question("place", "plate", "bed", "bedroom"), Prompt("", "go")]
    verdicts = [judgment.verdict for judgment in PreferenceJudge(model, "housekeep").judge(prompts)]
    assert verdicts == [Verdict.NEUTRAL, Verdict.BAD, Verdict.NEUTRAL]
    assert PreferenceJudge(model, "housekeep").judge([]) == []


def test_an_answer_does_not_depend_on_the_questions_beside_it(model):
    judge = PreferenceJudge(model, "housekeep")
    prompts = [question("place", name, "bed", "bedroom") for name in small_labels().objects]
    assert judge.judge(prompts) == [judge.judge([prompt])[0] for prompt in prompts]


def test_the_id_names_labels_and_variant(model):
    other = RidgePreference.fit(model.encoder, small_labels(share=0.9).train, alpha=0.3)
    ids = {PreferenceJudge(m, "housekeep", held_out).id for m in (model, other) for held_out in (False, True)}
    assert len(ids) == 4
