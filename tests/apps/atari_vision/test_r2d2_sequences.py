"""Sequences: where they begin and end, what is burned in, what the replay gives back."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.atari_vision.r2d2.config import SMALL
from apps.atari_vision.r2d2.replay import SequenceReplay
from apps.atari_vision.r2d2.sequences import Record, SequenceCutter, segment_ends
from lmgt_core.errors import UserError

CONFIG = replace(SMALL, burn_in=2, length=4, period=2, hidden_size=1, capacity=8, warm_up=1, batch_size=4)


def live(decisions: int) -> list[Record]:
    """The sequences of one episode; observation, input and state at decision t are t, and its reward is t too."""
    cutter = SequenceCutter(CONFIG, 1, (1,), np.float32, 1)
    at = lambda t: np.full((1, 1), t, np.float32)  # noqa: E731
    cutter.begin(np.ones(1, bool), at(0), at(0))
    records = []
    for t in range(decisions):
        decided = {"action": t, "reward": t, "shift": 10 * t, "intrinsic": 0, "discount": 0.5}
        row = {name: np.array([value]) for name, value in decided.items()}
        ended = np.array([t == decisions - 1])
        records += cutter.add((at(t), at(t)), row, at(t + 1), at(t + 1), ended)
    return records


def test_the_first_sequence_has_nothing_to_burn_in_and_the_next_starts_from_a_stored_state() -> None:
    first, second = live(6)
    assert first["observation"][:, 0].tolist() == [0, 0, 0, 1, 2, 3, 4] and not first["burned"]
    assert first["reward"].tolist() == [0, 1, 2, 3] and first["hidden"] == 0
    assert second["observation"][:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6] and second["burned"]
    assert second["reward"].tolist() == [2, 3, 4, 5] and second["hidden"] == 0


def test_an_episode_that_ends_early_leaves_a_sequence_cut_short() -> None:
    (only,) = live(3)
    assert only["valid"] == 3 and only["reward"].tolist() == [0, 1, 2, 0]
    assert only["observation"][:, 0].tolist() == [0, 0, 0, 1, 2, 3, 0]
    *_, last = live(7)
    assert last["valid"] == 3 and last["reward"].tolist() == [4, 5, 6, 0] and last["hidden"] == 2


@given(st.integers(1, 60), st.integers(1, 12), st.data())
def test_every_decision_of_an_episode_is_learned_from(decisions: int, length: int, data: st.DataObject) -> None:
    period = data.draw(st.integers(1, length))
    covered: set[int] = set()
    for t in range(1, decisions + 1):
        for j in segment_ends(t, t == decisions, length, period):
            assert t - j * period <= length
            covered |= set(range(j * period, t))
    assert covered == set(range(decisions))


def test_reward_and_shift_are_composed_when_they_are_sampled() -> None:
    replay = SequenceReplay(CONFIG)
    replay.add(live(4), np.ones(1))
    batch = replay.sample(np.random.default_rng(0), weight=0.5)
    assert batch.reward.tolist() == [[0, 6, 12, 18]] * 4
    assert replay.sample(np.random.default_rng(0), weight=0).reward.tolist() == [[0, 1, 2, 3]] * 4
    assert batch.mask.all() and batch.discount.tolist() == [[0.5] * 4] * 4


def test_sequences_are_drawn_in_proportion_to_their_priorities() -> None:
    replay = SequenceReplay(replace(CONFIG, priority_exponent=1, importance_exponent=1))
    replay.add(live(4) + live(4), np.array([1.0, 1.0]))
    replay.update(np.array([0, 1]), np.array([1.0, 3.0]))
    rng = np.random.default_rng(0)
    drawn = np.concatenate([replay.sample(rng, 0).index for _ in range(200)])
    assert np.mean(drawn == 1) == pytest.approx(0.75, abs=0.03)


def test_a_mistake_still_teaches_among_sequences_without_error() -> None:
    replay = SequenceReplay(CONFIG)
    replay.add(live(4) * 4, np.array([0.1, 0, 0, 0]))
    rng = np.random.default_rng(0)
    batches = [replay.sample(rng, 0) for _ in range(50)]
    mixed = [batch for batch in batches if 0 < (batch.index == 0).sum() < 4]
    weights = np.concatenate([batch.weights[batch.index == 0] for batch in mixed])
    # ((.1 + .01) / .01) ** (-.9 * .6): the priority and importance exponents on the ratio of priorities
    assert weights.tolist() == pytest.approx([11**-0.54] * len(weights), rel=1e-5) and len(weights)


def test_the_oldest_sequence_makes_room() -> None:
    replay = SequenceReplay(replace(CONFIG, capacity=2))
    for decisions in (1, 2, 3):
        replay.add(live(decisions), np.ones(1))
    assert sorted(replay.fields["valid"].tolist()) == [2, 3] and len(replay) == 2


@pytest.mark.parametrize("burned", [False, True])
def test_stacks_of_frames_come_back_as_they_were(burned: bool) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (10, 2, 2), np.uint8)
    stacks = np.stack([frames[i : i + 4] for i in range(7)])
    if not burned:
        stacks[:2] = 0
    record = {**live(4)[0], "burned": np.array(burned), "observation": stacks}
    replay = SequenceReplay(CONFIG)
    replay.add([record], np.ones(1))
    state = replay.state_dict()
    again = SequenceReplay(CONFIG)
    again.load_state_dict(state, (4, 2, 2), np.uint8)
    for kept in (replay, again):
        seen = kept.sample(np.random.default_rng(0), 0).observation
        first = 0 if burned else 2
        assert np.array_equal(seen[0, first:], stacks[first:])


def test_images_that_are_no_stacks_are_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (7, 4, 2, 2), np.uint8)
    with pytest.raises(ValueError, match="stacks of frames"):
        SequenceReplay(CONFIG).add([{**live(4)[0], "observation": noise}], np.ones(1))


def test_a_burn_in_longer_than_the_period_is_refused() -> None:
    with pytest.raises(UserError, match="burn_in"):
        replace(CONFIG, burn_in=3)
