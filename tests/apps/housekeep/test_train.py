"""Training end to end on the built-in homes: what a run directory holds, neutral equals none, kills lose nothing."""

import csv
import io
import json
import multiprocessing
import os
import random
import shutil
import signal
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from apps.housekeep import evaluate, train
from apps.housekeep.agent import train_skills
from apps.housekeep.agent.drrn import DrrnAgent
from apps.housekeep.agent.replay import Batch
from apps.housekeep.config import EvaluateConfig, TrainConfig, WatchConfig
from apps.housekeep.describe import Decision
from apps.housekeep.task import Task
from apps.housekeep.watch import command as watch
from lmgt_core.errors import UserError
from lmgt_core.training.run_log import RunLog

TINY = TrainConfig(
    judge="none",
    episodes=("builtin:train",),
    select="0:3",
    evaluate_count=1,
    evaluate_every=30,
    checkpoint_every=10,
    steps=70,
    seeds=(0,),
)


def run(out: Path, **changes: Any) -> dict[str, Any]:
    return train.main(replace(TINY, out=out, **changes))


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table, without what was measured by a clock."""
    with path.open(newline="") as file:
        return [{k: v for k, v in row.items() if not k.endswith("_seconds")} for row in csv.DictReader(file)]


def weights(run_path: Path, seed: int = 0) -> dict[str, torch.Tensor]:
    content = RunLog.open(run_path).load_checkpoint(seed)
    assert content is not None
    return torch.load(io.BytesIO(content), weights_only=True)["agent"]["online"]


@pytest.fixture(scope="module")
def none_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "none"
    run(out)
    return out


def same_training(a: Path, b: Path) -> None:
    for table in ("episodes.csv", "evaluations.csv"):
        assert rows(a / table) == rows(b / table)
    ours, theirs = weights(a), weights(b)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_neutral_judge_changes_not_one_bit(none_run: Path, tmp_path: Path) -> None:
    run(tmp_path / "neutral", judge="neutral")
    same_training(none_run, tmp_path / "neutral")


def test_an_oracle_does_change_the_training(none_run: Path, tmp_path: Path) -> None:
    summary = run(tmp_path / "oracle", judge="oracle")
    assert summary["judge_stats"]["judgments"] > 0
    assert rows(tmp_path / "oracle" / "episodes.csv") != rows(none_run / "episodes.csv")


def test_the_summary_has_what_the_contract_promises(none_run: Path) -> None:
    summary = json.loads((none_run / "summary.json").read_text())
    for name in ("app", "env", "algorithm", "action_space", "judge", "rule", "seeds", "steps", "metrics", "audit"):
        assert name in summary
    assert set(summary["judge_stats"]) >= {"judgments", "cache_hits", "unreadable", "abstained", "seconds"}
    assert set(summary["metrics"]["object_success"]) == {"mean", "iqm", "ci95", "n"}


def test_the_return_that_users_read_carries_no_shift(tmp_path: Path) -> None:
    run(tmp_path / "run", judge="oracle", scale=100.0)
    played = rows(tmp_path / "run" / "episodes.csv")
    assert any(float(row["shift"]) != 0 for row in played)
    assert all(abs(float(row["return"])) <= 10 for row in played)  # at most ten objects an episode


def test_a_silent_judge_is_announced_and_never_shifts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = run(tmp_path / "run", judge="noisy-oracle:0.5")
    assert summary["audit"]["silent"] is True
    asked, headline = capsys.readouterr().out.splitlines()[:2]
    assert "asked the labelled questions" in asked and "SILENT" in headline
    assert summary["judge_stats"]["abstained"] == summary["judge_stats"]["judgments"] > 0
    assert all(float(row["shift"]) == 0 for row in rows(tmp_path / "run" / "episodes.csv"))


def test_no_gate_lets_the_same_judge_speak_and_is_recorded(tmp_path: Path) -> None:
    summary = run(tmp_path / "run", judge="noisy-oracle:0.5", gate=False)
    assert summary["audit"]["gated"] is False
    assert json.loads((tmp_path / "run" / "config.json").read_text())["settings"]["gate"] is False
    assert any(float(row["shift"]) != 0 for row in rows(tmp_path / "run" / "episodes.csv"))


def test_seeds_in_parallel_give_the_numbers_of_seeds_in_turn(tmp_path: Path) -> None:
    run(tmp_path / "turn", seeds=(0, 1), steps=30)
    run(tmp_path / "parallel", seeds=(0, 1), steps=30, workers=2)
    assert rows(tmp_path / "turn" / "episodes.csv") == rows(tmp_path / "parallel" / "episodes.csv")


@pytest.mark.parametrize("rule", ["lookahead", "pies", "adops"])
def test_a_neutral_judge_changes_not_one_bit_inside_the_agent_either(rule: str, none_run: Path, tmp_path: Path) -> None:
    run(tmp_path / "neutral", judge="neutral", rule=rule)
    same_training(none_run, tmp_path / "neutral")


def test_look_ahead_asks_about_every_candidate_and_counts_what_training_asked(tmp_path: Path) -> None:
    chosen, every = (run(tmp_path / rule, judge="oracle", rule=rule) for rule in ("raw", "lookahead"))
    assert every["judge_stats"]["judgments"] > chosen["judge_stats"]["judgments"]
    more = run(tmp_path / "more", judge="oracle", rule="lookahead", evaluate_count=3)
    assert more["judge_stats"]["judgments"] == every["judge_stats"]["judgments"]  # evaluations ask, and are not counted


def test_a_policy_of_look_ahead_is_not_evaluated_without_its_judge(tmp_path: Path) -> None:
    run(tmp_path / "run", judge="oracle", rule="lookahead", steps=20)
    for command in (evaluate.main, watch.main):
        kind = EvaluateConfig if command is evaluate.main else WatchConfig
        policy = str(tmp_path / "run")
        with pytest.raises(UserError, match="--rule lookahead, whose policy goes on asking the judge") as error:
            command(kind(policy if kind is WatchConfig else (policy,)))
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("rule", ["pies", "adops"])
def test_a_policy_with_a_critic_is_evaluated_as_it_was_saved(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, out = ("builtin:train_home_0",), tmp_path / "run"
    summary = run(out, judge="oracle", rule=rule, episodes=home, select="0:2", evaluate_select="0:2", evaluate_count=2)
    rows = evaluate.main(EvaluateConfig((str(out),), episodes=home, select="0:2"))
    evaluated = {row["metric"]: row["mean"] for row in rows if row["policy"] == str(out)}
    for metric in ("map_coverage", "failed_grabs", "all_objects_right"):
        assert evaluated[metric] == pytest.approx(summary["metrics"][metric]["mean"], abs=1e-12)
    monkeypatch.setattr(watch, "Task", partial(Task, max_steps=12))
    assert watch.main(WatchConfig(str(out), out=tmp_path / "tidy.gif", size=64))["pictures"] > 0


def kill_often(unbroken: Path, folder: Path, all_kills: int, **changes: Any) -> None:
    """kill -9 at random moments; every row on the disk stays, and the end equals the run that was never killed."""
    chance, kills, lives = random.Random(3), 0, 0
    while kills < all_kills:
        out, seen = folder / f"run_{lives}", 0
        lives += 1
        while kills < all_kills and not (out / "summary.json").exists():
            child = multiprocessing.get_context("fork").Process(
                target=run, args=(out,), kwargs={"resume": (out / "config.json").exists(), **changes}
            )
            child.start()
            child.join(chance.uniform(0.05, 0.8))
            if child.is_alive():
                os.kill(child.pid or 0, signal.SIGKILL)
                child.join()
                kills += 1
            reported = len(RunLog.open(out).rows("episodes")) if (out / "config.json").exists() else 0
            assert reported >= seen
            seen = reported
        run(out, resume=(out / "config.json").exists(), **changes)
        same_training(unbroken, out)


def test_twenty_kills_lose_nothing_that_was_reported(none_run: Path, tmp_path: Path) -> None:
    kill_often(none_run, tmp_path, 20)


@pytest.mark.parametrize("rule", ["lookahead", "adops"])
def test_kills_lose_nothing_of_a_rule_inside_the_agent(rule: str, tmp_path: Path) -> None:
    run(tmp_path / "unbroken", judge="oracle", rule=rule)
    kill_often(tmp_path / "unbroken", tmp_path, 4, judge="oracle", rule=rule)


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"steps": 0}, "--steps"),
        ({"seeds": ()}, "--seeds"),
        ({"seeds": (1, 1)}, "--seeds"),
        ({"algorithm": "dqn"}, "--algorithm"),
        ({"min_precision": 1.5}, "--min-precision"),
        ({"votes": Path("votes.npy")}, "--splits"),
        ({"rule": "louder"}, "louder"),
        ({"scale": float("nan")}, "--scale"),
        ({"rule": "potential"}, "--rule potential: works through the potential seam"),
        ({"horizon": 0}, "--horizon"),
        ({"judge_ahead": True, "rule": "pies", "judge": "oracle"}, "--judge-ahead"),
        (
            {"rule": "lookahead", "action_space": "primitive", "algorithm": "dqn"},
            "--rule lookahead: works through the agent",
        ),
        (
            {"rule": "pies", "action_space": "primitive", "algorithm": "ppo"},
            "--rule pies: works through the agent seam",
        ),
    ],
)
def test_a_mistake_names_its_flag_and_writes_nothing(changes: dict[str, Any], flag: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=flag):
        run(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("rule", ["raw", "centered", "annealed"])
def test_a_judge_in_the_background_changes_not_one_bit(rule: str, tmp_path: Path) -> None:
    summaries = [
        run(tmp_path / name, judge="oracle", rule=rule, judge_ahead=ahead)
        for name, ahead in (("b", True), ("a", False))
    ]
    same_training(tmp_path / "a", tmp_path / "b")
    assert summaries[0]["judge_stats"]["judgments"] == summaries[1]["judge_stats"]["judgments"] > 0


@pytest.mark.parametrize("judge", ["random", "noisy-oracle:0.7"])
def test_judges_that_draw_lots_draw_others_in_every_seed(judge: str) -> None:
    prepared = train.guidance(replace(TINY, judge=judge, gate=False))
    decisions = [Decision(**d.facts) for d in islice(prepared.domain.questions() or (), 60)]
    shifts = []
    for seed in (0, 1, 0):
        source = prepared.shifts(seed, 10)
        assert source is not None
        shifts.append(source.resolve(source.submit(decisions, decisions)).tolist())
        source.close()
    assert shifts[0] == shifts[2] != shifts[1]


class Weights(DrrnAgent):
    """Notes w_t and t of every update."""

    seen: ClassVar[list[tuple[float, int]]] = []

    def learn(self, batch: Batch, shift_weight: float, step: int = 0) -> float:
        self.seen.append((shift_weight, step))
        return super().learn(batch, shift_weight, step)


def test_a_decision_is_weighed_by_the_decisions_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """w_t = 1 - t / 70, t from 0: the first update is after decision 64 (warm_up), the last after decision 69."""
    monkeypatch.setattr(train_skills, "make_agent", lambda c, v, e, seed, rule: Weights(c, v, e, seed))
    Weights.seen.clear()
    run(tmp_path / "run", judge="oracle", rule="annealed")
    assert Weights.seen == [(pytest.approx(1 - t / 70), t) for t in range(64, 70)]


def test_a_run_of_before_its_settings_were_renamed_goes_on(none_run: Path, tmp_path: Path) -> None:
    before = tmp_path / "before"
    shutil.copytree(none_run, before)
    config = json.loads((before / "config.json").read_text())
    settings = config["settings"]
    settings["control"] = settings.pop("action_space")
    for name in ("horizon", "judge_ahead", "documents", "env", "simulator", "root"):
        del settings[name]
    (before / "config.json").write_text(json.dumps(config))
    for name in ("summary.json", "audit.json", "seeds/0/result.json"):
        (before / name).unlink()
    run(before, resume=True)
    same_training(none_run, before)
    rows = evaluate.main(EvaluateConfig((str(before),), select="0:1"))
    assert str(before) in {row["policy"] for row in rows}


def test_resuming_with_other_settings_names_the_first_that_differs(none_run: Path) -> None:
    with pytest.raises(UserError, match=r"settings\.judge"):
        run(none_run, judge="oracle", resume=True)
