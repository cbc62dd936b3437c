"""`lmgt housekeep captioner`: what a LLaVA of homes is taught, and that the folder answers in both roles."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.housekeep.compare import command, teach
from apps.housekeep.compare.words import HomeWords
from apps.housekeep.config import CaptionerConfig, CompareConfig
from apps.housekeep.episodes.load import load_many
from captioners.models import llava_teaching
from captioners.models.llava_model import word_tokenizer
from captioners.models.llava_training import Example
from lmgt_core.errors import UserError

HOME = ("builtin:train_home_1",)
QUICK = CaptionerConfig(
    episodes=HOME, select="98:", train_select=":8", size="tiny", steps=2, batch=2, frames=20, train_frames=20, pixels=48
)


@pytest.fixture(scope="module")
def views() -> Any:
    asked, taught = (load_many(HOME, some, False) for some in (QUICK.select, QUICK.train_select))
    return teach.played(QUICK, asked, taught)


def test_views_of_the_three_parts_are_all_different(views: Any) -> None:
    digests = [view.digest for part in views for view in part]
    assert [len(part) for part in views] == [20, 2, 20] and len(set(digests)) == len(digests)


def test_captions_name_all_that_is_in_view_and_verdicts_are_the_true_ones(views: Any) -> None:
    episodes = load_many(HOME, None, False)
    words = HomeWords(episodes)
    for view in views[0]:
        said = words.read(teach.caption(view))
        assert set(view.seen.objects) <= said.objects and view.seen.furniture <= said.furniture
        assert words.read(teach.movable(view)).on == {thing: said.on[thing] for thing in said.on}
    rng = np.random.default_rng(0)
    drawn: list[Example] = teach.draw(views[0], teach.asked_about())(rng, 50)
    labels = {question.label.value for view in views[0] for question in view.questions}
    assert {one.lessons[1].answer for one in drawn} <= labels


def test_all_lessons_are_in_the_tokenizers_words_and_so_are_other_homes(views: Any) -> None:
    render = teach.asked_about()
    here = load_many(HOME, ":2", False)
    tokenizer = word_tokenizer(teach.texts(QUICK, here, render, views[0]))
    there = {item.category for episode in load_many(("builtin:val",), ":2", False) for item in episode.items}
    said = [f"In view: {name.replace('_', ' ')} on the bed in the bedroom; bed in the bedroom." for name in there]
    for one in [teach.example(view, 0, render) for view in views[0]]:
        said += [text for lesson in one.lessons for text in (lesson.system, lesson.user, lesson.answer)]
    for text in said:
        assert tokenizer.unk_token_id not in tokenizer.encode(text, add_special_tokens=False), text


@pytest.mark.slow
def test_the_folder_captions_and_judges_in_a_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llava_teaching, "CHECKED", 4)
    teach.main(replace(QUICK, out=tmp_path / "home"))
    readme = (tmp_path / "home" / "README.md").read_text()
    assert "trained on labels" in readme and "20 held-out frames" in readme
    rows = command.main(
        CompareConfig(
            episodes=HOME,
            select="98:",
            train_select=":8",
            size=48,
            frames=20,
            train_frames=20,
            caption=f"llava:{tmp_path / 'home'}",
            direct=f"hf:{tmp_path / 'home'}",
            out=tmp_path / "compared",
        )
    )
    assert [bool(row["missing"]) for row in rows[:2]] == [False, False]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train_select": "90:"}, "both take episode"),
        ({"frames": 3}, "at least 20"),
        ({"size": "huge"}, "choose one of tiny"),
        ({"train_select": ":1"}, "give at least 2"),
    ],
    ids=["same episodes", "few frames", "size", "one episode"],
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        teach.main(replace(QUICK, out=tmp_path / "out", **changes))
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()
