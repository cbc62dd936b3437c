"""`lmgt atari compare`, on few frames, and the small network of `lmgt captioner train`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.atari_vision.compare import command as compare
from apps.atari_vision.compare.command import main
from apps.atari_vision.config import CaptionerTrainConfig, CompareConfig, TrainConfig
from apps.atari_vision.domain import AtariDomain
from apps.atari_vision.frames import Frames, collect
from apps.atari_vision.teach import main as train_command
from apps.atari_vision.worlds import World, world
from lmgt_core.errors import UserError
from lmgt_core.files import read_json
from lmgt_core.guidance.guidance import Guidance


def test_every_arm_has_a_row_and_a_missing_one_says_what_it_needs(tmp_path: Path) -> None:
    config = CompareConfig(
        frames=20, train_frames=30, epochs=1, caption="ocr,objects,trained,llava:/no/model", out=tmp_path / "out"
    )
    rows = {r["arm"]: r for r in main(config)}
    assert list(rows) == ["caption:ocr", "caption:objects", "caption:trained", "caption:llava:/no/model",
                          "direct:distilled"]  # fmt: skip
    assert rows["caption:objects"]["judgment_accuracy"] == rows["caption:objects"]["caption_exact"] == 1.0
    assert rows["caption:ocr"]["caption_exact"] == 1.0
    assert "no such folder" in rows["caption:llava:/no/model"]["missing"]
    assert rows["direct:distilled"]["about"] == "trained on labels"
    assert len(read_json(tmp_path / "out" / "rows.json")["rows"]) == 5
    files = {f"trained:{tmp_path / 'out' / 'captioner.npz'}", f"distilled:{tmp_path / 'out' / 'distilled.npz'}"}
    trained, distilled = sorted(files, reverse=True)
    again = main(CompareConfig(frames=20, train_frames=30, caption=trained, direct=distilled, out=tmp_path / "again"))
    assert [r["judgment_accuracy"] for r in again] == [
        rows["caption:trained"]["judgment_accuracy"],
        rows["direct:distilled"]["judgment_accuracy"],
    ]


def test_what_a_training_shows_changes_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that look alike can hide different states; the truth of a question is that of the frame asked about."""

    def playing(config: TrainConfig, guidance: Guidance | None = None) -> list[float]:
        if guidance is not None:
            assert isinstance(guidance.domain, AtariDomain)
            for digest in guidance.domain.memory._held:
                guidance.domain.memory._held[digest] = (20, 10, False)
        return [0.0]

    monkeypatch.setattr(compare, "trained_returns", playing)
    monkeypatch.setattr(compare, "learned_policy", lambda config: None)
    rows = main(
        CompareConfig(
            frames=20, train_frames=30, caption="ocr,objects", direct="oracle", train_steps=9, out=tmp_path / "out"
        )
    )
    assert [r["judgment_accuracy"] for r in rows[:3]] == [1.0, 1.0, 1.0]


def test_frames_are_different_and_none_is_on_both_sides() -> None:
    taught = collect(world("Blackjack-cards"), 30, 1)
    asked = collect(world("Blackjack-cards"), 30, 0, taught.digests)
    assert len(taught.digests) == len(asked.digests) == 30 and not taught.digests & asked.digests
    again = collect(world("Blackjack-cards"), 30, 0, taught.digests)
    assert np.array_equal(asked.images, again.images)


def test_a_captioner_is_trained_and_its_file_never_replaced(tmp_path: Path) -> None:
    config = CaptionerTrainConfig(frames=30, epochs=1, out=tmp_path / "c.npz")
    assert 0 <= train_command(config) <= 1
    with pytest.raises(UserError, match="is there already"):
        train_command(config)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"env": "Tetris"}, "no such world"),
        ({"caption": "poet"}, "no such captioner"),
        ({"frames": 3}, "at least 20"),
        ({"direct": "smollm2"}, "cannot see frames"),
        ({"text_judge": "none"}, "nobody to ask"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    settings: dict[str, object] = {"frames": 20, "train_frames": 30, "caption": "objects", "out": tmp_path / "out"}
    with pytest.raises(UserError, match=said):
        main(CompareConfig(**{**settings, **changes}))  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_frames_that_are_missing_are_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(made: World, count: int, seed: int, *rest: Any, **options: Any) -> Frames:
        return collect(made, count, 0, *rest, **options)  # the frames that taught, so there are no new ones

    monkeypatch.setattr(compare, "trained_returns", lambda *args: pytest.fail("trained"))
    monkeypatch.setattr(compare, "collect", again)
    monkeypatch.setattr("apps.atari_vision.frames.MOST", 1)
    out = tmp_path / "out"
    with pytest.raises(UserError, match="showed only 0 new frames"):
        main(CompareConfig(frames=20, train_frames=20, caption="objects", direct="", train_steps=9, out=out))
    assert not out.exists()


def test_fewer_frames_than_wanted_are_asked_about_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def few(made: World, count: int, *rest: Any, **options: Any) -> Frames:
        return collect(made, min(count, 42), *rest, **options)

    monkeypatch.setattr(compare, "collect", few)
    main(CompareConfig(frames=60, train_frames=40, caption="objects", direct="", out=tmp_path / "out"))
    assert "--frames 60: play of Blackjack-box showed only 42 new frames" in capsys.readouterr().out
