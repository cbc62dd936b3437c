"""`lmgt tabular train`: the contract of all trainings, and that a table learns as in the studies."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.tabular import train
from apps.tabular.config import TrainConfig
from apps.tabular.study_app import APP
from lmgt_core.errors import UserError
from lmgt_core.rules.make import ADVISED
from lmgt_core.testing.training import TrainingContract, rows

SMALL = TrainConfig(steps=400, seeds=(0,), gate=False)


class TestTraining(TrainingContract):
    training = train.TRAINING

    def config(self, out: Path, judge: str, **changes: Any) -> TrainConfig:
        return replace(TrainConfig(steps=400, seeds=(0,)), out=out, judge=judge, **changes)


class TestSarsaTraining(TestTraining):
    def config(self, out: Path, judge: str, **changes: Any) -> TrainConfig:
        return replace(super().config(out, judge, **changes), algorithm="sarsa", env="trap", rule="annealed")


def test_a_watched_judge_that_turns_bad_half_way_costs_nothing_in_the_end(tmp_path: Path) -> None:
    """On the cliff, where the same judge without a watch ends at -50, which is never arriving."""
    plain = TrainConfig(env="cliff", steps=4000, seeds=(0,), gate=False, judge="none", out=tmp_path / "none")
    expected = train.main(plain)["metrics"]["return"]["mean"]
    turned, contract = replace(plain, judge="oracle", out=tmp_path / "unwatched"), TestTraining()
    assert contract.turned_and_watched(turned, 2000) < expected
    assert contract.turned_and_watched(replace(turned, watch=0.1, out=tmp_path / "watched"), 2000) >= expected


@pytest.mark.parametrize("rule", ["raw", "centered", *ADVISED])
def test_a_training_is_that_of_the_studies(tmp_path: Path, rule: str) -> None:
    """They have the judge's table in memory; here every judgment comes through the guidance."""
    config = replace(SMALL, env="wide_chain", rule=rule, judge="oracle", out=tmp_path / "run", evaluate_every=8)
    learned = train.main(config)["metrics"]["score"]["mean"]
    settings = {name: field.default for name, field in APP.fields.items()}
    own = {"world": "wide_chain", "rule": rule, "steps": 400, "judge_share": 1.0}
    assert learned == APP.run({**settings, **own}, seed=0)["score"]


def test_a_run_holds_its_curve_its_episodes_and_its_table(tmp_path: Path) -> None:
    config = replace(SMALL, judge="oracle", out=tmp_path / "run")
    summary = train.main(config)
    recorded = rows(config.out)
    assert [r["decisions"] for r in recorded["evaluations"]] == [str(40 * i) for i in range(1, 11)]
    assert summary["metrics"]["score"]["mean"] == pytest.approx(1)
    lengths = [int(r["length"]) for r in recorded["episodes"]]
    assert max(lengths) <= train.HORIZON and 340 < sum(lengths) <= 400
    assert {float(r["return"]) for r in recorded["episodes"]} <= {0.0, 0.1, 1.0}  # unshifted
    assert np.load(config.out / "checkpoints" / "seed_0.pt")["q"].shape == (8, 2)
    assert json.loads((config.out / "summary.json").read_text())["app"] == "tabular"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"env": "maze"}, "--env maze: no such tabular world"),
        ({"algorithm": "dqn"}, "--algorithm dqn: no such algorithm"),
        ({"strategy": "few-shot"}, "few-shot"),
        ({"rule": "lookahead", "judge_ahead": True}, "--judge-ahead"),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        train.main(replace(SMALL, out=tmp_path / "run", judge="oracle", **change))
    assert not (tmp_path / "run").exists()
