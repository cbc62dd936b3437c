"""Frames in words: who speaks is named, what the hand holds is added, and a model is not asked for every picture."""

from pathlib import Path

import pytest

from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.task import Task
from apps.housekeep.watch.command import Recorder
from apps.housekeep.watch.frame_captions import PROMPT, FrameCaptioner, make_frame_captioner
from apps.housekeep.watch.screen import Screen
from captioners.captioner import Caption, CaptionFailure, Images
from lmgt_core.errors import UserError
from tests.apps.housekeep.small_home import MUG, home, instance
from tests.apps.housekeep.watch.test_watch import TIDYING, Shelf


class Counting:
    """Sees how bright a picture is, and counts what it was asked; fails on black pictures."""

    privileged, id = False, "counting:1:prompt=abc"

    def __init__(self) -> None:
        self.asked = 0

    def caption(self, images: Images) -> list[Caption]:
        self.asked += len(images)
        return [f"Brightness {image.mean():.0f}." if image.any() else CaptionFailure("all black") for image in images]


def task() -> Task:
    started = Task(MujocoSimulator((40, 40)))
    started.reset(home())
    return started


def test_the_objects_captioner_reads_the_semantic_sensor_and_says_so() -> None:
    here, captioner = task(), make_frame_captioner("objects")
    said = captioner.caption(here, here.simulator.render())
    assert isinstance(said, str) and "mug" in said and said.endswith("The hand is empty.")
    assert captioner.privileged and captioner.label == "semantic sensor"


def test_a_model_sees_only_the_picture_and_the_hand_is_added() -> None:
    here, captioner = task(), FrameCaptioner(Counting())
    here.simulator.grab_release(instance(MUG))
    frame = here.simulator.render()
    assert captioner.caption(here, frame) == f"Brightness {frame.rgb.mean():.0f}. The hand holds the mug."
    assert not captioner.privileged and captioner.label == "counting:1"


def test_a_failed_caption_stays_a_failure() -> None:
    here = task()
    frame = here.simulator.render()
    frame.rgb[:] = 0
    said = FrameCaptioner(Counting()).caption(here, frame)
    assert isinstance(said, CaptionFailure) and said.reason == "all black"


def test_a_video_asks_a_model_once_a_skill() -> None:
    here, pictures, remaining, seer = task(), Shelf(), iter(TIDYING), Counting()
    screen = Screen(120, "small home", "a judge")
    recorder = Recorder(here, screen, None, pictures, lambda steps: None, FrameCaptioner(seer))
    recorder.play(lambda task, options: next(remaining, None))
    assert 1 < seer.asked <= len(TIDYING) + 3 < recorder.pictures


def test_an_unknown_captioner_is_one_line_with_the_choices() -> None:
    with pytest.raises(UserError, match=r"--captioner.*llava"):
        make_frame_captioner("nobody:x")
    with pytest.raises(UserError, match="--captioner"):
        make_frame_captioner("llava:")


def test_the_prompt_asks_for_objects_furniture_room_and_hand() -> None:
    text = PROMPT.read_text()
    assert all(word in text for word in ("objects", "furniture", "room", "hand"))


@pytest.mark.slow
def test_a_tiny_llava_captions_a_frame(tmp_path: Path) -> None:
    from tests.lmgt_core.tiny_models import save_tiny_llava

    captioner = make_frame_captioner(f"llava:{save_tiny_llava(tmp_path / 'llava')}?max_tokens=4")
    here = Task(MujocoSimulator((64, 64)))
    here.reset(home())
    said = captioner.caption(here, here.simulator.render())
    assert isinstance(said, str | CaptionFailure) and not captioner.privileged
    assert said == captioner.caption(here, here.simulator.render())
