"""Primitive training: the loop runs, a killed run resumes exactly, and a neutral judge changes nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.agent.train_primitive import PrimitiveSettings, PrimitiveTrainer, source_state
from apps.housekeep.config import TrainConfig
from apps.housekeep.describe_arrays import PrimitiveDescriber
from apps.housekeep.metrics import METRICS
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import PromptTemplate
from lmgt_core.rules.make import make_rule
from lmgt_core.training.run_log import RunLog, read_rows
from tests.apps.housekeep.small_home import BOOK, CHEST, home
from tests.apps.housekeep.test_env import LetterCounts

EPISODES = [home(), home({BOOK: CHEST}, episode_id=1)]
SMALL = PrimitiveSettings(
    frame_size=36, max_steps=25, replay_capacity=80, learning_starts=20, target_every=30, rollout=32, batch_size=16
)
TEMPLATE = PromptTemplate("", "{state} {action}")
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:stable_baselines3"),
    pytest.mark.usefixtures("one_thread"),
]


class Always:
    """A judge that always says the same."""

    kind, cacheable = JudgeKind.BASELINE, False

    def __init__(self, verdict: Verdict) -> None:
        self.verdict, self.id, self.asked = verdict, f"always-{verdict}", 0

    def judge(self, prompts: Any) -> list[Judgment]:
        self.asked += len(prompts)
        return [Judgment(self.verdict) for _ in prompts]


def shifts(verdict: Verdict | None) -> RewardShifter | None:
    if verdict is None:
        return None
    describer = PrimitiveDescriber(Vocabulary.of(EPISODES))
    return RewardShifter(describer, TEMPLATE, Always(verdict), make_rule("raw", 1.0, 100))


def config(algorithm: str, out: Path, **settings: Any) -> TrainConfig:
    return TrainConfig(
        action_space="primitive",
        algorithm=algorithm,  # type: ignore[arg-type]
        **{"steps": 110, "evaluate_every": 60, "checkpoint_every": 30, "reward": "dense", "out": out} | settings,
    )


def run(settings: TrainConfig, log: RunLog, verdict: Verdict | None = None, seed: int = 0) -> dict[str, float | None]:
    trainer = PrimitiveTrainer(settings, seed, EPISODES, EPISODES[:1], shifts(verdict), SMALL, LetterCounts())
    metrics = trainer.train(log, lambda steps: None)
    trainer.close()
    return metrics


def new_log(out: Path) -> RunLog:
    return RunLog.create(out, {"a": 1})


def rows(out: Path, table: str) -> list[dict[str, str]]:
    """A run's rows without the wall clock."""
    return [{k: v for k, v in row.items() if not k.endswith("_seconds")} for row in read_rows(out, table)]


BOTH = pytest.mark.parametrize("algorithm", ["dqn", "ppo"])


@BOTH
def test_it_takes_exactly_the_steps_of_the_budget(algorithm: str, tmp_path: Path) -> None:
    log = new_log(tmp_path / "run")
    last = run(config(algorithm, tmp_path), log)
    episodes = rows(tmp_path / "run", "episodes")
    assert [int(row["decisions"]) for row in episodes] == [25, 50, 75, 100, 110]
    assert [float(row["steps"]) for row in episodes] == [25, 25, 25, 25, 10]
    evaluations = [int(row["decisions"]) for row in rows(tmp_path / "run", "evaluations")]
    assert evaluations[0] == 0 and evaluations[-1] == 110 and 60 <= evaluations[1] <= 96
    assert set(last) == set(METRICS) and last["steps"] == 25.0


class Killed(Exception):
    """Stands for a kill: nothing is written after it."""


@BOTH
@pytest.mark.parametrize("after", [1, 2, 4])
def test_a_killed_run_ends_with_the_same_numbers(algorithm: str, after: int, tmp_path: Path) -> None:
    whole = run(config(algorithm, tmp_path), new_log(tmp_path / "whole"), Verdict.GOOD)
    log = new_log(tmp_path / "killed")
    record, recorded = log.record_episode, []

    def dying(seed: int, row: Any) -> None:
        record(seed, row)
        recorded.append(row)
        if len(recorded) == after:
            raise Killed

    log.record_episode = dying  # type: ignore[method-assign]
    with pytest.raises(Killed):
        run(config(algorithm, tmp_path), log, Verdict.GOOD)
    log.close()
    np.random.seed(99)  # another process starts with other generators
    torch.manual_seed(99)
    resumed = run(config(algorithm, tmp_path), RunLog.open(tmp_path / "killed"), Verdict.GOOD)
    assert resumed == whole
    for table in ("episodes", "evaluations"):
        assert rows(tmp_path / "killed", table) == rows(tmp_path / "whole", table)


@BOTH
def test_a_finished_run_is_not_trained_again(algorithm: str, tmp_path: Path) -> None:
    log = new_log(tmp_path / "run")
    first = run(config(algorithm, tmp_path), log)
    before = rows(tmp_path / "run", "episodes")
    assert run(config(algorithm, tmp_path), log) == first
    assert rows(tmp_path / "run", "episodes") == before


@BOTH
def test_a_neutral_judge_changes_nothing(algorithm: str, tmp_path: Path) -> None:
    ends = []
    for name, verdict in (("none", None), ("neutral", Verdict.NEUTRAL)):
        ends.append(run(config(algorithm, tmp_path), new_log(tmp_path / name), verdict))
    assert ends[0] == ends[1]
    for table in ("episodes", "evaluations"):
        assert rows(tmp_path / "none", table) == rows(tmp_path / "neutral", table)
    contents = [torch.load(tmp_path / n / "checkpoints/seed_0.pt", weights_only=True) for n in ("none", "neutral")]
    for name, weights in contents[0]["algorithm"]["policy"].items():
        assert torch.equal(weights, contents[1]["algorithm"]["policy"][name])


def test_picks_and_places_are_judged_and_their_shifts_reported_apart(tmp_path: Path) -> None:
    settings = config("dqn", tmp_path, steps=200)
    source = shifts(Verdict.GOOD)
    assert source is not None
    trainer = PrimitiveTrainer(settings, 0, EPISODES, EPISODES[:1], source, SMALL, LetterCounts())
    trainer.train(new_log(tmp_path / "run"), lambda steps: None)
    shifted = sum(float(row["shift"]) for row in rows(tmp_path / "run", "episodes"))
    assert shifted == source.stats.judgments > 0
    assert source.decisions == settings.steps
    assert all(-3 <= float(row["return"]) <= 2 for row in rows(tmp_path / "run", "episodes"))


def test_other_seeds_train_otherwise(tmp_path: Path) -> None:
    log = new_log(tmp_path / "run")
    for seed in (0, 1):
        run(config("dqn", tmp_path), log, seed=seed)
    networks = [
        torch.load(tmp_path / f"run/checkpoints/seed_{s}.pt", weights_only=True)["algorithm"]["policy"] for s in (0, 1)
    ]
    assert any(not torch.equal(w, networks[1][name]) for name, w in networks[0].items())


def test_an_unknown_algorithm_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="drrn"):
        run(config("drrn", tmp_path), new_log(tmp_path / "run"))


def test_a_checkpoint_of_before_sources_counted_decisions_is_read() -> None:
    before = {"decisions": 7, "shifter": {"rule": {}, "stats": {"judgments": 2}}}
    assert source_state(before) == {"rule": {}, "stats": {"judgments": 2}, "decisions": 7, "step": 6}
    assert source_state({"decisions": 3, "step": 2}) == {"decisions": 3, "step": 2}
