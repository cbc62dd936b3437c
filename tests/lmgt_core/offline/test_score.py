"""`lmgt judge score`: a Minari dataset gets a judge's shifts."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from lmgt_core.errors import UserError
from lmgt_core.offline.score import ScoreConfig, score

minari = pytest.importorskip("minari", reason="Minari is not installed; it comes with the extra minari")
pytest.importorskip("h5py", reason="h5py is not installed; it comes with the extra minari")

ROOT = Path(__file__).resolve().parents[3]
STEPS = ("actions", "rewards", "terminations", "truncations")
QUESTION = "You balance poles.\n---\n{state}. The cart will {action}. Good or bad?"
WORDS = """
def describe(observation, action):
    if abs(float(observation[2])) < 0.005:
        return None
    return f"The pole leans by {float(observation[2]):.2f}", f"push {action}"
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Minari's root folder, with ten episodes of CartPole."""
    root = tmp_path_factory.mktemp("minari")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(root))
        about = {"dataset_id": "cartpole/random-v0", "algorithm_name": "random", "description": "ten episodes"}
        (with_collector if find_spec("jax") else with_buffers)(about)
    return root


def with_collector(about: dict[str, str]) -> None:
    """As Minari's own collector records them; it needs jax."""
    env = minari.DataCollector(gym.make("CartPole-v1"), record_infos=True)
    play(env)
    env.create_dataset(**about)
    env.close()


def with_buffers(about: dict[str, str]) -> None:
    """As whoever recorded them without Minari hands them over."""
    env = gym.make("CartPole-v1")
    buffers = [minari.data_collector.EpisodeBuffer(seed=i, **told) for i, told in enumerate(play(env))]
    minari.create_dataset_from_buffers(buffer=buffers, env=env, **about)


def play(env: gym.Env[Any, Any]) -> list[dict[str, Any]]:
    """What ten random episodes showed, by field."""
    env.action_space.seed(0)
    episodes = []
    for seed in range(10):
        told: dict[str, Any] = {"observations": [env.reset(seed=seed)[0]]}
        ended = False
        while not ended:
            action = env.action_space.sample()
            observation, reward, terminated, truncated, _ = env.step(action)
            ended = terminated or truncated
            told["observations"].append(observation)
            for name, value in zip(STEPS, (action, reward, terminated, truncated), strict=True):
                told.setdefault(name, []).append(value)
        episodes.append(told)
    return episodes


@pytest.fixture
def config(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ScoreConfig]:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(recorded))
    monkeypatch.setenv("LMGT_HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "pole_words.py").write_text(WORDS)
    (tmp_path / "pole.txt").write_text(QUESTION)
    name = f"cartpole/{''.join(c for c in tmp_path.name if c.isalnum())}-v0"

    def make(**changes: Any) -> ScoreConfig:
        words = {"describe": "pole_words.describe", "question": tmp_path / "pole.txt"}
        told = {"dataset": "cartpole/random-v0", "judge": "random", "scale": 0.5, "out": name} | words
        return ScoreConfig(**{**told, **changes})

    return make


def control(env: str) -> Any:
    from apps.control.domain import make_domain

    return make_domain(env)


def test_only_rewards_and_infos_differ_and_the_unshifted_reward_is_kept(config: Callable[..., ScoreConfig]) -> None:
    made = config()
    row = score(made, control)
    before, after = minari.load_dataset("cartpole/random-v0"), minari.load_dataset(made.out)
    assert row["decisions"] == after.total_steps == before.total_steps and after.total_episodes == 10
    shifts = []
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old.observations, new.observations)
        np.testing.assert_array_equal(old.actions, new.actions)
        np.testing.assert_array_equal(old.terminations, new.terminations)
        np.testing.assert_array_equal(new.infos["unshifted_reward"], old.rewards)
        np.testing.assert_allclose(new.rewards, old.rewards + new.infos["shift"])
        assert set(new.infos) == {*(old.infos or ()), "unshifted_reward", "shift"}
        shifts += new.infos["shift"].tolist()
    assert set(shifts) == {-0.5, 0.0, 0.5}
    assert after.env_spec == before.env_spec and after.storage.metadata["algorithm_name"] == "random"


def test_the_new_dataset_says_who_judged_how(config: Callable[..., ScoreConfig]) -> None:
    made = config(describe=None, question=None, judge="noisy-oracle:0.9")
    score(made, control)
    record = minari.load_dataset(made.out).storage.metadata["lmgt"]
    assert record["of"] == "cartpole/random-v0" and record["judge"].startswith("noisy-oracle")
    assert (record["rule"], record["scale"], record["judge_kind"]) == ("raw", 0.5, "oracle (privileged)")
    assert {"good", "bad"} <= record["gate"]["thresholds"].keys()
    assert record["question"]["name"] == "zero-shot"
    assert record["stats"]["judgments"] == minari.load_dataset(made.out).total_steps


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dataset": ""}, "name a dataset"),
        ({"dataset": "cartpole/nowhere-v0"}, "cannot be read"),
        ({"dataset": "???"}, "cannot be read"),
        ({"out": "no id"}, "is no id of a dataset"),
        ({"out": "cartpole/random-v0"}, "is there already"),
        ({"rule": "annealed"}, "fades over a training"),
        ({"judge": "none"}, "name a judge"),
        ({"describe": "pole_words.nothing"}, "pole_words has no nothing"),
        ({"describe": "no_such_words.describe"}, "no module no_such_words"),
        ({"question": None}, "--question"),
    ],
)
def test_what_cannot_be_scored_is_a_users_mistake(
    config: Callable[..., ScoreConfig], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        score(config(**changes), control)


def test_what_was_scored_is_not_scored_again_and_that_is_said_before_anything_is_asked(
    config: Callable[..., ScoreConfig],
) -> None:
    made = config()
    score(made, control)
    with pytest.raises(UserError, match="score what it was made of"):
        score(config(dataset=made.out, judge="no-such-judge", out=made.out.replace("-v0", "-v1")), control)


SLOW = """
import sys, time
from pathlib import Path
import lmgt_core.guidance.guidance as guidance
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.offline.score import ScoreConfig, score

class Slow:
    id, kind, cacheable = "slow", JudgeKind.LANGUAGE_MODEL, True
    def judge(self, prompts):
        for prompt in prompts:
            time.sleep(0.01)
            with open("asked", "a") as file:
                print(prompt.digest, file=file)
        return [Judgment(Verdict.GOOD if len(p.user) % 2 else Verdict.BAD) for p in prompts]

guidance.make_judge = lambda spec, context: Slow()
words = {"describe": "pole_words.describe", "question": Path("pole.txt")}
score(ScoreConfig(dataset="cartpole/random-v0", judge="slow", out=sys.argv[1], **words), None)
"""


def test_a_killed_command_goes_on_and_asks_each_question_once(
    config: Callable[..., ScoreConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{tmp_path}")
    name, asked = config().out, tmp_path / "asked"
    command = [sys.executable, "-c", SLOW, name]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not asked.exists() or len(asked.read_text().splitlines()) < 20:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = asked.read_text().splitlines()
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    lines = asked.read_text().splitlines()
    assert len(lines) - len(set(lines)) <= 8 < len(first) < len(set(lines))  # only what was being asked is asked anew
    assert len(set(lines)) == minari.load_dataset(name).storage.metadata["lmgt"]["questions"]
    episode = minari.load_dataset(name)[0]
    assert set(np.abs(episode.infos["shift"]).tolist()) <= {0.0, 1.0}
