"""What atari's domain lends to guidance: captions, audits, typed questions, and a study's cells."""

from pathlib import Path

import pytest
from PIL import Image

from apps.atari_vision import frames, questions
from apps.atari_vision.config import TrainConfig
from apps.atari_vision.describe import ACTION, IN_THE_PICTURE
from apps.atari_vision.domain import AtariDomain, guided, make_domain
from apps.atari_vision.frames import Frames, collect
from apps.atari_vision.questions import labelled
from apps.atari_vision.simulator.blackjack import draw_cards
from apps.atari_vision.study import APP
from apps.atari_vision.worlds import World, world
from captioners.captioner import Caption, Images
from lmgt_core.errors import UserError
from lmgt_core.guidance.background import BackgroundShifts
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.judging.judgment import Verdict


class CountingCaptioner:
    """Says the same of every frame, and counts the batches that it was given."""

    id, privileged = "counting", False

    def __init__(self) -> None:
        self.batches: list[int] = []

    def caption(self, images: Images) -> list[Caption]:
        self.batches.append(len(images))
        return ["The pole stands."] * len(images)


def test_frames_of_a_batch_are_captioned_together_and_once(tmp_path: Path) -> None:
    made, captioner = world("CartPole"), CountingCaptioner()
    domain = AtariDomain(made, captioner, captions=tmp_path / "captions.sqlite")
    guidance = guided(domain, JudgeConfig("random", gate=False), tmp_path / "judgments.sqlite")
    env = made.make()
    seen = [env.reset(seed=seed)[0] for seed in range(4)]
    for _ in range(2):  # the second time all captions are in the file
        source = guidance.shifts(0, 8)
        assert isinstance(source, RewardShifter)
        shifts = source(seen + seen[:1], [0, 1, 0, 1, 1])
        assert len(shifts.delta) == 5 and all(j is not None for j in shifts.judgments)
    assert captioner.batches == [4]


def test_captions_are_kept_in_the_background_too(tmp_path: Path) -> None:
    """SQLite's connections belong to a thread, so the file is opened in the one that judges."""
    made, captioner = world("CartPole"), CountingCaptioner()
    domain = AtariDomain(made, captioner, captions=tmp_path / "captions.sqlite")
    guidance = guided(domain, JudgeConfig("random", gate=False, judge_ahead=True), tmp_path / "judgments.sqlite")
    source = guidance.shifts(0, 8)
    assert isinstance(source, BackgroundShifts)
    observation, _ = made.make().reset(seed=0)
    for action in (0, 1):
        source.resolve(source.submit([observation], [action]))
    source.close()
    assert captioner.batches == [1]


def test_nothing_is_captioned_for_a_judge_that_is_silent() -> None:
    made, captioner = world("CartPole"), CountingCaptioner()
    observation, _ = made.make().reset(seed=0)
    (description,) = AtariDomain(made, captioner).describer(silent=True)([observation], [0])
    assert description.images and not captioner.batches


def test_the_audit_asks_about_as_many_good_as_bad_actions() -> None:
    domain = make_domain("Pong:objects")
    labels = [label for _, _, label in labelled("Pong", 120).questions]
    assert labels.count(Verdict.GOOD) == labels.count(Verdict.BAD) > 5
    few = AtariDomain(domain.world, domain.captioner, domain.memory, audit_questions=120)
    assert guided(few, JudgeConfig("oracle"), None).audited().audit["accuracy"] == 1.0


def test_an_audit_of_a_world_with_few_frames_asks_about_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def few(made: World, count: int, seed: int, least: int) -> Frames:
        return collect(made, min(count, 42), seed, least=least)

    monkeypatch.setattr(questions, "collect", few)
    assert 20 < len(labelled("Blackjack-box", 777).images) <= 42


def test_fewer_frames_than_wanted_are_an_error_only_below_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MOST", 1)
    made = world("Blackjack-box")
    half = frozenset(sorted(collect(made, 40, 0).digests)[:20])
    assert 1 <= len(collect(made, 40, 0, half, least=1).images) < 40
    with pytest.raises(UserError, match=r"showed only \d+ new frames of 40"):
        collect(made, 40, 0, half)


def test_a_picture_can_be_asked_about(tmp_path: Path) -> None:
    file = tmp_path / "cards.png"
    Image.fromarray(draw_cards("9H", ["2C", "JS", "4D"])).save(file)
    seen = make_domain("Blackjack-cards").read(str(file), "hit")
    assert seen.state == IN_THE_PICTURE and len(seen.images) == 1
    read = make_domain("Blackjack-cards:ocr").read(str(file), "hit")
    assert "sum to 16" in read.state and not read.images and read.facts[ACTION] == seen.action
    with pytest.raises(UserError, match="reads a running game's memory"):
        make_domain("Blackjack-cards:objects").read(str(file), "hit")
    with pytest.raises(UserError, match="no such file"):
        make_domain("Blackjack-cards").read("the player has 16", "hit")


def test_judges_that_only_read_are_refused_where_frames_are_shown() -> None:
    with pytest.raises(UserError, match="reads text only and cannot see frames"):
        guided(make_domain("CartPole"), JudgeConfig("minilm"), None)
    assert guided(make_domain("CartPole:objects"), JudgeConfig("minilm"), None).kind == (
        "embedding model on privileged captions"
    )


def test_a_studys_cell_is_a_training() -> None:
    defaults = {name: field.default for name, field in APP.fields.items()}
    short = "train_freq=32 gradient_steps=2 learning_starts=32"
    settings = defaults | {"accuracy": 0.8, "steps": 64, "evaluation_episodes": 2, "set": short}
    APP.check(settings)
    result = APP.run(settings, 0)
    assert result["judgments"] == 64 and set(result) == {*APP.metrics, "train_seconds"}
    with pytest.raises(UserError, match="--set speed"):
        APP.check(settings | {"set": "speed=9"})
    assert all(name in {*vars(TrainConfig()), "accuracy"} for name in APP.fields)
