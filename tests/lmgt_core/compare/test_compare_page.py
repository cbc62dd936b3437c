"""The page of a comparison: what stands on it, in which order, and that nothing of it is markup or fetched."""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Picture

from lmgt_core.compare import page
from lmgt_core.compare.arms import CAPTION, DIRECT, Answers, Arm, Shown
from lmgt_core.compare.measure import measure, row
from lmgt_core.compare.page import by_figure, png_url, said, worst_first, write_figures, write_page
from lmgt_core.errors import UserError
from lmgt_core.judging.judgment import Judgment, Verdict

GOOD, BAD = Verdict.GOOD, Verdict.BAD
YES, NO = Judgment(GOOD, (0.9, 0.0, 0.1)), Judgment(BAD, (0.2, 0.0, 0.8))
ACTIONS = ("go left", "go right")
HOSTILE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """A page's tags, its words, and what it refers to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.sources: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(count: int = 3) -> list[Shown]:
    """Pictures of one colour each in which going left is good and going right is bad."""
    return [Shown(np.full((20, 30, 3), 40 * i, np.uint8), f"truth {i}", ACTIONS, (GOOD, BAD)) for i in range(count)]


def heard(
    name: str, judgments: Sequence[tuple[Judgment, ...]], captions: Sequence[str] = (), reason: str = ""
) -> Answers:
    arm = Arm(name, CAPTION if captions else DIRECT, f"about {name}", reasons={0: reason} if reason else {})
    exact = np.array([c == f"truth {i}" for i, c in enumerate(captions)]) if captions else None
    return Answers(arm, tuple(captions), exact, tuple(judgments), None, (), 0.5, 0.25, 7.0, 3.0)


MIXED = heard("caption:x", [(YES, NO), (NO, YES), (YES, YES)], ["truth 0", "wrong words", "truth 2"])
SEEING = heard("direct:y", [(YES, NO), (YES, NO), (YES, NO)])


def rows(answers: Sequence[Answers], pictures: Sequence[Shown]) -> list[dict[str, object]]:
    return [row(a.arm.name, len(pictures), a, measure(a, pictures, np.random.default_rng(0)), []) for a in answers]


def made(tmp_path: Path, answers: Sequence[Answers] = (MIXED, SEEING), **rest: object) -> Page:
    out = tmp_path / "new" / "report.html"
    given = {"missing": [], "rows": rows(answers, shown()), **rest}
    write_page(out, "Three pictures", shown(), answers, **given)  # type: ignore[arg-type]
    return Page(out)


def test_pictures_stand_worst_first_beside_caption_verdict_and_truth(tmp_path: Path) -> None:
    found = made(tmp_path)
    assert re.findall(r"Picture (\d)\s+(\d) of 4 answers wrong", found.text) == [("1", "2"), ("2", "1"), ("0", "0")]
    assert all(words in found.text for words in ("truth 1", "wrong words", "go left", "good 0.90", "bad 0.80"))
    assert found.text.count("✗") == 4  # three wrong verdicts and a wrong caption


def test_among_equal_answers_a_wrong_caption_is_worse() -> None:
    right = (YES, NO)
    answers = [heard("a", [right] * 3, ["truth 0", "truth 1", "nonsense"])]
    assert worst_first(shown(), answers) == [2, 0, 1]


def test_an_arms_share_of_a_picture_counts_not_its_number_of_questions() -> None:
    """One of one wrong is worse than one of two."""
    pictures = [*shown(1), Shown(np.zeros((2, 2, 3), np.uint8), "t", ("stay",), (GOOD,))]
    assert worst_first(pictures, [heard("a", [(YES, YES), (NO,)])]) == [1, 0]


def test_nothing_on_the_page_is_fetched_or_run(tmp_path: Path) -> None:
    found = made(tmp_path)
    assert len(found.sources) == 4 and all(s.startswith("data:image/") for s in found.sources)
    assert not {"script", "link", "iframe", "object", "a"} & set(found.tags)


def test_words_of_models_files_and_titles_stay_words(tmp_path: Path) -> None:
    unread = Judgment(Verdict.UNREADABLE, reason=HOSTILE)
    pictures = [Shown(np.zeros((4, 4, 3), np.uint8), HOSTILE, (HOSTILE,), (GOOD,))]
    answers = [heard(HOSTILE, [(unread,)], [HOSTILE]), heard("b", [(unread,)], [""], reason=HOSTILE)]
    lacking = [Arm(HOSTILE, DIRECT, missing=HOSTILE)]
    trained = [{"arm": HOSTILE, "return_mean": 1.0, "return_ci95": (0.5, 1.5)}]
    out = tmp_path / "r.html"
    write_page(
        out, HOSTILE, pictures, answers, lacking, [*rows(answers, pictures), {HOSTILE: 1, "arm": HOSTILE}], trained
    )
    found = Page(out)
    assert "script" not in found.tags and found.text.count(HOSTILE) > 12
    assert "<script" not in out.read_text()


def test_a_missing_arm_is_named_with_the_line_that_would_supply_it(tmp_path: Path) -> None:
    lacking = Arm("direct:hf:z", DIRECT, missing="pip install z")
    found = made(
        tmp_path,
        missing=[lacking],
        rows=[*rows([MIXED], shown()), row(lacking.name, 0, None, None, [], "pip install z")],
    )
    assert "direct:hf:z is missing: pip install z" in found.text
    assert made(tmp_path, answers=(), missing=[lacking], rows=[]).text.count("No arm could answer") == 1


def test_returns_have_a_table_and_a_figure(tmp_path: Path) -> None:
    assert "Trainings" not in made(tmp_path).text
    found = made(tmp_path, returns=[{"arm": "none", "return_mean": 3.25, "return_ci95": None, "seeds": 1}])
    assert "3.250" in found.text and "Trainings" in found.text and len(found.sources) == 5


def test_a_picture_without_a_caption_says_why(tmp_path: Path) -> None:
    silent = Judgment(Verdict.UNREADABLE, reason="the picture has no caption: too dark")
    answers = heard("caption:x", [(YES, NO), (YES, NO), (silent, silent)], ["truth 0", "truth 1", ""])
    assert "no caption: the picture has no caption: too dark" in made(tmp_path, answers=(answers,)).text


def test_the_worst_are_kept_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PICTURES", 2)
    found = made(tmp_path)
    assert "2 of 3 pictures" in found.text and "Picture 1" in found.text and "Picture 0" not in found.text


def test_what_is_privileged_or_trained_is_said_beside_every_picture(tmp_path: Path) -> None:
    seeing = heard("direct:y", [(YES, NO)] * 3)
    seeing = replace(seeing, arm=replace(seeing.arm, about="trained on labels by an oracle (privileged)"))
    found = made(tmp_path, answers=(MIXED, seeing))
    assert found.text.count("direct:y [privileged, on labels]") == 3 and "caption:x [" not in found.text


def test_figures_that_no_arm_has_are_left_out_and_arms_are_columns() -> None:
    turned = by_figure([{"arm": "a", "auc": 0.5, "note": ""}, {"arm": "b", "auc": None, "extra": 2}])
    assert turned == [{"": "auc", "a": 0.5, "b": None}, {"": "extra", "a": None, "b": 2}]


@pytest.mark.parametrize(
    ("judgment", "words"),
    [
        (YES, "good 0.90"),
        (Judgment(BAD), "bad"),
        (NO.abstain("not sure"), "bad 0.80 (abstained: not sure)"),
        (Judgment(Verdict.UNREADABLE, reason="empty"), "unreadable: empty"),
    ],
)
def test_a_judgment_in_words(judgment: Judgment, words: str) -> None:
    assert said(judgment) == words


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300), st.integers(1, 300))
def test_pictures_are_whole_when_small_and_shrunk_in_proportion_when_large(height: int, width: int) -> None:
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    content = base64.b64decode(png_url(image).removeprefix("data:image/png;base64,"))
    with Picture.open(io.BytesIO(content)) as drawn:
        size = drawn.size
        if max(height, width) <= page.SIDE:
            assert np.array_equal(np.asarray(drawn), image)
    assert max(size) == min(max(height, width), page.SIDE)
    assert size[0] * height == pytest.approx(size[1] * width, abs=max(height, width))


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_page(tmp_path / "file" / "r.html", "t", shown(), [MIXED], [], rows([MIXED], shown()))


def test_figures_name_every_measured_arm_and_what_is_privileged(tmp_path: Path) -> None:
    measured = rows([MIXED, SEEING], shown())
    measured[0]["about"] = "objects (privileged), judged by oracle"
    missing = {"arm": "caption:away", "judgment_accuracy": None, "return_mean": None}
    assert [path.name for path in write_figures(tmp_path, [*measured, missing])] == ["arms.svg"]
    drawn = (tmp_path / "arms.svg").read_text()
    assert "caption:x [privileged]" in drawn and "direct:y" in drawn and "caption:away" not in drawn
    measured[1] |= {"return_mean": 1.5, "return_ci95": (1.0, 2.0)}
    assert [path.name for path in write_figures(tmp_path, measured)] == ["arms.svg", "returns.svg"]
    assert write_figures(tmp_path / "none", [missing]) == [] and not (tmp_path / "none").exists()
