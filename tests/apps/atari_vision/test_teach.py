"""`lmgt captioner train --architecture llava`: what is taught, what is kept for tests, and a killed training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.atari_vision import lessons, teach
from apps.atari_vision.config import CaptionerTrainConfig
from apps.atari_vision.frames import TEST, TRAIN, VALIDATION, collect, part
from apps.atari_vision.worlds import world
from captioners.models import llava_teaching
from captioners.models.llava_model import word_tokenizer
from captioners.models.llava_training import LlavaTraining
from lmgt_core.errors import UserError

QUICK = CaptionerTrainConfig(
    env="Blackjack-cards", architecture="llava", size="tiny", steps=4, batch=2, frames=4, checkpoint_every=1
)


@pytest.fixture(autouse=True)
def _few_validation_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llava_teaching, "CHECKED", 4)


def test_a_training_that_was_killed_ends_with_the_weights_of_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teach.main(replace(QUICK, out=tmp_path / "whole"))
    step = LlavaTraining.step

    def killed(training: LlavaTraining, draw: Any) -> float:
        if training.done == 2:
            raise SystemExit
        return step(training, draw)

    monkeypatch.setattr(LlavaTraining, "step", killed)
    with pytest.raises(SystemExit):
        teach.main(replace(QUICK, out=tmp_path / "broken"))
    monkeypatch.setattr(LlavaTraining, "step", step)
    with pytest.raises(UserError, match="go on with --resume"):
        teach.main(replace(QUICK, out=tmp_path / "broken"))
    teach.main(replace(QUICK, out=tmp_path / "broken", resume=True))
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "broken")]
    assert weights[0] == weights[1]
    readme = (tmp_path / "broken" / "README.md").read_text()
    assert "trained on labels" in readme and "4 held-out frames of play" in readme
    assert not list((tmp_path / "broken").glob("checkpoint*"))
    with pytest.raises(UserError, match="its training is finished"):
        teach.main(replace(QUICK, out=tmp_path / "broken", resume=True))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"architecture": "transformer"}, "choose network or llava"),
        ({"architecture": "network", "resume": True}, "is for --architecture llava"),
        ({"size": "huge"}, "choose one of tiny, mini, small"),
        ({"steps": 0}, "--steps 0"),
        ({"batch": 0}, "--batch 0"),
        ({"learning_rate": 0.0}, "between 0 and 1"),
        ({"device": "cuda:99"}, "cannot be used here"),
        ({"resume": True}, "there is no checkpoint"),
        ({"env": "Tetris"}, "no such world"),
        ({"env": "CartPole-99"}, "no such world"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        teach.main(replace(QUICK, out=tmp_path / "out", **changes))
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["Blackjack-box", "Blackjack-cards", "CartPole", "CartPole-4", "Pong", "Freeway"])
def test_lessons_are_true_and_in_the_tokenizers_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons, "POOL", 30)
    made, rng = world(name), np.random.default_rng(0)
    sample, tokenizer = lessons.sampler(made, 0), word_tokenizer(lessons.texts(made))
    for shot in sample(rng, 12):
        assert shot.image.shape == (*made.shape, 3)
        taught = lessons.example(made, shot, 0)
        assert made.phrasing.read(taught.lessons[0].answer) == made.knowledge.facts(shot.memory)
        assert len(taught.images) == made.frames
        for lesson in taught.lessons:
            for text in (lesson.system, lesson.user, lesson.answer):
                assert tokenizer.unk_token_id not in tokenizer.encode(text, add_special_tokens=False), text


def test_a_drawn_frame_is_what_its_world_shows_in_that_state() -> None:
    """Frames that lessons draw and frames of play of the same kind are pixel by pixel the same."""
    made = world("Blackjack-box")
    drawn, sample, rng = {}, lessons.sampler(made, 0), np.random.default_rng(0)
    for shot in sample(rng, 400):
        drawn[shot.image.tobytes()] = tuple(int(n) for n in shot.memory)
    played = collect(made, 60, 3)
    both = [(drawn[i.tobytes()], tuple(m)) for i, m in zip(played.images, played.memories, strict=True)
            if i.tobytes() in drawn]  # fmt: skip
    assert len(both) >= 5 and all(one == other for one, other in both)


def test_no_lesson_shows_what_tests_ask_about() -> None:
    made, rng = world("Blackjack-cards"), np.random.default_rng(0)
    taught, checked = lessons.draw(made, 0), lessons.draw(made, 0, VALIDATION)
    assert {part(one.images[0]) for one in taught(rng, 20)} == {TRAIN}
    assert {part(one.images[0]) for one in checked(rng, 5)} == {VALIDATION}
    asked = collect(made, 10, 5, wanted=TEST)
    assert {part(image) for image in asked.images} == {TEST}


def test_some_card_pictures_are_never_taught() -> None:
    rng = np.random.default_rng(0)
    names = {lessons._card(rng)[1] for _ in range(3000)}
    assert len(names) == 4 * 12 - 5 and not names & set(lessons.UNTAUGHT)
