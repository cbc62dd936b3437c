import numpy as np
import pytest

from tests.apps.housekeep.small_world import small_labels


def test_the_train_labels_hold_train_objects_only():
    labels = small_labels()
    train = labels.train
    assert train.objects == labels.splits["train"]
    assert train.correct.shape == (6, 15)
    assert train.splits["val"] == train.splits["test"] == ()


def test_answers_stay_with_their_objects():
    labels = small_labels().only(["toothbrush", "plate"])
    np.testing.assert_array_equal(labels.correct[:, 0], [0, 0, 1, 1, 0, 0])
    np.testing.assert_array_equal(labels.correct[:, 1], [1, 1, 0, 0, 0, 0])


def test_an_object_without_labels_is_refused():
    with pytest.raises(KeyError):
        small_labels().only(["spaceship"])


def test_the_truth_is_the_correct_places():
    truth = small_labels().truth
    assert truth.places_of["plate"] == {"kitchen|counter", "kitchen|top_cabinet"}


def test_the_digest_changes_with_any_answer():
    assert small_labels().digest == small_labels().digest
    assert small_labels(share=0.9).digest != small_labels().digest
