"""What moves are worth: ridge regression by hand, what shifts and returns teach, words that were never trained on."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.agent.move_values import MoveConfig, MoveValues, block_prior, ridge
from apps.housekeep.agent.pair_features import PairFeatures, objects_likeness, places_likeness
from lmgt_core.judges.minilm import MiniLMEncoder
from tests.apps.housekeep.small_world import HOMES, PLACES

OBJECTS = tuple(sorted(name for names in HOMES.values() for name in names))
WORDS = Vocabulary(OBJECTS, tuple(sorted(PLACES)))
RIGHT = np.array([[object in HOMES[place.split("|")[0]] for place in WORDS.places] for object in OBJECTS])


@pytest.fixture(scope="module")
def encoder() -> MiniLMEncoder:
    return MiniLMEncoder.load()


def values(encoder: MiniLMEncoder, words: Vocabulary = WORDS) -> MoveValues:
    return MoveValues(MoveConfig(), *PairFeatures.of(words, encoder)(words, encoder))


def random_episodes(n: int, rng: np.random.Generator) -> list[tuple[list[tuple[int, int, int | None]], float]]:
    """Moves of three objects, half of them right at first, to places drawn at random, and what they return."""
    episodes = []
    for _ in range(n):
        moves: list[tuple[int, int, int | None]] = []
        returned = 0.0
        for object in rng.choice(len(OBJECTS), 3, replace=False).tolist():
            here = int(rng.choice(np.flatnonzero(RIGHT[object] == (rng.random() < 0.5))))
            there = int(rng.integers(len(PLACES)))
            moves.append((object, here, there))
            returned += float(RIGHT[object, there]) - float(RIGHT[object, here])
        episodes.append((moves, returned))
    return episodes


class TestRidge:
    def test_one_feature_by_hand(self) -> None:
        # x = (1, 2), y = (1, 3), noise 2, prior 3: the sum of xy over (the sum of x^2 + 2^2 / 3^2)
        weights = ridge(np.array([[1.0], [2.0]]), np.array([1.0, 3.0]), np.array([3.0]), 2.0)
        assert weights == pytest.approx([7 / (5 + 4 / 9)])

    @given(st.integers(0, 2**32 - 1), st.integers(1, 12))
    def test_fewer_rows_than_features_or_more_give_one_solution(self, seed: int, rows: int) -> None:
        rng = np.random.default_rng(seed)
        x, y, prior = rng.normal(size=(rows, 5)), rng.normal(size=rows), rng.uniform(0.1, 2.0, 5)
        noise = rng.uniform(0.1, 2.0, rows)
        precision = np.diag(noise**-2)
        expected = np.linalg.solve(x.T @ precision @ x + np.diag(prior**-2), x.T @ precision @ y)
        assert ridge(x, y, prior, noise) == pytest.approx(expected, rel=1e-6, abs=1e-9)

    def test_priors_go_by_what_a_product_is_about(self) -> None:
        prior = block_prior((3, 2), 4.0, (1.0, 2.0, 3.0)).reshape(3, 2)  # [one and objects, one and places]
        assert prior.tolist() == [[4.0, 1.0], [2.0, 3.0], [2.0, 3.0]]


class TestWords:
    def test_a_word_is_most_like_itself(self, encoder: MiniLMEncoder) -> None:
        for likeness in (
            objects_likeness(encoder, OBJECTS, OBJECTS),
            places_likeness(encoder, WORDS.places, WORDS.places),
        ):
            assert np.diag(likeness) == pytest.approx(1.0, abs=1e-5)
            assert (likeness.argmax(1) == np.arange(len(likeness))).all()

    def test_features_multiply_to_the_likeness_that_they_stand_for(self, encoder: MiniLMEncoder) -> None:
        _, places = PairFeatures.of(WORDS, encoder)(WORDS, encoder)
        assert (places[:, 0] == 1.0).all()
        expected = places_likeness(encoder, WORDS.places, WORDS.places)
        assert places[:, 1:] @ places[:, 1:].T == pytest.approx(expected, abs=1e-4)


class TestWhatIsLearned:
    def test_nothing_is_worth_anything_at_first(self, encoder: MiniLMEncoder) -> None:
        untaught = values(encoder)
        lying, taken = untaught(untaught.objects, untaught.places)
        assert not lying.any() and not taken.any()

    def test_shifts_teach_places_of_objects_that_were_never_judged(self, encoder: MiniLMEncoder) -> None:
        taught = values(encoder)
        unjudged = [OBJECTS.index(name) for name in ("bread_knife", "shampoo", "blanket")]
        for o, p in np.ndindex(RIGHT.shape):
            if o not in unjudged:
                taught.add_shift(o, p, 1.0 if RIGHT[o, p] else -1.0)
        taught.fit(1.0)
        _, taken = taught(taught.objects, taught.places)
        assert all(RIGHT[o, taken[o].argmax()] for o in unjudged)
        assert taken[RIGHT].mean() > 0.15 > -0.15 > taken[~RIGHT].mean()

    def test_a_shift_counts_for_its_weight(self, encoder: MiniLMEncoder) -> None:
        found = []
        for weight in (1.0, 0.5, 0.0):
            taught = values(encoder)
            taught.add_shift(0, 0, 1.0)
            taught.fit(weight)
            found.append(taught(taught.objects, taught.places)[1])
        assert found[1] == pytest.approx(found[0] / 2) and not found[2].any()

    def test_returns_alone_teach_where_things_belong(self, encoder: MiniLMEncoder) -> None:
        taught = values(encoder)
        taught.episodes = random_episodes(400, np.random.default_rng(0))
        taught.fit(1.0)
        lying, taken = taught(taught.objects, taught.places)
        assert np.mean([RIGHT[o, taken[o].argmax()] for o in range(len(OBJECTS))]) > 0.9
        assert taken[RIGHT].mean() - taken[~RIGHT].mean() > 0.2
        assert np.allclose(lying - taken, taught.terms[2])  # without shifts they differ by a constant

    def test_returns_correct_a_judge_that_is_always_wrong(self, encoder: MiniLMEncoder) -> None:
        taught = values(encoder)
        for o, p in np.ndindex(RIGHT.shape):
            taught.add_shift(o, p, -1.0 if RIGHT[o, p] else 1.0)
        taught.fit(1.0)
        misled = np.mean([RIGHT[o, row.argmax()] for o, row in enumerate(taught(taught.objects, taught.places)[1])])
        taught.episodes = random_episodes(400, np.random.default_rng(0))
        taught.fit(1.0)
        mended = np.mean([RIGHT[o, row.argmax()] for o, row in enumerate(taught(taught.objects, taught.places)[1])])
        assert misled < 0.1 and mended > 0.8

    def test_what_is_still_in_the_hand_is_right_nowhere(self, encoder: MiniLMEncoder) -> None:
        taught = values(encoder)
        taught.episodes = [([(0, 0, None)], -1.0)]
        taught.fit(1.0)
        lying, taken = taught(taught.objects, taught.places)
        assert lying[0, 0] > 0 and taken[0, 0] > 0  # it was right where it lay

    def test_a_saved_state_says_the_same(self, encoder: MiniLMEncoder) -> None:
        taught, copy = values(encoder), values(encoder)
        taught.add_shift(1, 2, 1.0)
        taught.episodes = random_episodes(20, np.random.default_rng(1))
        taught.fit(0.5)
        state = taught.state_dict()
        learned = state.pop("learned")
        copy.load_state_dict(json.loads(json.dumps(state)) | {"learned": learned})
        for a, b in zip(taught(*words(taught)), copy(*words(copy)), strict=True):
            assert np.array_equal(a, b)
        taught.fit(0.5)
        copy.fit(0.5)
        assert np.array_equal(taught.correction, copy.correction)


def words(of: MoveValues) -> tuple[np.ndarray, np.ndarray]:
    return of.objects, of.places
