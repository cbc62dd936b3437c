"""Videos: what a picture shows, and that files appear whole or not at all."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from apps.housekeep.config import WatchConfig
from apps.housekeep.describe import DecisionDescriber
from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.simulator.protocol import Action
from apps.housekeep.simulator.remote import RemoteSimulator
from apps.housekeep.skills import Kind, Skill
from apps.housekeep.task import Task
from apps.housekeep.watch import command as watch
from apps.housekeep.watch.command import Recorder, atomic_video, outlined
from apps.housekeep.watch.map import AGENT, RIGHT, WRONG, HomeMap
from apps.housekeep.watch.screen import Judged, Picture, Screen, Status, fitted
from lmgt_core.errors import UserError
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import PromptTemplate
from lmgt_core.rules.make import make_rule
from tests.apps.housekeep.small_home import MUG, SHELF, TABLE, TOY, home, instance

TIDYING = (
    Skill(Kind.PICK, MUG, TABLE),
    Skill(Kind.PLACE, MUG, SHELF),
    Skill(Kind.PICK, TOY, 2),
    Skill(Kind.PLACE, TOY, TABLE),
)


class Shelf(list[Picture]):
    """A writer that keeps the pictures."""

    def append_data(self, picture: Picture) -> None:
        self.append(picture)


class PicksAreGood:
    """A judge to whom picks are good; of anything else it is not sure."""

    id, kind, cacheable = "picks-are-good", JudgeKind.BASELINE, False

    def judge(self, prompts: Any) -> list[Judgment]:
        good, unsure = Judgment(Verdict.GOOD, (0.9, 0.05, 0.05)), Judgment(Verdict.BAD, (0.4, 0.1, 0.5))
        return [good if p.facts["kind"] == "pick" else unsure.abstain("not precise enough") for p in prompts]


def shifter() -> RewardShifter:
    template = PromptTemplate("", "{state} {action}")
    return RewardShifter(DecisionDescriber(), template, PicksAreGood(), make_rule("raw", 1.0, 10))


def record(skills: Sequence[Skill], judged: RewardShifter | None = None) -> tuple[Recorder, Shelf]:
    """A recorder that has played `skills` in the small home, and its pictures."""
    task = Task(MujocoSimulator((40, 40)))
    task.reset(home())
    pictures, remaining = Shelf(), iter(skills)
    recorder = Recorder(task, Screen(120, "small home", "a judge"), judged, pictures, lambda steps: None)
    recorder.play(lambda task, options: next(remaining, None))
    return recorder, pictures


def near(picture: Picture, colour: Sequence[int]) -> int:
    """How many pixels have about this colour."""
    return int((np.abs(picture.astype(int) - np.array(colour)).max(axis=-1) < 12).sum())


def test_pictures_have_one_even_size_and_are_counted() -> None:
    recorder, pictures = record(TIDYING)
    assert recorder.pictures == len(pictures) > 4 * watch.HELD_PICTURES
    assert {p.shape for p in pictures} == {(recorder.screen.height, recorder.screen.width, 3)}
    assert recorder.screen.height % 2 == recorder.screen.width % 2 == 0
    assert all(p.dtype == np.uint8 for p in pictures)


def test_what_is_right_turns_green() -> None:
    recorder, pictures = record(TIDYING)
    assert recorder.task.terminated and recorder.doing == "everything is right"
    first, last = (p[:, recorder.screen.side :] for p in (pictures[0], pictures[-1]))
    assert near(first, WRONG) > near(last, WRONG)
    assert near(first, RIGHT) < near(last, RIGHT)


def test_every_pick_and_place_is_judged_before_it_happens() -> None:
    recorder, _ = record(TIDYING, shifter())
    assert [j.words for j in recorder.judged] == [
        "pick mug · table",
        "place mug · shelf",
        "pick toy · chest",
        "place toy · table",
    ]
    assert [j.shift for j in recorder.judged] == [1.0, 0.0, 1.0, 0.0]
    assert recorder.judged[0].step == 0
    assert recorder.judged[0].verdict == ("GOOD 0.90 · shift +1.00", RIGHT)
    assert recorder.judged[1].verdict[0] == "judge abstained (bad 0.50) · shift 0"


def test_without_a_judge_nothing_is_judged() -> None:
    assert record(TIDYING)[0].judged == []


def test_verdicts_say_what_they_are() -> None:
    assert Judged(3, "pick", Judgment(Verdict.UNREADABLE, reason="empty"), 0.0).verdict[0] == "unreadable · shift 0"
    assert Judged(3, "pick", Judgment(Verdict.BAD), -0.5).verdict == ("BAD · shift -0.50", WRONG)


def test_the_view_points_out_what_the_skill_is_about() -> None:
    semantic = np.zeros((10, 20), np.int32)
    semantic[2:4, 5:10] = 7
    assert outlined(semantic, 7) == (0.25, 0.2, 0.5, 0.4)
    assert outlined(semantic, 8) is None and outlined(semantic, 0) is None


def test_the_map_shows_the_agent_where_it_stands() -> None:
    task = Task(MujocoSimulator((40, 40)))
    task.reset(home())
    drawn = HomeMap(task.simulator, 200)  # type: ignore[arg-type]
    for _ in range(2):
        x, y = drawn.pixel(task.simulator.pose.position[0], task.simulator.pose.position[2])
        around = drawn.draw(task, [])[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4]
        assert near(around, AGENT) > 20
        for action in [Action.MOVE_FORWARD] * 3:
            task.step(action)


def test_the_map_marks_held_objects_at_the_agent() -> None:
    task = Task(MujocoSimulator((40, 40)))
    task.reset(home())
    drawn = HomeMap(task.simulator, 200)  # type: ignore[arg-type]
    assert drawn.marks(task)[MUG] == pytest.approx((0.0, -2.1))
    task.step(Action.GRAB_RELEASE, instance(MUG))
    assert drawn.marks(task)[MUG] == pytest.approx((0.0, 0.0))


def test_objects_on_one_receptacle_are_marked_beside_each_other() -> None:
    task = Task(MujocoSimulator((40, 40)))
    task.reset(home({TOY: TABLE}))
    places = HomeMap(task.simulator, 200).marks(task)  # type: ignore[arg-type]
    assert places[MUG][1] == places[TOY][1] and places[TOY][0] - places[MUG][0] > 0.2


def test_the_score_is_drawn_with_one_bar_an_object() -> None:
    screen = Screen(150, "title", "none")
    blank = np.zeros((150, 150, 3), np.uint8)
    greens = []
    for right in range(4):
        status = Status("look around", 5, 100, "", right, 1, 3, None)
        greens.append(near(screen.compose(blank, blank, status)[screen.side + 60 :], RIGHT))
    assert greens[0] == 0 < greens[1] < greens[2] < greens[3]


def test_words_are_shortened_to_the_room_there_is() -> None:
    from PIL import ImageDraw, ImageFont

    canvas = ImageDraw.Draw(Image.new("RGB", (10, 10)))
    font = ImageFont.load_default(14)
    assert fitted(canvas, "short", font, 200) == "short"
    cut = fitted(canvas, "a rather long sentence about furniture", font, 80)
    assert cut.endswith("…") and canvas.textlength(cut, font) <= 80


def short(monkeypatch: pytest.MonkeyPatch, steps: int = 30) -> None:
    monkeypatch.setattr(watch, "Task", functools.partial(Task, max_steps=steps))


def test_a_random_policy_becomes_a_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import imageio.v2 as imageio

    short(monkeypatch)
    out = tmp_path / "tidy.mp4"
    result = watch.main(WatchConfig("random", out=out, size=64, judge="random"))
    assert [p.name for p in tmp_path.iterdir()] == ["tidy.mp4"]
    with imageio.get_reader(out) as reader:
        pictures = [np.asarray(picture) for picture in reader.iter_data()]
    assert len(pictures) == result["pictures"] >= 10 + watch.LAST_PICTURES
    assert pictures[0].std() > 10 and result["metrics"]["steps"] == 30.0


def test_a_video_through_the_worker_ends_without_a_word_of_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    carried = iter([Skill(Kind.PICK, MUG, TABLE), Skill(Kind.GO, receptacle=2), Skill(Kind.PLACE, MUG, 2)])
    made: list[RemoteSimulator] = []
    monkeypatch.setattr(watch, "make_simulator", lambda config, size: made.append(RemoteSimulator(size)) or made[0])
    monkeypatch.setattr(watch, "choose", lambda config, settings: home())
    monkeypatch.setattr(watch, "make_policy", lambda job, episodes: lambda task, options: next(carried, None))
    metrics = watch.main(WatchConfig("random", out=tmp_path / "tidy.gif", size=64))["metrics"]
    assert metrics["path_efficiency"] > 0  # asks the simulator for the shortest path, after the last step
    assert made[0].restarted == 0 and "worker" not in capfd.readouterr().err
    with pytest.raises(RuntimeError, match="is closed"):
        made[0].snap((0.0, 0.0))


@pytest.mark.parametrize(("name", "shown"), [("tidy.gif", 1), ("tidy.webp", watch.WEBP_EVERY)], ids=["gif", "webp"])
def test_a_clip_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, shown: int) -> None:
    short(monkeypatch, 12)
    result = watch.main(WatchConfig("random", out=tmp_path / name, size=64))
    with Image.open(tmp_path / name) as clip:
        assert 1 < clip.n_frames <= -(-result["pictures"] // shown)  # pictures that stand still are merged


def test_equal_seeds_record_the_same_episode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch, 12)
    for name in ("a.gif", "b.gif"):
        watch.main(WatchConfig("random", out=tmp_path / name, size=64, seed=3))
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


def test_a_broken_recording_leaves_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "tidy.mp4"
    out.write_bytes(b"an older video")
    with pytest.raises(KeyboardInterrupt), atomic_video(out) as writer:
        writer.append_data(np.zeros((64, 64, 3), np.uint8))
        raise KeyboardInterrupt
    assert out.read_bytes() == b"an older video" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"out": Path("tidy.avi")}, "--out tidy.avi"),
        ({"out": Path("no/such/folder/tidy.mp4")}, "no folder"),
        ({"size": 20}, "--size 20"),
        ({"episode": 10_000}, "--episode 10000"),
        ({"policy": "no/such/run"}, "not a run directory"),
        ({"judge": "wisest"}, "wisest"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(
    settings: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=words) as error:
        watch.main(WatchConfig(**({"policy": "random", "out": Path("tidy.mp4"), "size": 64} | settings)))
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
