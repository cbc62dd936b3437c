"""`lmgt atari train`: every agent by one flag, the shift stays out of what is reported, a kill changes nothing."""

import csv
import io
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from apps.atari_vision.config import TrainConfig
from apps.atari_vision.learners.settings import recurrent_config, sb3_settings
from apps.atari_vision.r2d2.run import Trainer
from apps.atari_vision.train import main
from lmgt_core.errors import UserError
from lmgt_core.files import read_json
from lmgt_core.quick_import import import_stable_baselines3
from lmgt_core.training.driver import run_returns
from lmgt_core.training.run_log import RunLog

TINY = ("actors=2", "processes=no", "length=6", "period=3", "burn_in=3", "hidden_size=8", "batch_size=4", "warm_up=4",
        "decisions_per_update=24")  # fmt: skip
DQN = ("train_freq=32", "gradient_steps=2", "learning_starts=64")
CARTPOLE = TrainConfig(
    env="CartPole", algorithm="dqn", judge="none", steps=320, seeds=(0,), evaluate_every=160, evaluation_episodes=2,
    checkpoint_every=32, gate=False, set=DQN, audit_questions=40,
)  # fmt: skip


def config(out: Path, agent: str, **changes: Any) -> TrainConfig:
    """A short training of CartPole."""
    chosen = {"dqn": DQN, "ppo": ("n_envs=2", "n_steps=16"), "r2d2": TINY, "ngu": TINY}[agent]
    return replace(CARTPOLE, algorithm=agent, set=chosen, out=out, **changes)


def tables(run: Path) -> dict[str, list[dict[str, str]]]:
    """What a run recorded."""
    return {
        name: list(csv.DictReader(io.StringIO((run / f"{name}.csv").read_text())))
        for name in ("episodes", "evaluations")
    }


def weights(run: Path, agent: str) -> list[float]:
    """Every number that the agent of seed 0 learned."""
    content = RunLog.open(run).load_checkpoint(0)
    assert content is not None
    if agent == "dqn":
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            state = torch.load(io.BytesIO(file.read("policy.pth")), weights_only=True)
    else:
        state = torch.load(io.BytesIO(content), weights_only=True)["agent"]["online"]
    return torch.cat([t.flatten().float() for t in state.values()]).tolist()


@pytest.mark.parametrize("agent", ["dqn", "r2d2"])
def test_a_neutral_judge_trains_exactly_what_no_judge_trains(tmp_path: Path, agent: str) -> None:
    main(config(tmp_path / "none", agent))
    summary = main(config(tmp_path / "neutral", agent, judge="neutral", captioner="objects"))
    assert tables(tmp_path / "none") == tables(tmp_path / "neutral")
    assert weights(tmp_path / "none", agent) == weights(tmp_path / "neutral", agent)
    assert summary["judge_stats"]["judgments"] == 320


@pytest.mark.parametrize("agent", ["dqn", "ppo"])
def test_returns_hold_no_shift_and_the_budget_is_kept(tmp_path: Path, agent: str) -> None:
    summary = main(config(tmp_path / "run", agent, judge="oracle", scale=50.0))
    rows = tables(tmp_path / "run")
    assert all(float(r["return"]) == float(r["length"]) for name in rows for r in rows[name])
    assert [r["decisions"] for r in rows["evaluations"]] == ["160", "320"]
    assert summary["metrics"]["return"]["mean"] == float(rows["evaluations"][-1]["return"])
    assert run_returns(tmp_path / "run", (0,)) == [summary["metrics"]["return"]["mean"]]
    assert "privileged" in summary["judge_kind"] and list((tmp_path / "run" / "tensorboard").glob("seed_0/*"))


def watch() -> type:
    """The callback that counts a learner's decisions."""
    import_stable_baselines3()
    from apps.atari_vision.learners.watch import Watch

    return Watch


class Killed(Exception):
    """Stands for a kill: nothing is tidied up after it."""


