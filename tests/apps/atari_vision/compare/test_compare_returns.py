"""`lmgt atari compare` with trainings: returns beside the judgments, the page, captions from a file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.atari_vision.compare.command import main
from apps.atari_vision.compare.returns import BASELINE, return_rows
from apps.atari_vision.config import CompareConfig
from apps.atari_vision.frames import collect
from apps.atari_vision.worlds import world
from lmgt_core.errors import UserError
from lmgt_core.files import read_json

SHORT = CompareConfig(
    env="Blackjack-box", frames=20, train_frames=30, epochs=1, caption="objects,llava:/no/model", direct="distilled",
    train_steps=48, seeds=(0, 1), evaluation_episodes=20, set=("train_freq=16", "gradient_steps=1"),
)  # fmt: skip


def test_agents_are_trained_with_every_arm_and_with_none(tmp_path: Path) -> None:
    rows = {r["arm"]: r for r in main(replace(SHORT, out=tmp_path / "out"))}
    assert list(rows) == ["caption:objects", "caption:llava:/no/model", "direct:distilled", BASELINE]
    for arm in ("caption:objects", "direct:distilled", BASELINE):
        low, high = rows[arm]["return_ci95"]
        assert -1 <= low <= rows[arm]["return_mean"] <= high <= 1
    assert rows["caption:llava:/no/model"]["missing"] and rows["caption:llava:/no/model"]["return_mean"] is None
    runs = {path.name: read_json(path / "summary.json") for path in (tmp_path / "out" / "runs").iterdir()}
    assert set(runs) == {"caption-objects", "direct-distilled", "no-judge"}
    assert [run["judge_stats"]["judgments"] for _, run in sorted(runs.items())] == [96, 96, 0]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "no judge" in page and "/no/model" in page and page.count("data:image/png") >= 20
    assert [r["arm"] for r in return_rows(list(rows.values()))] == ["caption:objects", "direct:distilled", BASELINE]


def test_captions_in_the_file_are_used_and_said(tmp_path: Path) -> None:
    short = replace(SHORT, train_steps=0, caption="ocr", direct="", captions=tmp_path / "captions.sqlite")
    first, second = (main(replace(short, out=tmp_path / name))[0] for name in ("a", "b"))
    assert "were in" not in first["about"] and "; 20 captions were in" in second["about"]
    assert first["caption_exact"] == second["caption_exact"] == 1.0


def test_a_trained_agent_plays_the_second_half_of_the_frames() -> None:
    made, asked = world("Blackjack-box"), []

    def stands(view: Any) -> int:
        asked.append(view)
        return 0

    frames = collect(made, 25, 0, learned=stands)
    assert len(asked) >= 3 and all(np.shape(view) == (3,) for view in asked)
    without = collect(made, 25, 0)
    assert len(frames.digests) == 25 and np.array_equal(frames.images[:13], without.images[:13])
    assert not np.array_equal(frames.images[13:], without.images[13:])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"algorithm": "a3c"}, "--algorithm a3c"),
        ({"set": ("speed=1",)}, "--set speed"),
        ({"rule": "pies"}, "--rule pies"),
    ],
)
def test_a_mistake_about_the_training_is_told_before_anything_is_written(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        main(replace(SHORT, out=tmp_path / "out", **changes))
    assert not (tmp_path / "out").exists()
