"""RL Baselines3 Zoo takes the wrapper from its YAML, as docs/rl-zoo.md says."""

import importlib
import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import yaml

from lmgt_core.errors import UserError
from lmgt_core.guidance.wrappers import RewardShift
from lmgt_core.learners import rl_zoo

PAGE = Path(__file__).parents[2] / "docs" / "rl-zoo.md"


@pytest.fixture
def hyperparameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The page's YAML of CartPole, asking a coin, with the page's Python file beside it."""
    words, settings = (
        re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.DOTALL)[0] for kind in ("python", "yaml")
    )
    (tmp_path / "cart_words.py").write_text(words)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    rl_zoo._guidance.cache_clear()
    read: dict[str, Any] = yaml.safe_load(settings)["CartPole-v1"]
    read["env_wrapper"][0]["lmgt_core.learners.rl_zoo.judged"]["judge"] = "random"
    return read


def as_the_zoo_wraps(hyperparameters: dict[str, Any], env: gym.Env[Any, Any]) -> Any:
    """`env` in the wrappers of the YAML: dotted paths, each alone or with its keyword arguments."""
    for wrapper in hyperparameters["env_wrapper"]:
        ((path, arguments),) = wrapper.items() if isinstance(wrapper, dict) else ((wrapper, {}),)
        module, _, name = path.rpartition(".")
        env = getattr(importlib.import_module(module), name)(env, **arguments)
    return env


def shifts_of(env: Any, steps: int = 30) -> list[float]:
    """The shifts of some steps; the reward that was returned is the unshifted one and the shift."""
    env.reset(seed=0)
    found = []
    for i in range(steps):
        _, reward, terminated, truncated, info = env.step(np.int64(i % 2))
        assert reward == pytest.approx(info["reward"] + info["shift_weight"] * info["shift"])
        found.append(info["shift"])
        if terminated or truncated:
            env.reset()
    return found


def test_the_pages_yaml_shifts_rewards(hyperparameters: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    env = as_the_zoo_wraps(hyperparameters, gym.make("CartPole-v1"))
    assert isinstance(env, RewardShift) and set(np.abs(np.round(shifts_of(env), 6)).tolist()) <= {0.0, 0.1}
    assert "NOT audited" in capsys.readouterr().out


def test_environments_of_one_process_share_one_judge(
    hyperparameters: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    envs = [as_the_zoo_wraps(hyperparameters, gym.make("CartPole-v1")) for _ in range(3)]
    assert len(envs) == 3
    assert capsys.readouterr().out.count("NOT audited") == 1


def test_with_probes_the_judge_is_audited_first(hyperparameters: dict[str, Any]) -> None:
    ((_, arguments),) = hyperparameters["env_wrapper"][0].items()
    arguments |= {"probes": "cart_words.PROBES", "judge": "minilm"}
    env = as_the_zoo_wraps(hyperparameters, gym.make("CartPole-v1"))
    assert set(shifts_of(env)) == {0.0}  # four questions are too few for its gate


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"describe": "cart_words.nothing"}, "has no nothing"), ({"describe": "describe"}, "is no name in a module"),
     ({"judge": "none"}, "leave out env_wrapper"), ({"question": "nowhere.txt"}, "no such prompt template")],
)  # fmt: skip
def test_what_the_yaml_gets_wrong_is_a_users_mistake(
    hyperparameters: dict[str, Any], changes: dict[str, str], said: str
) -> None:
    ((_, arguments),) = hyperparameters["env_wrapper"][0].items()
    arguments |= changes
    with pytest.raises(UserError, match=said):
        as_the_zoo_wraps(hyperparameters, gym.make("CartPole-v1"))


def test_the_zoo_itself_wraps_trains_and_evaluates_unshifted(hyperparameters: dict[str, Any]) -> None:
    zoo = pytest.importorskip("rl_zoo3.utils", reason="RL Baselines3 Zoo is not installed; pip install rl_zoo3")
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy

    wrap = zoo.get_wrapper_class(hyperparameters)
    envs = make_vec_env("CartPole-v1", n_envs=2, seed=0, wrapper_class=wrap)
    assert all(envs.env_is_wrapped(RewardShift))
    model = PPO("MlpPolicy", envs, n_steps=32, batch_size=32, device="cpu").learn(64)
    _, rewards, _, infos = envs.step(np.array([0, 1]))
    assert rewards == pytest.approx([i["reward"] + i["shift_weight"] * i["shift"] for i in infos])
    returns, lengths = evaluate_policy(
        model, make_vec_env("CartPole-v1", n_envs=1, seed=1, wrapper_class=wrap), 3, return_episode_rewards=True
    )
    assert returns == [float(length) for length in lengths]  # CartPole's own reward is 1 a step
