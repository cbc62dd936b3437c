"""Training of moves end to end in built-in homes: the same again, killed and resumed, silent judges, evaluated."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from apps.housekeep import evaluate, train
from apps.housekeep.agent.move_values import MoveValues
from apps.housekeep.config import EvaluateConfig, TrainConfig
from lmgt_core.errors import UserError
from lmgt_core.training.run_log import RunLog
from tests.apps.housekeep.test_train import rows

TINY = TrainConfig(
    judge="none",
    algorithm="moves",
    episodes=("builtin:train_home_0",),
    select="0:3",
    evaluate_count=1,
    evaluate_every=200,
    checkpoint_every=100,
    steps=400,
    seeds=(0,),
)


def run(out: Path, **changes: Any) -> dict[str, Any]:
    return train.main(replace(TINY, out=out, **changes))


def learned(run_path: Path) -> dict[str, torch.Tensor]:
    content = RunLog.open(run_path).load_checkpoint(0)
    assert content is not None
    return torch.load(io.BytesIO(content), weights_only=True)["moves"]["learned"]


def same_training(a: Path, b: Path) -> None:
    for table in ("episodes.csv", "evaluations.csv"):
        assert rows(a / table) == rows(b / table)
    ours, theirs = learned(a), learned(b)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("moves") / "whole"
    run(out, judge="oracle")
    return out


def test_what_a_judge_was_asked_ahead_tidies_before_anything_was_tried(whole: Path, tmp_path: Path) -> None:
    first = rows(whole / "evaluations.csv")[0]
    assert first["decisions"] == "0" and float(first["net_success"]) > 0.0
    run(tmp_path / "few", judge="oracle", questions=0, steps=5)
    assert float(rows(tmp_path / "few" / "evaluations.csv")[0]["object_success"]) == 0.0  # nothing is worth moving


def test_a_slow_judge_is_asked_no_more_than_it_may(tmp_path: Path) -> None:
    asked = [run(tmp_path / str(n), judge="oracle", questions=n, steps=5)["judge_stats"]["judgments"] for n in (0, 7)]
    assert asked[1] == asked[0] + 7


def test_a_judge_in_the_background_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--judge-ahead: --algorithm moves"):
        run(tmp_path / "run", judge_ahead=True)


def test_returns_alone_teach_without_a_judge(tmp_path: Path) -> None:
    run(tmp_path / "run", steps=800)
    last = rows(tmp_path / "run" / "evaluations.csv")[-1]
    assert learned(tmp_path / "run")["correction"].any() and not learned(tmp_path / "run")["opinion"].any()
    assert float(last["steps"]) <= 1000


def test_the_same_seed_gives_the_same_numbers(whole: Path, tmp_path: Path) -> None:
    run(tmp_path / "again", judge="oracle")
    same_training(whole, tmp_path / "again")


def test_killed_and_resumed_it_ends_with_the_same_numbers(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits, fit = 0, MoveValues.fit

    def fit_until_killed(self: MoveValues, weight: float) -> None:
        nonlocal fits
        fits += 1
        if fits == 4:
            raise KeyboardInterrupt
        fit(self, weight)

    with monkeypatch.context() as patched:
        patched.setattr(MoveValues, "fit", fit_until_killed)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            run(tmp_path / "killed", judge="oracle")
    assert (tmp_path / "killed/checkpoints").exists()
    run(tmp_path / "killed", judge="oracle", resume=True)
    same_training(whole, tmp_path / "killed")


def test_a_neutral_judge_changes_not_one_bit(tmp_path: Path) -> None:
    for judge in ("none", "neutral"):
        run(tmp_path / judge, judge=judge, steps=150)
    same_training(tmp_path / "none", tmp_path / "neutral")


def test_evaluations_read_the_run_and_ask_no_judge(whole: Path) -> None:
    found = evaluate.main(EvaluateConfig((str(whole),), episodes=("builtin:val",), select="0:2"))
    mine = {row["metric"]: row["mean"] for row in found if row["policy"] == str(whole)}
    assert mine["steps"] < 1000 and mine["object_success"] > 0.0  # another home, with words of its own


@pytest.mark.parametrize("rule", ["lookahead", "pies", "adops"])
def test_rules_inside_the_agent_are_refused(rule: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"--rule {rule}"):
        run(tmp_path / "run", judge="oracle", rule=rule)
    assert not (tmp_path / "run").exists()


def test_homes_side_by_side_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--envs 2: .* drrn only"):
        run(tmp_path / "run", envs=2)


def test_an_unfinished_episode_is_no_return(tmp_path: Path) -> None:
    run(tmp_path / "run", steps=5)
    content = RunLog.open(tmp_path / "run").load_checkpoint(0)
    assert (
        content is not None and '"episodes": []' in torch.load(io.BytesIO(content), weights_only=True)["moves"]["rest"]
    )
    assert not np.any(learned(tmp_path / "run")["correction"].numpy())


def test_seeds_that_a_run_was_given_later_are_evaluated_too(tmp_path: Path) -> None:
    run(tmp_path / "run", steps=5)
    run(tmp_path / "run", steps=5, seeds=(0, 3), resume=True)
    policy = str(tmp_path / "run")
    assert evaluate.seeds_of(policy, EvaluateConfig((policy,))) == [0, 3]
