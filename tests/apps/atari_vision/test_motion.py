"""The last few frames side by side: the world that shows them, and who gets one image and who several."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from apps.atari_vision.describe import FrameDescriber
from apps.atari_vision.domain import AtariDomain
from apps.atari_vision.motion import LastFrames
from apps.atari_vision.one_image import OneImage
from apps.atari_vision.oracle import make_expert
from apps.atari_vision.simulator.seen import AGENT, FRAME, MEMORY
from apps.atari_vision.worlds import world
from captioners.memory import FrameMemory
from captioners.strips import BAND, apart
from lmgt_core.errors import UserError
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.testing.environment import EnvironmentContract


class TestCartPoleOfFour(EnvironmentContract):
    def make(self) -> gym.Env[Any, Any]:
        made = world("CartPole-4")
        return LastFrames(gym.make("lmgt/CartPole-v0", disable_env_checker=True), 4, made.knowledge.actions)


def test_each_frame_stands_where_the_world_showed_it() -> None:
    one, several = world("CartPole"), world("CartPole-3")
    alone, beside = one.make(), several.make()
    first, _ = alone.reset(seed=4)
    strip, _ = beside.reset(seed=4)
    shown = [first[FRAME]] * 3
    for action in (0, 1, 1, 0):
        parts = apart(strip[FRAME], 3)
        assert all(np.array_equal(p[BAND:], frame) for p, frame in zip(parts, shown, strict=True))
        assert np.array_equal(strip[AGENT], first[AGENT]) and strip[FRAME].shape[:2] == several.shape
        first, *_ = alone.step(action)
        strip, *_ = beside.step(action)
        shown = [*shown[1:], first[FRAME]]


def test_the_label_tells_the_push_that_led_to_a_frame() -> None:
    bands = []
    for push in (0, 1):
        env = world("CartPole-2").make()
        env.reset(seed=0)
        before, now = apart(env.step(push)[0][FRAME], 2)
        bands.append((before[:BAND], now[:BAND]))
    assert np.array_equal(bands[0][0], bands[1][0]) and not np.array_equal(bands[0][1], bands[1][1])


def test_a_question_shows_the_frames_and_the_expert_knows_what_is_behind_them() -> None:
    made, memory = world("CartPole-4"), FrameMemory()
    seen, _ = made.make().reset(seed=0)
    describe = FrameDescriber(made, None, memory)
    (told,) = describe([seen], [1])
    prompt = made.template().render(told)
    assert len(prompt.images) == 4 and "last moments" in prompt.user and "4" in made.question
    know = made.knowledge
    assert make_expert(made, memory)(prompt) is know.expert(know.facts(seen[MEMORY]), 1)


class Counting:
    """Notes how many images it is shown."""

    id, kind, cacheable = "counting", JudgeKind.BASELINE, False

    def judge(self, prompts: Any) -> list[Judgment]:
        return [Judgment(Verdict.NEUTRAL, reply=f"{len(p.images)} {p.images[0].shape}") for p in prompts]


def test_a_judge_of_one_image_is_shown_the_strip() -> None:
    made = world("CartPole-4")
    seen, _ = made.make().reset(seed=0)
    (told,) = AtariDomain(made).describer()([seen], [0])
    (said,) = OneImage(Counting()).judge([made.template().render(told)])
    assert said.reply == f"1 {(*made.shape, 3)}"


@pytest.mark.parametrize("name", ["CartPole-1", "CartPole-9", "CartPole-x", "Nothing-4", "Blackjack-box-0"])
def test_what_cannot_be_shown_is_one_line(name: str) -> None:
    with pytest.raises(UserError, match="NAME-4 for the last four frames"):
        world(name)
