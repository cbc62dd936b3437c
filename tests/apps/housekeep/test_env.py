"""The Gymnasium environments, in a small home."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from apps.housekeep.agent.text_observation import SeenText, TextEncoding
from apps.housekeep.describe_arrays import CandidateDescriber, PrimitiveDescriber
from apps.housekeep.env import (
    MAX_CANDIDATES,
    NOT_A_CANDIDATE,
    HousekeepEnv,
    HousekeepSkillsEnv,
    register,
)
from apps.housekeep.simulator.protocol import Action
from apps.housekeep.skills import Kind, decision_of
from lmgt_core.errors import UserError
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.guidance.wrappers import RewardShift, VectorRewardShift
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.rules.make import make_rule
from lmgt_core.testing.environment import EnvironmentContract
from tests.apps.housekeep.small_home import BOOK, CHEST, MUG, SHELF, TABLE, TOY, home, instance

HOMES = [home(), home({BOOK: CHEST}, episode_id=1), home({TOY: TABLE}, episode_id=2)]
TIDY = home({MUG: SHELF, TOY: TABLE})


class LetterCounts:
    """A stand-in for sentence embeddings: how often eight letters occur, as unit vectors."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Any) -> np.ndarray:
        self.asked += texts
        counts = np.array([[1 + text.count(letter) for letter in "aeionrst"] for text in texts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def primitive(**kwargs: Any) -> gym.Env[Any, Any]:
    settings = {"episodes": HOMES, "max_steps": 30, "size": 36, "encoder": LetterCounts()} | kwargs
    return gym.make("lmgt/Housekeep-v0", render_mode="rgb_array", **settings)


def skills(**kwargs: Any) -> gym.Env[Any, Any]:
    settings = {"episodes": HOMES, "max_steps": 60} | kwargs
    return gym.make("lmgt/HousekeepSkills-v0", render_mode="rgb_array", **settings)


class TestPrimitiveEnvironment(EnvironmentContract):
    def make(self) -> gym.Env[Any, Any]:
        return primitive()


class TestSkillsEnvironment(EnvironmentContract):
    def make(self) -> gym.Env[Any, Any]:
        return skills()


BOTH = pytest.mark.parametrize("make", [primitive, skills])


@BOTH
def test_all_episodes_are_played_before_one_comes_again(make: Any) -> None:
    env = make()
    first = [env.reset(seed=5)[1]["episode_id"]] + [env.reset()[1]["episode_id"] for _ in range(2)]
    second = [env.reset()[1]["episode_id"] for _ in range(3)]
    assert sorted(first) == sorted(second) == [0, 1, 2]


@BOTH
def test_an_option_names_the_episode(make: Any) -> None:
    env = make()
    assert [env.reset(options={"episode": i})[1]["episode_id"] for i in (2, 0, 1)] == [2, 0, 1]
    with pytest.raises(UserError, match="there are 3"):
        env.reset(options={"episode": 3})
    with pytest.raises(UserError, match="'room'"):
        env.reset(options={"room": 3})


@BOTH
def test_an_episode_that_starts_tidy_ends_with_its_first_step(make: Any) -> None:
    env = make(episodes=[TIDY])
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step(0)
    assert (reward, terminated, truncated) == (0.0, True, False)
    assert info["metrics"]["all_objects_right"] == 1.0 and info["steps"] == 0


@BOTH
def test_metrics_come_at_the_end_only_and_undefined_ones_stay_away(make: Any) -> None:
    env = make(max_steps=3)
    env.reset(seed=0)
    ended = False
    while not ended:
        *_, terminated, truncated, info = env.step(int(Action.TURN_LEFT))
        ended = terminated or truncated
        assert ("metrics" in info) is ended
    assert info["metrics"]["object_success"] == 0.0 and info["metrics"]["steps"] == 3.0
    assert "soft_score" not in info["metrics"] and "path_efficiency" not in info["metrics"]


@BOTH
def test_rendering_is_the_view_of_the_camera(make: Any) -> None:
    env = make()
    env.reset(seed=0)
    image = env.render()
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.std() > 10


def test_an_unknown_render_mode_is_refused() -> None:
    with pytest.raises(UserError, match="rgb_array"):
        HousekeepSkillsEnv(HOMES, render_mode="human")


def test_registering_twice_does_no_harm() -> None:
    register()
    assert {"lmgt/Housekeep-v0", "lmgt/HousekeepSkills-v0"} <= set(gym.registry)


def test_files_and_episodes_are_not_mixed() -> None:
    with pytest.raises(UserError, match="not both"):
        HousekeepSkillsEnv([HOMES[0], "builtin"])


# --- skills


def candidate(env: gym.Env[Any, Any], kind: Kind, **fields: int) -> int:
    """The action number of the candidate of this kind with these fields."""
    for i, skill in enumerate(env.unwrapped.candidates):  # type: ignore[attr-defined]
        if skill.kind is kind and all(getattr(skill, name) == value for name, value in fields.items()):
            return i
    raise AssertionError(f"no candidate {kind!r} {fields}")


def test_the_mask_marks_the_candidates_and_info_puts_them_into_words() -> None:
    env = skills()
    observation, info = env.reset(options={"episode": 0})
    n = len(env.unwrapped.candidates)
    assert observation["mask"].tolist() == [1] * n + [0] * (MAX_CANDIDATES - n)
    assert np.array_equal(info["action_mask"], observation["mask"])
    assert len(info["candidates"]) == n
    assert "pick up the mug from the table in the living room" in info["candidates"]


def test_an_action_outside_the_mask_costs_one_step_and_says_so() -> None:
    env = skills()
    env.reset(options={"episode": 0})
    yaw = env.unwrapped.task.simulator.pose.yaw
    _, reward, *_, info = env.step(MAX_CANDIDATES - 1)
    assert (reward, info["steps"], info["failure"]) == (0.0, 1, NOT_A_CANDIDATE)
    assert env.unwrapped.task.simulator.pose.yaw == pytest.approx(yaw + np.radians(20))


def test_tidying_by_skills_ends_the_episode_with_the_sparse_reward() -> None:
    env = skills(max_steps=200)
    env.reset(options={"episode": 0})
    rewards = []
    for thing, place in ((MUG, SHELF), (TOY, TABLE)):
        for kind, fields in ((Kind.PICK, {"item": thing}), (Kind.PLACE, {"item": thing, "receptacle": place})):
            _, reward, terminated, truncated, info = env.step(candidate(env, kind, **fields))
            assert info["failure"] == ""
            rewards.append(reward)
    assert rewards == [0.0, 0.0, 0.0, 2.0]
    assert (terminated, truncated) == (True, False)
    assert info["metrics"]["object_success"] == info["metrics"]["net_success"] == 1.0


def test_the_describer_says_what_the_candidate_is() -> None:
    env = skills()
    observation, _ = env.reset(options={"episode": 0})
    describer = CandidateDescriber(env.unwrapped.vocabulary)
    described = [describer(observation, action) for action in range(MAX_CANDIDATES)]
    decisions = [decision_of(env.unwrapped.task, skill) for skill in env.unwrapped.candidates]
    assert sum(d is not None for d in decisions) == 3  # three objects to pick
    for words, decision in zip(described, decisions, strict=False):
        assert (words is None) is (decision is None)
        if words is not None and decision is not None:
            assert words.facts == vars(decision)
    assert all(words is None for words in described[len(decisions) :])


def test_too_many_candidates_name_the_episode() -> None:
    crowded = home()
    many = crowded.receptacles * 60
    start, end = np.tile(crowded.start, (60, 1)), np.tile(crowded.end, (60, 1))
    object.__setattr__(crowded, "receptacles", many)
    object.__setattr__(crowded, "start", start)
    object.__setattr__(crowded, "end", end)
    with pytest.raises(UserError, match=r"episode 0: may need 362 candidates"):
        HousekeepSkillsEnv([crowded])


# --- primitive


def test_frames_are_stacked_with_the_newest_last() -> None:
    env = primitive()
    first, _ = env.reset(options={"episode": 0})
    second, *_ = env.step(Action.TURN_LEFT)
    third, *_ = env.step(Action.TURN_LEFT)
    assert first["frames"].shape == (9, 36, 36) and first["frames"].dtype == np.uint8
    assert np.array_equal(first["frames"][:3], first["frames"][6:])
    assert np.array_equal(second["frames"][3:6], first["frames"][6:])
    assert np.array_equal(third["frames"][:3], first["frames"][6:])
    assert np.array_equal(third["frames"][3:6], second["frames"][6:])
    assert not np.array_equal(third["frames"][6:], second["frames"][6:])


def test_the_text_grows_with_what_was_seen_and_knows_the_hand() -> None:
    env = primitive()
    _, info = env.reset(options={"episode": 0})
    assert info["text"].startswith("The hand is empty.")
    assert "mug on the table in the living room" in info["text"] and info["text"].endswith("Rooms seen: living room.")
    env.unwrapped.task.step(Action.GRAB_RELEASE, instance(MUG))
    *_, info = env.step(Action.TURN_LEFT)
    assert info["text"].startswith("The hand holds the mug.")
    assert "mug on the table" not in info["text"]


def look_at(env: gym.Env[Any, Any], thing: int) -> np.ndarray:
    """Turns until `thing` (an instance id) is under the crosshair; the observation then."""
    sweep = [Action.LOOK_UP] * 2 + ([Action.LOOK_DOWN] * 5 + [Action.TURN_LEFT] + [Action.LOOK_UP] * 5) * 18
    for action in sweep:
        observation, *_ = env.step(action)
        semantic = env.unwrapped.task.simulator.render().semantic
        if semantic[len(semantic) // 2, len(semantic) // 2] == thing:
            return observation
    raise AssertionError("never under the crosshair")


def test_what_grab_release_would_do_is_described_before_it_is_done() -> None:
    env = primitive(max_steps=500, size=37)  # an odd size has a middle pixel, which is the crosshair exactly
    env.reset(options={"episode": 0})
    describer = PrimitiveDescriber(env.unwrapped.vocabulary)
    observation = look_at(env, instance(MUG))
    described = describer(observation, Action.GRAB_RELEASE)
    assert described is not None
    assert described.action == "pick up the mug from the table in the living room, to put it somewhere else"
    *_, info = env.step(Action.GRAB_RELEASE)
    assert info["failure"] == "" and env.unwrapped.task.held == MUG
    observation = look_at(env, 1 + SHELF)
    described = describer(observation, Action.GRAB_RELEASE)
    assert described is not None and described.action == "put the mug on the shelf in the living room"
    assert describer(observation, Action.MOVE_FORWARD) is None
    *_, info = env.step(Action.GRAB_RELEASE)
    assert info["failure"] == "" and env.unwrapped.task.on[MUG] == SHELF


def test_an_empty_hand_has_nothing_to_put_and_a_full_one_nothing_to_take() -> None:
    env = primitive(max_steps=500, size=37)
    env.reset(options={"episode": 0})
    describer = PrimitiveDescriber(env.unwrapped.vocabulary)
    assert describer(look_at(env, 1 + SHELF), Action.GRAB_RELEASE) is None
    env.reset(options={"episode": 0})
    env.unwrapped.task.step(Action.GRAB_RELEASE, instance(BOOK))
    assert describer(look_at(env, instance(MUG)), Action.GRAB_RELEASE) is None


def test_equal_texts_are_embedded_once() -> None:
    encoder = LetterCounts()
    encoding = TextEncoding(encoder, 8)
    text = SeenText(("The hand is empty.",), (), ("shelf, left", "mug, right"), (), ("kitchen",))
    first = encoding(text)
    assert first.shape == (5 * 8,) and first.dtype == np.float32
    assert np.array_equal(first[8:16], np.zeros(8)) and np.array_equal(first[24:32], np.zeros(8))
    assert first[16:24] == pytest.approx(encoder.encode(["shelf, left", "mug, right"]).mean(axis=0))
    asked = len(encoder.asked)
    assert np.array_equal(encoding(text), first) and len(encoder.asked) == asked


# --- shifts


class GoodPicks:
    """A judge to whom every pick is good and every other thing bad; it notes what it was asked."""

    id, kind, cacheable = "good-picks", JudgeKind.BASELINE, False

    def __init__(self) -> None:
        self.asked: list[Prompt] = []

    def judge(self, prompts: Any) -> list[Judgment]:
        self.asked += prompts
        return [Judgment(Verdict.GOOD if p.facts["kind"] == "pick" else Verdict.BAD) for p in prompts]


def shifter(describer: Any) -> RewardShifter:
    return RewardShifter(describer, PromptTemplate("", "{state} {action}"), GoodPicks(), make_rule("raw", 0.5, 100))


def test_a_shifted_environment_keeps_its_metrics_and_its_own_reward() -> None:
    env = RewardShift(skills(), shifter(CandidateDescriber(skills().unwrapped.vocabulary)))
    env.reset(options={"episode": 0})
    _, reward, *_, info = env.step(candidate(env, Kind.PICK, item=MUG))
    assert (reward, info["reward"], info["shift"]) == (0.5, 0.0, 0.5)
    _, reward, *_, info = env.step(candidate(env, Kind.PLACE, receptacle=CHEST))
    assert (reward, info["reward"], info["shift"]) == (-0.5, 0.0, -0.5)
    _, reward, *_, info = env.step(candidate(env, Kind.LOOK))
    assert (reward, info["shift"]) == (0.0, 0.0)


def test_a_vector_of_environments_is_judged_in_one_batch() -> None:
    envs = gym.make_vec("lmgt/HousekeepSkills-v0", num_envs=2, episodes=[HOMES[0]], max_steps=60)
    vocabulary = skills(episodes=[HOMES[0]]).unwrapped.vocabulary
    shifted = VectorRewardShift(envs, shifter(CandidateDescriber(vocabulary)))
    shifted.reset(seed=0)
    pick = candidate(envs.envs[0], Kind.PICK, item=MUG)  # type: ignore[attr-defined]
    _, rewards, *_ = shifted.step(np.array([pick, 0]))
    assert rewards.tolist() == [0.5, 0.0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lmgt/Housekeep-v0", "lmgt/HousekeepSkills-v0"])
def test_it_runs_in_processes_of_its_own(name: str) -> None:
    extra = {"encoder": LetterCounts(), "size": 36} if name == "lmgt/Housekeep-v0" else {}
    envs = gym.make_vec(name, num_envs=2, vectorization_mode="async", episodes=HOMES, max_steps=20, **extra)
    observations, _ = envs.reset(seed=0)
    envs.action_space.seed(0)
    for _ in range(30):
        observations, *_ = envs.step(envs.action_space.sample())
    assert envs.observation_space.contains(observations)
    envs.close()


def test_the_environments_are_what_gymnasium_makes() -> None:
    assert isinstance(primitive().unwrapped, HousekeepEnv)
    assert isinstance(skills().unwrapped, HousekeepSkillsEnv)
