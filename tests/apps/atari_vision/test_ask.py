"""`lmgt atari ask` through the command line: what it shows, and what each mistake says."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from apps import cli
from apps.atari_vision.simulator.blackjack import draw_cards
from apps.atari_vision.simulator.seen import FRAME
from apps.atari_vision.worlds import world
from lmgt_core.files import read_json
from lmgt_core.judges.distilled_frames import FrameStudent, save_frame_student
from lmgt_core.judges.frame_network import make_network


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """A table of cards on which the player has 16 and the dealer shows a 9."""
    return saved(draw_cards("9H", ["2C", "JS", "4D"]), tmp_path / "cards.png")


def saved(image: Any, path: Path) -> Path:
    Image.fromarray(image).save(path)
    return path


def lmgt(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of `lmgt atari ask ...`, as a shell would see it."""
    monkeypatch.setattr(sys, "argv", ["lmgt", "atari", "ask", *words])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return int(left.value.code or 0)


def test_it_shows_caption_prompt_probabilities_and_verdict(
    cards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--frame", str(cards), "--env", "Blackjack-cards", "--action", "hit", "--captioner", "ocr")
    assert lmgt(monkeypatch, *words, "--judge", "oracle", "--json", str(tmp_path / "answer.json")) == 0
    said = capsys.readouterr().out
    caption = "The player's cards sum to 16; no ace in it counts as 11. The dealer shows a 9."
    assert f"caption  {caption}" in said and "hit and take another card" in said
    assert "labels   good 1.000" in said and "verdict  good" in said and "shift    +1" in said
    (row,) = read_json(tmp_path / "answer.json")["rows"]
    assert row["caption"] == caption and row["verdict"] == "good"


def test_a_frame_that_cannot_be_captioned_is_unreadable_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    king = saved(draw_cards("KH", ["2C", "3S"]), tmp_path / "king.png")
    words = ("--frame", str(king), "--env", "Blackjack-cards", "--captioner", "ocr", "--judge", "oracle")
    assert lmgt(monkeypatch, *words) == 0
    said = capsys.readouterr().out
    assert "caption  none: a rank reads" in said and "verdict  unreadable" in said and "shift    +0" in said


def frame_judge(path: Path, shape: tuple[int, int], actions: tuple[str, ...]) -> Path:
    """A judge of frames that was never taught anything, in the form of one that was."""
    network = make_network(shape, 3 * len(actions))
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    student = FrameStudent(actions, shape, max(shape), np.zeros((3, *shape), np.float32), weights, "nobody")
    save_frame_student(student, path)
    return path


def test_a_judge_of_frames_sees_the_picture_of_a_game(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    env = world("Pitfall").make()
    frame = saved(env.reset(seed=0)[0][FRAME], tmp_path / "frame.png")
    judge = frame_judge(tmp_path / "judge.npz", (210, 160), tuple(world("Pitfall").knowledge.actions))
    words = ("--frame", str(frame), "--env", "Pitfall", "--action", "LEFT", "--judge", f"distilled:{judge}")
    assert lmgt(monkeypatch, *words) == 0
    said = capsys.readouterr().out
    assert "(160x210 pixels)" in said and "run to the left" in said and "the judge sees the picture" in said
    assert "labels   good 0." in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--frame", "no.png"), "no.png: no such file"),
        (("--frame", "empty.png"), "empty.png: the file is empty"),
        (("--frame", "text.png"), "text.png: is no picture that can be read"),
        (("--frame", "half.png"), "half.png: the picture is damaged"),
        (("--env", "Tetris"), "--env Tetris: no such world; choose one of Blackjack-box"),
        (("--action", "fly"), "--action 'fly': fits 0 actions"),
        (("--judge", "smollm2"), "--judge smollm2: reads text only and cannot see frames; name a captioner"),
        (("--judge", "distilled:judge.npz", "--captioner", "ocr"), "looks at frames and cannot read captions"),
        (("--judge", "oracle"), "--judge oracle: looks frames up in a running game's memory"),
        (("--judge", "oracle", "--captioner", "objects"), "captioner objects: reads a running game's memory"),
        (("--judge", "oracle", "--captioner", "trained:no.npz"), "no.npz: cannot be read as a trained captioner"),
        (("--judge", "none", "--captioner", "ocr"), "--judge none: gives no answers"),
        (("--judge", "hf:./no/model"), "no such folder"),
        (("--prompts", "no/folder"), "--prompts no/folder: no such folder"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    cards: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    folder = cards.parent
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("a picture")
    whole = cards.read_bytes()
    (folder / "half.png").write_bytes(whole[: len(whole) // 2])
    frame_judge(folder / "judge.npz", (264, 384), ("stand", "hit"))
    monkeypatch.chdir(folder)
    given = dict(zip(words[::2], words[1::2], strict=True))
    chosen = {"--frame": "cards.png", "--env": "Blackjack-cards", "--judge": "random"} | given
    assert lmgt(monkeypatch, *(word for pair in chosen.items() for word in pair)) == 2
    complaint = capsys.readouterr().err
    assert said in complaint and len(complaint.strip().splitlines()) == 1


def test_a_missing_rom_is_one_line(
    cards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "roms").mkdir()
    monkeypatch.setenv("ALE_ROMS_DIR", str(tmp_path / "roms"))
    words = ("--frame", str(cards), "--env", "Pitfall", "--action", "LEFT", "--judge", "random")
    assert lmgt(monkeypatch, *words) == 2
    assert "lmgt: --env Pitfall: its ROM is missing" in capfd.readouterr().err
