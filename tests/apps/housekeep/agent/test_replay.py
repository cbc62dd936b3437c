"""The replay memory: transitions composed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.housekeep.agent.features import MAX_PAIRS, SCALARS, Observation
from apps.housekeep.agent.replay import Ragged, Replay

GAMMA = 0.5


def observation(mark: int, candidates: int = 2) -> Observation:
    """An observation whose numbers say which it is: candidate c of observation `mark` has the scalar mark + c / 10."""
    scalars = np.zeros((candidates, len(SCALARS)), np.float32)
    scalars[:, 0] = mark + np.arange(candidates) / 10
    pairs = np.full((candidates, MAX_PAIRS, 2), mark, np.int16)
    return Observation(scalars, pairs, np.full((candidates, MAX_PAIRS), mark, np.float32))


def replay(rewards: list[float], last: tuple[int, ...] = (), capacity: int = 100) -> Replay:
    """Decision i has i % 3 + 1 candidates, takes the last of them, and shifts by ten times its reward."""
    memory = Replay(capacity)
    for i, reward in enumerate(rewards):
        count = i % 3 + 1
        memory.add(observation(i, count), count - 1, reward, 10 * reward, i in last)
    return memory


def rows(memory: Replay, steps: int, size: int = 400) -> dict[int, tuple[float, float, float, list[float]]]:
    """{decision: (r_t, shift_t, discount_t, the following candidates' marks)} of everything that was sampled."""
    batch = memory.sample(size, GAMMA, steps, np.random.default_rng(0))
    found = {}
    for i in range(size):
        following = batch.next_candidates.scalars[
            batch.next_candidates.offsets[i] : batch.next_candidates.offsets[i + 1], 0
        ]
        decision = int(batch.chosen.scalars[i, 0])
        found[decision] = (
            float(batch.r_t[i]),
            float(batch.shift_t[i]),
            float(batch.discount_t[i]),
            [round(float(x), 4) for x in following],
        )
    return found


def test_a_transition_leads_to_the_next_decision() -> None:
    found = rows(replay([1.0, 2.0, 3.0, 4.0]), steps=1)
    assert found == {
        0: (1.0, 10.0, 0.5, [1.0, 1.1]),
        1: (2.0, 20.0, 0.5, [2.0, 2.1, 2.2]),
        2: (3.0, 30.0, 0.5, [3.0]),
    }  # decision 3 has no successor yet


def test_several_steps_are_discounted_and_summed() -> None:
    found = rows(replay([1.0, 2.0, 4.0, 8.0, 16.0]), steps=3)
    assert found[0][:3] == (1 + 0.5 * 2 + 0.25 * 4, 30.0, 0.125)
    assert found[0][3] == [3.0]
    assert found[2][:3] == (4 + 0.5 * 8, 80.0, 0.25)  # cut where the newest decision begins
    assert found[3][:3] == (8.0, 80.0, 0.5)
    assert 4 not in found


def test_nothing_leads_out_of_an_episode() -> None:
    found = rows(replay([1.0, 2.0, 4.0, 8.0, 16.0], last=(1, 4)), steps=3)
    assert found[0][:3] == (1 + 0.5 * 2, 20.0, 0.0)
    assert found[1][:3] == (2.0, 20.0, 0.0)
    assert found[2][:3] == (4 + 0.5 * 8 + 0.25 * 16, 120.0, 0.0)
    assert found[4][:3] == (16.0, 160.0, 0.0)  # the newest may be sampled: it ended its episode


def test_the_chosen_candidate_is_the_one_that_was_taken() -> None:
    batch = replay([0.0] * 9).sample(50, GAMMA, 1, np.random.default_rng(1))
    marks = batch.chosen.scalars[:, 0]
    assert np.allclose(marks % 1, (marks.astype(int) % 3) / 10)
    assert batch.chosen.offsets.tolist() == list(range(51))


def test_every_decision_with_a_successor_is_sampled_and_no_other() -> None:
    assert sorted(rows(replay([0.0] * 8), steps=1)) == list(range(7))
    assert sorted(rows(replay([0.0] * 8, last=(7,)), steps=1)) == list(range(8))


def test_the_oldest_decisions_are_forgotten_and_links_stay() -> None:
    memory = replay([float(i) for i in range(50)], capacity=20)
    assert 20 <= len(memory) <= 22
    found = rows(memory, steps=1, size=800)
    assert max(found) == 48 and min(found) >= 50 - 22
    for decision, (reward, shift, _, following) in found.items():
        assert reward == decision and shift == 10 * decision
        assert int(following[0]) == decision + 1


@pytest.mark.parametrize("capacity", [100, 20], ids=["all", "forgetting"])
def test_the_successor_in_one_of_several_homes_is_the_next_decision_of_that_home(capacity: int) -> None:
    """Decisions 0, 3, 6, ... are of the first of three homes; the first home's 33 ends an episode, so does its 45."""
    memory = Replay(capacity, homes=3)
    for i in range(48):
        memory.add(observation(i), 0, float(i), 0.0, i in (33, 45))
    found = rows(memory, steps=1, size=2000)
    assert max(found) == 45 and not {46, 47} & set(found)  # of the newest ones only the one that ended
    assert all(
        following[0] == decision + 3 for decision, (_, _, _, following) in found.items() if decision not in (33, 45)
    )
    assert found[33][2] == found[45][2] == 0.0
    two = rows(memory, steps=2, size=2000)
    assert two[40][:3] == (40 + 0.5 * 43, 0.0, 0.25) and two[40][3][0] == 46
    assert two[43][:3] == (43.0, 0.0, 0.5) and two[43][3][0] == 46  # cut where the newest decision begins
    assert two[30][:3] == (30 + 0.5 * 33, 0.0, 0.0)


def test_equal_generators_sample_equally() -> None:
    a, b = (replay([0.0] * 9).sample(32, GAMMA, 2, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(a.chosen.scalars, b.chosen.scalars) and np.array_equal(
        a.next_candidates.offsets, b.next_candidates.offsets
    )


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-2, 2, width=32), min_size=2, max_size=12), st.sets(st.integers(0, 11)), st.integers(1, 4))
def test_a_checkpoint_samples_as_the_original(rewards: list[float], last: set[int], steps: int) -> None:
    memory = replay(rewards, tuple(last))
    restored = Replay(100)
    restored.load_state_dict(memory.state_dict())
    a, b = (m.sample(16, GAMMA, steps, np.random.default_rng(2)) for m in (memory, restored))
    for one, other in ((a.chosen, b.chosen), (a.next_candidates, b.next_candidates)):
        assert all(np.array_equal(getattr(one, n), getattr(other, n)) for n in vars(one))
    assert np.array_equal(a.r_t, b.r_t) and np.array_equal(a.shift_t, b.shift_t)
    assert np.array_equal(a.discount_t, b.discount_t)


def test_a_checkpoint_can_be_added_to() -> None:
    memory = replay([1.0, 2.0])
    restored = Replay(100)
    restored.load_state_dict(memory.state_dict())
    restored.add(observation(2), 0, 3.0, 0.0, True)
    assert rows(restored, 1)[1] == (2.0, 20.0, 0.5, [2.0, 2.1])


def test_the_advice_of_the_chosen_and_of_what_came_next_is_kept() -> None:
    memory = Replay(100)
    for i in range(3):  # decision i has i + 1 candidates, whose advice is 10 i + candidate; it takes the last one
        advice = 10 * i + np.arange(i + 1, dtype=np.float32)
        memory.add(observation(i, i + 1), i, 0.0, 0.0, i == 2, advice)
    restored = Replay(100)
    restored.load_state_dict(memory.state_dict())
    for one in (memory, restored):
        batch = one.sample(60, GAMMA, 1, np.random.default_rng(0))
        assert batch.advice_tm1 is not None and batch.advice_t is not None
        for i, decision in enumerate(batch.chosen.scalars[:, 0].astype(int)):
            assert batch.advice_tm1[i] == 11 * decision
            if decision < 2:  # the last one leads nowhere
                following = batch.advice_t[batch.next_candidates.offsets[i] : batch.next_candidates.offsets[i + 1]]
                assert following.tolist() == [10 * (decision + 1) + c for c in range(decision + 2)]
        assert len(batch.advice_t) == len(batch.next_candidates.scalars)


def test_a_checkpoint_of_before_there_was_advice_is_read_as_none_given() -> None:
    state = replay([1.0, 2.0, 3.0]).state_dict()
    del state["advice"]
    restored = Replay(100)
    restored.load_state_dict(state)
    batch = restored.sample(20, GAMMA, 1, np.random.default_rng(0))
    assert batch.advice_t is not None and not batch.advice_t.any()
    assert [len(a) for a in restored.advice] == [len(o) for o in restored.observations]


def test_laying_no_observations_end_to_end_is_empty() -> None:
    empty = Ragged.of([])
    assert empty.scalars.shape == (0, len(SCALARS)) and empty.offsets.tolist() == [0]


def test_offsets_say_whose_candidates_rows_are() -> None:
    ragged = Ragged.of([observation(0, 2), observation(1, 3)])
    assert ragged.offsets.tolist() == [0, 2, 5]
    assert ragged.scalars[:, 0].tolist() == pytest.approx([0.0, 0.1, 1.0, 1.1, 1.2])
