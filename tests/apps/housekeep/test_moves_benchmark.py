"""benchmarks/housekeep_moves.py: abstract homes are tidied as real ones would be, and settings are read."""

import numpy as np
import pytest

from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.agent.move_values import MoveConfig
from apps.housekeep.episodes.load import load_many
from benchmarks.housekeep_moves import STEPS, Home, changed, metrics, played

EPISODES = load_many(("builtin:val",), "0:3")
WORDS = Vocabulary.of(EPISODES)
KINDS = set(WORDS.objects)


def truth(number: int) -> np.ndarray:
    """[object, place] 1 where an object of the episode belongs, 0 elsewhere."""
    home, values = Home.of(EPISODES[number], WORDS, KINDS), np.zeros((len(WORDS.objects), len(WORDS.places)))
    for (place, item), right in np.ndenumerate(home.end):
        values[home.objects[item], home.places[place]] = right
    return values


@pytest.mark.parametrize("number", range(3))
def test_true_values_put_everything_right_and_none_leave_it(number: int) -> None:
    home, values = Home.of(EPISODES[number], WORDS, KINDS), truth(number)
    assert metrics([home], (values, values), 0.05)[:2] == (1.0, 1.0)
    assert metrics([home], (values * 0, values * 0), 0.05)[:2] == (0.0, 0.0)


def test_random_moves_use_up_the_steps_in_picks_and_places() -> None:
    home, values = Home.of(EPISODES[0], WORDS, KINDS), truth(0)
    found = played(home, values, values, 0.05, np.random.default_rng(0), 1.0)
    assert found.steps >= STEPS - 50 or home.right(found.on).all()
    assert [kind.name for kind, _, _ in found.decided[:4]] == ["PICK", "PLACE"] * 2


def test_objects_of_other_kinds_are_left_out() -> None:
    some = {EPISODES[0].items[0].category}
    assert len(Home.of(EPISODES[0], WORDS, some).objects) == sum(i.category in some for i in EPISODES[0].items)


def test_settings_are_numbers_or_triples() -> None:
    config = changed(MoveConfig(), ["return_noise=.7", "epsilon_skills=50", "return_prior=.1,.2,.3"])
    assert (config.return_noise, config.epsilon_skills, config.return_prior) == (0.7, 50, (0.1, 0.2, 0.3))
