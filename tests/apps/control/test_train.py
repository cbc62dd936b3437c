"""`lmgt control train`: run directories, resuming, silent judges, and mistakes told before anything is trained."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apps.control import train
from apps.control.config import TrainConfig
from lmgt_core.errors import UserError
from lmgt_core.testing.training import TrainingContract
from lmgt_core.training import driver

SMALL = TrainConfig(algorithm="a2c", steps=160, seeds=(0, 1), judge="none", evaluate_every=80)


class TestTraining(TrainingContract):
    training = train.TRAINING

    def config(self, out: Path, judge: str, **changes: Any) -> TrainConfig:
        return replace(SMALL, **{"out": out, "judge": judge, "seeds": (0,), **changes})


class TestOffPolicyTraining(TestTraining):
    def config(self, out: Path, judge: str, **changes: Any) -> TrainConfig:
        return replace(super().config(out, judge, **changes), algorithm="dqn", steps=200, learning_starts=50)


class TestTabularTraining(TestTraining):
    def config(self, out: Path, judge: str, **changes: Any) -> TrainConfig:
        return replace(super().config(out, judge, **changes), env="Blackjack-v1", algorithm="td", steps=300)

    @pytest.mark.slow
    def test_a_watched_judge_that_turns_bad_costs_nothing_in_the_end(self, tmp_path: Path) -> None:
        """Within the interval of three seeds without a judge; without a watch the same judge ends far below it."""
        common = {"env": "Blackjack-v1", "algorithm": "td", "steps": 20_000, "evaluate_every": 20_000, "gate": False}
        plain = replace(SMALL, **common, out=tmp_path / "none", seeds=(0, 1, 2))
        low, _ = train.main(plain)["metrics"]["return"]["ci95"]
        turned = replace(plain, judge="oracle", scale=0.5, seeds=(0,))
        watched = replace(turned, watch=0.1, out=tmp_path / "watched")
        assert self.turned_and_watched(watched, 10_000) >= low
        assert self.turned_and_watched(replace(turned, out=tmp_path / "unwatched"), 10_000) < low - 0.1


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def measured(out: Path) -> list:
    """What a run learnt: everything but times, judges and settings."""
    tables = [rows(out / f"{name}.csv") for name in ("episodes", "evaluations")]
    return [*tables, json.loads((out / "summary.json").read_text())["metrics"]]


def test_a_run_directory_holds_what_a_reader_needs(tmp_path: Path) -> None:
    config = replace(SMALL, judge="oracle", out=tmp_path / "run")
    summary = train.main(config)
    for name in ("config.json", "episodes.csv", "evaluations.csv", "summary.json", "checkpoints/seed_1.pt"):
        assert (config.out / name).is_file(), name
    assert list((config.out / "tensorboard" / "seed_0").iterdir())
    written = json.loads((config.out / "summary.json").read_text())
    assert {k: written[k] for k in ("app", "env", "algorithm", "judge", "rule", "seeds", "steps")} == {
        "app": "control",
        "env": "CartPole-v1",
        "algorithm": "a2c",
        "judge": "oracle",
        "rule": "raw",
        "seeds": [0, 1],
        "steps": 160,
    }
    assert written["metrics"]["return"]["n"] == 2
    assert written["judge_kind"] == "oracle (privileged)"
    assert written["judge_stats"]["judgments"] == 320
    assert written["audit"]["accuracy"] == 1
    assert summary["metrics"]["return"]["mean"] == written["metrics"]["return"]["mean"]
    assert [r["decisions"] for r in rows(config.out / "evaluations.csv")] == ["80", "160"] * 2


def test_a_killed_run_goes_on_with_the_seeds_that_are_missing(tmp_path: Path) -> None:
    whole, killed = replace(SMALL, out=tmp_path / "whole"), replace(SMALL, out=tmp_path / "killed")
    train.main(whole)
    trained: list[int] = []

    def dies_in_the_second(config, source, seed, log, tick):
        if trained == [0]:
            trained.append(-1)
            raise KeyboardInterrupt
        trained.append(seed)
        return train.train_seed(config, source, seed, log, tick)

    training = replace(train.TRAINING, train_seed=dies_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        driver.train(training, killed)
    assert not (killed.out / "summary.json").exists()
    driver.train(training, replace(killed, resume=True))
    assert trained == [0, -1, 1]
    assert measured(whole.out) == measured(killed.out)


def test_seeds_in_processes_learn_what_they_learn_in_one(tmp_path: Path) -> None:
    for workers in (1, 2):
        train.main(replace(SMALL, workers=workers, out=tmp_path / str(workers)))
    assert measured(tmp_path / "1") == measured(tmp_path / "2")


def test_pocket_watch_repair_reports_the_stop_rule(tmp_path: Path) -> None:
    config = TrainConfig(env="PocketWatch-v0", algorithm="td", judge="oracle", gate=False, scale=10, out=tmp_path / "r")
    summary = train.main(replace(config, steps=760 * 50, seeds=(0,)))
    assert summary["metrics"]["episodes_to_rule"]["mean"] == 750
    assert summary["metrics"]["optimal_decisions"]["mean"] == 1
    without = train.main(replace(config, steps=500, seeds=(0,), judge="none", out=tmp_path / "n"))
    assert without["not_reached"] == {"episodes_to_rule": 1}
    assert "episodes_to_rule" not in without["metrics"]


def test_eight_questions_are_too_few_for_a_gate_and_the_run_says_so(tmp_path: Path, capsys) -> None:
    config = TrainConfig(
        env="PocketWatch-v0", algorithm="td", judge="oracle", out=tmp_path / "r", steps=500, seeds=(0,)
    )
    train.main(config)
    assert "only 8 questions are labelled here, too few for a gate; --no-gate" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"env": "Chess-v0"}, "--env Chess-v0: no such control task"),
        ({"algorithm": "rainbow"}, "--algorithm rainbow: no such algorithm; choose one of dqn"),
        ({"algorithm": "sac"}, "does not go with CartPole-v1: sac needs continuous actions"),
        ({"judge": "delphi"}, "--judge delphi: no such judge"),
        ({"judge": "noisy-oracle:2"}, "needs a probability"),
        ({"rule": "squared"}, "--rule squared: no such shift rule"),
        ({"scale": -1.0}, "--scale -1"),
        ({"strategy": "shouting"}, "--strategy shouting: no such strategy"),
        ({"prompts": Path("nowhere")}, "--prompts nowhere: no such folder"),
        ({"steps": 1}, "--steps 1"),
        ({"seeds": (1, 1)}, "--seeds"),
        ({"seeds": ()}, "--seeds"),
        ({"workers": 0}, "--workers 0"),
        ({"evaluate_every": 0}, "--evaluate-every 0"),
        ({"learning_starts": 5}, "--learning-starts 5: 0 or more, for dqn, sac, td3"),
        ({"judge": "oracle", "min_precision": 2.0}, "--min-precision 2"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_trained(tmp_path: Path, monkeypatch, change, complaint) -> None:
    monkeypatch.setattr(driver, "in_processes", lambda *_: pytest.fail("trained"))
    with pytest.raises(UserError) as error:
        train.main(replace(SMALL, out=tmp_path / "run", **change))
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run" / "episodes.csv").exists()


def test_a_folder_with_another_run_is_left_alone(tmp_path: Path) -> None:
    config = replace(SMALL, seeds=(0,), steps=16, out=tmp_path / "run")
    train.main(config)
    before = (config.out / "summary.json").read_bytes()
    with pytest.raises(UserError, match="holds a run already"):
        train.main(config)
    with pytest.raises(UserError, match=r"settings\.steps was 16 and is now 32"):
        train.main(replace(config, steps=32, resume=True))
    assert (config.out / "summary.json").read_bytes() == before


def test_a_folder_without_the_asked_template_is_told_before_training(tmp_path: Path, prompts: Path) -> None:
    with pytest.raises(UserError, match=r"cot\.txt: no such prompt template; this folder has: zero-shot"):
        train.main(replace(SMALL, judge="oracle", strategy="cot", prompts=prompts, out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()