@pytest.mark.parametrize(("agent", "at"), [("r2d2", 250), pytest.param("dqn", 250, marks=pytest.mark.slow)])
def test_a_killed_run_resumes_and_equals_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent: str, at: int
) -> None:
    changes: dict[str, Any] = {"judge": "noisy-oracle:0.8", "captioner": "objects", "rule": "annealed:linear:centered"}
    main(config(tmp_path / "whole", agent, **changes))
    target, name = (Trainer, "step") if agent == "r2d2" else (watch(), "_on_step")
    before = getattr(target, name)

    def step(self: Any, *arguments: Any) -> Any:
        if getattr(self, "decisions", getattr(self, "num_timesteps", 0)) >= at:
            raise Killed
        return before(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(target, name, step)
        with pytest.raises(Killed):
            main(config(tmp_path / "broken", agent, **changes))
    main(config(tmp_path / "broken", agent, resume=True, **changes))
    assert tables(tmp_path / "whole") == tables(tmp_path / "broken")
    assert weights(tmp_path / "whole", agent) == weights(tmp_path / "broken", agent)


@pytest.mark.slow
def test_a_run_that_is_killed_for_real_goes_on(tmp_path: Path) -> None:
    words = ("atari", "train", "--env", "CartPole", "--algorithm", "r2d2", "--judge", "noisy-oracle:0.8", "--no-gate",
             "--audit-questions", "40", "--steps", "400", "--checkpoint-every", "50", "--evaluation-episodes", "2",
             "--seeds", "0", "--set", *TINY)  # fmt: skip
    command = [sys.executable, "-m", "apps.cli", *words, "--out"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True)
    broken = subprocess.Popen([*command, str(tmp_path / "broken")])
    checkpoint = tmp_path / "broken" / "checkpoints" / "seed_0.pt"
    while not checkpoint.exists():
        assert broken.poll() is None
        time.sleep(0.01)
    broken.send_signal(signal.SIGKILL)
    broken.wait()
    assert not (tmp_path / "broken" / "summary.json").exists()
    subprocess.run([*command, str(tmp_path / "broken"), "--resume"], check=True, capture_output=True)
    assert tables(tmp_path / "whole") == tables(tmp_path / "broken")
    assert weights(tmp_path / "whole", "r2d2") == weights(tmp_path / "broken", "r2d2")


PITFALL = TrainConfig(
    env="Pitfall", algorithm="r2d2", judge="none", steps=200, seeds=(0,), limit=40, evaluation_episodes=1,
    evaluate_every=200, set=(*TINY, "decisions_per_update=50"), gate=False, audit_questions=20,
)  # fmt: skip


def test_r2d2_ngu_and_lmgt_run_on_pitfall_with_one_flag_changed(tmp_path: Path) -> None:
    for name, changes in {"r2d2": {}, "ngu": {"algorithm": "ngu"}, "lmgt": {"judge": "oracle"}}.items():
        summary = main(replace(PITFALL, out=tmp_path / name, **changes))  # type: ignore[arg-type]
        assert summary["metrics"]["length"]["mean"] == 40  # decisions: the limit
    episodes = {name: tables(tmp_path / name)["episodes"] for name in ("r2d2", "ngu", "lmgt")}
    assert all(float(r["intrinsic"]) > 0 for r in episodes["ngu"] if r["member"] == "1")
    assert not any(float(r["intrinsic"]) or float(r["shift"]) for r in episodes["r2d2"])
    assert any(float(r["shift"]) for r in episodes["lmgt"]) and len(episodes["lmgt"]) >= 4
    assert read_json(tmp_path / "lmgt" / "summary.json")["audit"]["accuracy"] == 1.0


def test_a_run_goes_into_no_folder_that_holds_another(tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds notes\.txt but no run"):
        main(config(out, "dqn"))
    (out / "notes.txt").unlink()
    main(config(out, "dqn", steps=64))
    with pytest.raises(UserError, match="holds a run already"):
        main(config(out, "dqn", steps=64))
    with pytest.raises(UserError, match=r"but judge was 'none'"):
        main(config(out, "dqn", steps=64, judge="neutral", resume=True))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"env": "Tetris"}, "--env Tetris: no such world"),
        ({"algorithm": "a3c"}, "--algorithm a3c: no such algorithm"),
        ({"judge": "judy"}, "--judge judy: no such judge"),
        ({"judge": "minilm"}, "reads text only and cannot see frames"),
        ({"judge": "distilled:no.npz"}, "no.npz: cannot be read"),
        ({"judge": "oracle", "captioner": "poet"}, "no such captioner"),
        ({"rule": "potential"}, "--rule potential"),
        ({"limit": 9}, "--limit 9: is for games"),
        ({"seeds": (1, 1)}, "--seeds"),
        ({"steps": 1}, "--steps 1"),
        ({"set": ("speed=9",)}, "--set speed: no hyper-parameter of dqn"),
        ({"set": ("batch_size=2.5",)}, "--set batch_size=2.5: give a whole number"),
        ({"algorithm": "r2d2", "set": ("memory=maybe",)}, "--set memory=maybe"),
        ({"algorithm": "r2d2", "set": ("burn_in=99",)}, "burn_in 99"),
        ({"set": ("batch_size",)}, "give name=value"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said.replace(".", r"\.")):
        main(replace(CARTPOLE, out=tmp_path / "out", **changes))
    assert not (tmp_path / "out").exists()


def test_small_budgets_leave_room_to_learn_and_told_values_stay() -> None:
    assert sb3_settings("dqn", True, 1000, ())["learning_starts"] == 500
    assert sb3_settings("dqn", True, 1000, ("learning_starts=900",))["learning_starts"] == 900
    ppo = sb3_settings("ppo", True, 640, ())
    assert ppo["n_envs"] * ppo["n_steps"] * 4 <= 640
    assert recurrent_config("r2d2", True, 400, ()).warm_up == 5  # sequences in half of it, one each 40 decisions
    assert recurrent_config("ngu", True, 400, ("actors=3",)).members == 3  # type: ignore[attr-defined]
