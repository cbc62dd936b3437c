"""Judges distilled on frames, and the figures of a comparison, against answers counted by hand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lmgt_core.compare.arms import CAPTION, Arm, Shown, answer
from lmgt_core.compare.measure import agreement, correct, measure, row
from lmgt_core.distill.frames import FrameSettings, distill_frames
from lmgt_core.errors import UserError
from lmgt_core.judges.distilled_frames import ACTION, FrameJudge, FrameStudent, load_frame_judge, save_frame_student
from lmgt_core.judges.oracle import OracleJudge
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.testing.judge import JudgeContract

GOOD, BAD = Verdict.GOOD, Verdict.BAD
ACTIONS = ("go left", "go right")


def frame(bright: str, seed: int) -> np.ndarray:
    """16 x 24 pixels of noise, one half brighter."""
    image = np.random.default_rng(seed).integers(0, 90, (16, 24, 3), dtype=np.uint8)
    image[:, slice(0, 12) if bright == "left" else slice(12, 24)] += 120
    return image


def questions(count: int, seed: int = 0) -> list[Prompt]:
    sides = np.random.default_rng(seed).choice(["left", "right"], count)
    frames = [frame(side, seed * 1000 + i) for i, side in enumerate(sides)]
    return [Prompt("s", "u", (image,), {ACTION: action}) for image in frames for action in ACTIONS]


def truth(prompt: Prompt) -> Verdict:
    image = prompt.images[0]
    left = image[:, :12].mean() > image[:, 12:].mean()
    return GOOD if (prompt.facts[ACTION] == "go left") == left else BAD


@pytest.fixture(scope="module")
def student() -> FrameStudent:
    settings = FrameSettings(epochs=8, batch=16)
    made = distill_frames(OracleJudge(truth, "test", "x"), questions(80), np.random.default_rng(0), settings)
    assert made.agreement > 0.95 and made.judgments == 128
    return made.student


class TestFrameJudge(JudgeContract):
    @pytest.fixture(autouse=True)
    def _taught(self, student: FrameStudent) -> None:
        self.student = student

    def make_judge(self) -> Judge:
        return FrameJudge(self.student)

    def prompts(self) -> Sequence[Prompt]:
        return questions(5, seed=3)

    def test_it_judges_frames_that_it_has_not_seen_as_its_teacher_does(self) -> None:
        asked = questions(30, seed=7)
        said = [j.verdict for j in self.make_judge().judge(asked)]
        assert np.mean([s is truth(p) for s, p in zip(said, asked, strict=True)]) > 0.95

    def test_words_alone_are_unreadable_and_a_foreign_frame_is_abstained_from(self) -> None:
        words, small, action = self.make_judge().judge(
            [
                Prompt("s", "u", facts={ACTION: "go left"}),
                Prompt("s", "u", (np.zeros((4, 4, 3), np.uint8),), {ACTION: "go left"}),
                Prompt("s", "u", (frame("left", 1),), {ACTION: "fly"}),
            ]
        )
        assert words.verdict is Verdict.UNREADABLE and "one frame" in words.reason
        assert small.abstained and "24x16" in small.reason and action.abstained

    def test_a_file_gives_the_same_judge_back_and_a_damaged_one_is_named(self, tmp_path: Path) -> None:
        save_frame_student(self.student, tmp_path / "judge")
        assert load_frame_judge(tmp_path / "judge").id == self.make_judge().id
        (tmp_path / "judge").write_bytes((tmp_path / "judge").read_bytes()[:-300])
        with pytest.raises(UserError, match="damaged"):
            load_frame_judge(tmp_path / "judge")


def test_a_teacher_that_answers_little_teaches_nothing() -> None:
    with pytest.raises(UserError, match="answered about 5 frames; distilling takes 20"):
        distill_frames(OracleJudge(truth, "test", "x"), questions(5), np.random.default_rng(0))


class Reader:
    """Calls going where the caption says good; `deaf` to one caption, which it always calls bad."""

    id, kind, cacheable = "reader", JudgeKind.BASELINE, False

    def __init__(self, deaf: str = "") -> None:
        self.deaf = deaf

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        return [self._one(p.facts["caption"], p.facts[ACTION]) for p in prompts]

    def _one(self, caption: str, action: str) -> Judgment:
        if not caption:
            return Judgment(Verdict.UNREADABLE, reason="no caption")
        good = caption in action and caption != self.deaf
        return Judgment(GOOD, (0.9, 0.0, 0.1)) if good else Judgment(BAD, (0.1, 0.0, 0.9))


SHOWN = [
    Shown(np.zeros((2, 2, 3), np.uint8), side, ACTIONS, (GOOD, BAD) if side == "left" else (BAD, GOOD))
    for side in ("left", "left", "right", "right")
]


def arm(name: str, captions: list[str], judge: Judge) -> Arm:
    def render(picture: int, caption: str, action: int) -> Prompt:
        return Prompt("", "", facts={ACTION: ACTIONS[action], "caption": caption})

    return Arm(name, CAPTION, judge=judge, read=lambda images: captions, render=render)


def test_what_was_lost_adds_up_to_the_accuracy() -> None:
    """One caption is wrong (2 questions of 8), one missing (2), and the judge is deaf to `right` (1 of the rest)."""
    answers = answer(arm("a", ["left", "right", "right", ""], Reader(deaf="right")), SHOWN, Reader())
    got = measure(answers, SHOWN, np.random.default_rng(0))
    assert got.caption_exact == 0.5 and got.answered == 0.75
    assert got.lost_in_caption == 0.5 and got.lost_in_judging == 1 / 8 and got.gained_by_luck == 1 / 8
    assert got.lost_in_judging is not None and got.lost_in_caption is not None and got.gained_by_luck is not None
    assert got.judgment_accuracy == 1 - got.lost_in_caption - got.lost_in_judging + got.gained_by_luck == 0.5
    assert correct(answers.judgments, SHOWN).tolist() == [True, True, False, True, True, False, False, False]


def test_perfect_captions_and_a_perfect_judge_lose_nothing() -> None:
    answers = answer(arm("a", ["left", "left", "right", "right"], Reader()), SHOWN, Reader())
    got = measure(answers, SHOWN, np.random.default_rng(0))
    assert (got.judgment_accuracy, got.auc, got.lost_in_caption, got.lost_in_judging) == (1.0, 1.0, 0.0, 0.0)


def test_a_missing_arm_has_a_row_that_names_what_it_needs() -> None:
    line = row("direct:hf:x", 4, None, None, [], missing="pip install y")
    assert line["missing"] == "pip install y" and line["auc"] is None and line["return_mean"] is None


def test_rows_hold_the_promised_columns_first() -> None:
    answers = answer(arm("a", ["left"] * 4, Reader()), SHOWN, Reader())
    line = row("a", 4, answers, measure(answers, SHOWN, np.random.default_rng(0)), [1.0, 3.0])
    assert list(line)[:10] == [
        "arm", "frames", "caption_exact", "judgment_accuracy", "auc", "auc_ci95", "seconds_per_judgment",
        "return_mean", "return_ci95", "missing",
    ]  # fmt: skip
    assert line["return_mean"] == 2.0 and line["return_ci95"] == (1.0, 3.0)


def test_agreement_counts_equal_verdicts() -> None:
    one = answer(arm("one", ["left"] * 4, Reader()), SHOWN)
    two = answer(arm("two", ["left", "left", "right", "right"], Reader()), SHOWN)
    assert agreement([one, two])[0] == {"arm": "one", "one": 1.0, "two": 0.5}
