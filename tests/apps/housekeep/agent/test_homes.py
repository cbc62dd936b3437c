"""Homes side by side: each goes on exactly where it stood, and trainings in several are repeatable bit for bit."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.housekeep import train
from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.agent.homes import Choice, SkillsEnv
from apps.housekeep.agent.train_side_by_side import SideBySideTrainer
from apps.housekeep.episodes.load import load_many
from lmgt_core.errors import UserError
from tests.apps.housekeep.test_train import TINY, rows, same_training

TWO = replace(TINY, envs=2, steps=140, evaluate_every=70, checkpoint_every=20)


def run(out: Path, **changes: Any) -> dict[str, Any]:
    return train.main(replace(TWO, out=out, **changes))


def home(number: int = 0) -> SkillsEnv:
    episodes = load_many(("builtin:train_home_0",), "0:3")
    return SkillsEnv(TINY, episodes, Vocabulary.of(episodes), seed=0, home=number)


def equal(one: Choice, other: Choice) -> bool:
    """Whether two decisions look the same to the network and the judge."""
    a, b = one.observation, other.observation
    same = all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("scalars", "pairs", "moved"))
    return same and one.skills == other.skills and one.decisions == other.decisions


def play(env: SkillsEnv, choice: Choice, rng: np.random.Generator, steps: int) -> tuple[Choice, list[str]]:
    """The choice after that many random skills, and the kinds of home in which episodes ended."""
    ended = []
    for _ in range(steps):
        following, _, terminated, truncated, info = env.step(int(rng.integers(len(choice.skills))))
        if terminated or truncated:
            ended.append(f"{info['row'].scene}/{info['row'].episode_id}")
            following, _ = env.reset()
        assert following is not None
        choice = following
    return choice, ended


@pytest.mark.parametrize("steps", [0, 7, 90])
def test_a_home_is_taken_up_in_the_middle_of_an_episode(steps: int) -> None:
    one, other = home(), home()
    choice, _ = play(one, one.reset()[0], np.random.default_rng(1), steps)
    other.state = one.state
    restored, _ = other.reset()
    assert equal(choice, restored) and one.row == other.row
    after = [play(env, choice, np.random.default_rng(2), 60) for env in (one, other)]
    assert equal(after[0][0], after[1][0]) and after[0][1] == after[1][1]


def test_every_episode_is_played_before_one_is_played_again_and_homes_differ_in_their_order() -> None:
    orders = []
    for number in range(4):
        env, seen = home(number), []
        for _ in range(6):
            env.reset()
            seen.append(env.row.episode_id)
        assert len(set(seen[:3])) == len(set(seen[3:])) == 3
        orders.append(seen)
    assert any(order != orders[0] for order in orders)


@pytest.fixture(scope="module")
def two_homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("homes") / "none"
    run(out)
    return out


@pytest.mark.slow
def test_equal_seeds_give_equal_numbers_and_a_neutral_judge_changes_none(two_homes: Path, tmp_path: Path) -> None:
    run(tmp_path / "again")
    same_training(two_homes, tmp_path / "again")
    run(tmp_path / "neutral", judge="neutral")
    same_training(two_homes, tmp_path / "neutral")
    run(tmp_path / "other", seeds=(1,))
    assert rows(tmp_path / "other" / "episodes.csv") != rows(two_homes / "episodes.csv")


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["raw", "lookahead", "adops"])
def test_a_training_killed_in_the_middle_of_episodes_ends_with_the_same_numbers(rule: str, tmp_path: Path) -> None:
    changes = {"judge": "oracle", "rule": rule}
    run(tmp_path / "unbroken", **changes)
    done = 0

    def tick(more: int) -> None:
        nonlocal done
        done += more
        if done >= 90:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("lmgt_core.training.driver.progress", _ticking(tick))
        run(tmp_path / "broken", **changes)
    assert not (tmp_path / "broken" / "summary.json").exists()
    run(tmp_path / "broken", resume=True, **changes)
    same_training(tmp_path / "unbroken", tmp_path / "broken")


def _ticking(tick: Any) -> Any:
    """A progress bar that passes on what is done."""

    class Bar:
        advance = staticmethod(tick)

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: object) -> None:
            pass

    return lambda *_: Bar()


@pytest.mark.slow
def test_a_home_whose_process_dies_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = SideBySideTrainer.play

    def play_and_kill(self: SideBySideTrainer, log: Any) -> None:
        if self.skills == 20:
            os.kill(self.homes.processes[1].pid, signal.SIGKILL)
        made(self, log)

    monkeypatch.setattr(SideBySideTrainer, "play", play_and_kill)
    with pytest.raises(UserError, match=r"the process of a home died .* --resume") as error:
        run(tmp_path / "run")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"envs": 0}, "--envs 0"),
        ({"envs": 3}, "--steps 140: give a multiple of --envs 3"),
        ({"envs": 2, "action_space": "primitive", "algorithm": "dqn"}, "--envs 2: .* drrn only"),
    ],
    ids=["none", "no-multiple", "primitive"],
)
def test_a_number_of_homes_that_cannot_be_is_one_line(changes: dict[str, Any], flag: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=flag):
        run(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()
