"""A LLaVA of transformers' own class, tiny and trained for a few steps: everything is real but its worth."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captioners.captioner import CaptionerError
from captioners.models.llava import load
from captioners.models.llava_folder import save_folder
from captioners.models.llava_model import word_tokenizer
from captioners.models.llava_training import CHECKPOINT, Example, Lesson, LlavaSettings, LlavaTraining
from captioners.registry import CaptionerContext, make_captioner
from captioners.strips import BAND, apart, labelled, strip_shape, together
from lmgt_core.errors import UserError
from lmgt_core.judges.huggingface.loading import TAUGHT
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge

DESCRIBE, JUDGE = "What colour is it?", "Red is good, blue is bad. Is it good or bad?"
ANSWERS = {0: ("It's red; nothing else.", "good"), 2: ("It's blue; nothing else.", "bad")}
SETTINGS = LlavaSettings(size="tiny", steps=60, batch=16, learning_rate=4e-3)


def example(rng: np.random.Generator, images: int = 1) -> Example:
    """Noise that is red or blue, described and judged."""
    colour = int(rng.choice([0, 2]))
    seen = rng.integers(0, 60, (images, 20, 30, 3), dtype=np.uint8)
    seen[..., colour] += 180
    said, verdict = ANSWERS[colour]
    return Example(tuple(seen), (Lesson("", DESCRIBE, said), Lesson("Judge.", JUDGE, verdict)))


def examples(rng: np.random.Generator, count: int) -> list[Example]:
    return [example(rng) for _ in range(count)]


def texts() -> list[str]:
    return [DESCRIBE, "Judge.", JUDGE, *(words for answer in ANSWERS.values() for words in answer)]


def taught(steps: int, settings: LlavaSettings = SETTINGS) -> LlavaTraining:
    training = LlavaTraining(texts(), settings)
    for _ in range(steps):
        training.step(examples)
    return training


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model's folder."""
    folder = tmp_path_factory.mktemp("llava") / "colours"
    training = taught(SETTINGS.steps)
    assert training.exact([example(np.random.default_rng(i)) for i in range(20)]) == [1.0, 1.0]
    save_folder(training.model, training.processor, folder, "colours", 1)
    return folder


def test_a_plain_script_of_transformers_reads_the_folder(folder: Path) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor, LlavaForConditionalGeneration

    model = AutoModelForImageTextToText.from_pretrained(folder)
    processor = AutoProcessor.from_pretrained(folder)  # type: ignore[no-untyped-call]
    assert type(model) is LlavaForConditionalGeneration
    turns = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": DESCRIBE}]}]
    text = processor.apply_chat_template(turns, add_generation_prompt=True)
    for seed in range(6):
        shown = example(np.random.default_rng(seed))
        inputs = processor(text=text, images=list(shown.images), return_tensors="pt")
        written = model.generate(**inputs, max_new_tokens=20, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        assert processor.decode(written, skip_special_tokens=True) == shown.lessons[0].answer


def test_the_same_folder_describes_and_judges_and_says_that_it_saw_labels(folder: Path) -> None:
    shown = [example(np.random.default_rng(seed)) for seed in range(6)]
    captioner = make_captioner(f"llava:{folder}", CaptionerContext("colours", DESCRIBE))
    assert captioner.caption(np.stack([s.images[0] for s in shown])) == [s.lessons[0].answer for s in shown]
    assert captioner.id.split(":prompt")[0].endswith(":trained on labels:96")
    judge = make_judge(f"hf:{folder}", JudgeContext("colours"))
    assert judge is not None and judge.kind is JudgeKind.TRAINED
    said = judge.judge([Prompt("Judge.", JUDGE, s.images) for s in shown])
    assert [judgment.verdict.value for judgment in said] == [s.lessons[1].answer for s in shown]


def test_a_killed_training_goes_on_with_the_same_numbers(tmp_path: Path) -> None:
    whole = taught(6)
    taught(3).save_checkpoint(tmp_path)
    resumed = LlavaTraining(texts(), SETTINGS)
    resumed.load_checkpoint(tmp_path)
    assert resumed.done == 3
    for _ in range(3):
        resumed.step(examples)
    for (name, ours), theirs in zip(resumed.model.state_dict().items(), whole.model.state_dict().values(), strict=True):
        assert ours.equal(theirs), name


def test_other_settings_do_not_go_on_with_a_checkpoint(tmp_path: Path) -> None:
    taught(1).save_checkpoint(tmp_path)
    other = LlavaTraining(texts(), replace(SETTINGS, batch=4))
    with pytest.raises(CaptionerError, match="was begun with batch 16; resume with the same"):
        other.load_checkpoint(tmp_path)


@pytest.mark.parametrize("cut", [100, 5000])
def test_a_damaged_checkpoint_is_one_line(tmp_path: Path, cut: int) -> None:
    training = taught(1)
    training.save_checkpoint(tmp_path)
    (tmp_path / CHECKPOINT).write_bytes((tmp_path / CHECKPOINT).read_bytes()[:-cut])
    with pytest.raises(CaptionerError, match="a damaged checkpoint") as error:
        training.load_checkpoint(tmp_path)
    assert "\n" not in str(error.value)


def test_another_seed_is_another_model() -> None:
    one, other = (next(iter(taught(1, replace(SETTINGS, seed=seed)).model.parameters())) for seed in (0, 1))
    assert not one.equal(other)


def test_another_world_cannot_use_it(folder: Path) -> None:
    with pytest.raises(CaptionerError, match="was trained for colours, not for shapes"):
        make_captioner(f"llava:{folder}", CaptionerContext("shapes", DESCRIBE))


def test_a_folder_that_does_not_say_what_it_was_taught_is_refused(tmp_path: Path) -> None:
    (tmp_path / TAUGHT).write_text(json.dumps({"world": "colours"}))
    with pytest.raises(UserError, match="does not say what the model was trained for"):
        load(str(tmp_path), {}, DESCRIBE)


def test_a_model_of_two_frames_looks_at_both_halves_of_a_strip(tmp_path: Path) -> None:
    training = LlavaTraining(texts(), SETTINGS)
    training.step(lambda rng, count: [example(rng, images=2) for _ in range(count)])
    save_folder(training.model, training.processor, tmp_path / "two", "colours", 2)
    captioner = load(str(tmp_path / "two"), {"max_tokens": "3"}, DESCRIBE, "colours")
    strips = np.stack([np.hstack(example(np.random.default_rng(i), images=2).images) for i in range(3)])
    assert captioner.frames == 2 and len(captioner.caption(strips)) == 3


@pytest.mark.parametrize(
    "text", ["The player's cards sum to 14; an ace (11).", "  two  spaces\nand a line", "0.4 to 1.2 m", ""]
)
def test_what_the_tokenizer_decodes_is_what_it_encoded(text: str) -> None:
    tokenizer = word_tokenizer([text])
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_a_strip_comes_apart_into_its_frames() -> None:
    rng = np.random.default_rng(0)
    frames = [labelled(rng.integers(0, 255, (10, 80, 3), dtype=np.uint8), f"{age} ago") for age in (2, 1, 0)]
    strip = together(frames)
    assert strip.shape[:2] == strip_shape((10, 80), 3) == (10 + BAND, 240)
    for part, frame in zip(apart(strip, 3), frames, strict=True):
        assert np.array_equal(part, frame)
    assert not np.array_equal(frames[0][:BAND], np.full((BAND, 80, 3), 255)) and apart(strip, 1)[0] is strip
